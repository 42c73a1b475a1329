//! `dashboards/*.json` is what the generator makes.

use crate::dashboard::Dashboard;
use crate::{exporter, fleet, job, levels, operations};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// All dashboards, by the names of their files.
pub(crate) fn dashboards() -> Vec<(&'static str, Value)> {
    let all: [(&str, fn() -> Dashboard); 5] = [
        ("fleet", fleet::dashboard),
        ("job", job::dashboard),
        ("operations", operations::dashboard),
        ("exporter", exporter::dashboard),
        ("service-levels", levels::dashboard),
    ];
    all.map(|(name, make)| (name, make().build())).into()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own")]
fn the_committed_dashboards_are_those_that_the_generator_makes() {
    let update = env::var_os("UPDATE_DOCS").is_some();
    for (name, dashboard) in dashboards() {
        let path = folder().join(format!("{name}.json"));
        let made = serde_json::to_string_pretty(&dashboard).unwrap() + "\n";
        if update {
            fs::create_dir_all(folder()).unwrap();
            fs::write(&path, &made).unwrap();
        }
        let told = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            told == made,
            "dashboards/{name}.json is not what the code makes; UPDATE_DOCS=1 cargo test --test dashboards makes it so"
        );
    }
}

#[test]
fn every_committed_file_is_one_that_the_generator_makes() {
    let made: Vec<&str> = dashboards().iter().map(|(name, _)| *name).collect();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "json") {
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(made.contains(&name), "dashboards/{name}.json comes from nowhere");
        }
    }
}
