//! `dashboards/*.json` is what the generator makes.

use crate::dashboard::Dashboard;
use crate::{exporter, fleet, job, levels, operations};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What makes a dashboard.
type Make = fn() -> Dashboard;

/// All dashboards, by the names of their files.
pub(crate) fn dashboards() -> Vec<(&'static str, Value)> {
    let all: [(&str, Make); 5] = [
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

/// The dashboards as they are committed.
pub(crate) fn read() -> Vec<(String, Value)> {
    let mut pages: Vec<(String, Value)> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (
                name,
                serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap(),
            )
        })
        .collect();
    pages.sort_by(|one, other| one.0.cmp(&other.0));
    pages
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
            // Other tests read meanwhile, and must not meet half a file.
            let new = path.with_extension("new");
            fs::write(&new, &made).unwrap();
            fs::rename(&new, &path).unwrap();
        }
        let told = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            told == made,
            "dashboards/{name}.json is not what the code makes; UPDATE_DOCS=1 cargo test --test observability makes it so"
        );
    }
}

#[test]
fn every_committed_file_is_one_that_the_generator_makes() {
    let made: Vec<&str> = dashboards().iter().map(|(name, _)| *name).collect();
    for (file, _) in read() {
        let name = file.trim_end_matches(".json");
        assert!(made.contains(&name), "dashboards/{file} comes from nowhere");
    }
}
