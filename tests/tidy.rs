//! The shape of the house: floors, file lengths, module docs, and what must not appear anywhere.

#![expect(clippy::expect_used, reason = "what cannot be read fails the test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms by floor, from the ground up; a room imports rooms of lower floors only. `ARCHITECTURE.md` tells why.
const FLOORS: &[&[&str]] = &[
    &["proto", "clock", "limits", "files"],
    &["model", "catalogue"],
    &["decode", "flow", "identity"],
    &[
        "tracker",
        "cloud",
        "store",
        "metrics",
        "traces",
        "listening",
        "simulator",
    ],
    &["sources", "gateway", "web", "engine", "delivery"],
    &["config"],
    &["app"],
    &["cli"],
];

/// Lines of a file without its tests: beyond this, a file holds more than one idea.
const FILE_LINES_MAX: usize = 500;

/// A source file: its room, its path and its text without tests.
struct Source {
    room: String,
    path: PathBuf,
    code: String,
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let is_test =
        |path: &Path| path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
    files(&root, "rs")
        .into_iter()
        .filter(|path| !is_test(path))
        .map(|path| {
            let inside = path
                .strip_prefix(&root)
                .expect("below the root")
                .with_extension("");
            let name = inside
                .components()
                .next()
                .expect("a name")
                .as_os_str()
                .to_string_lossy()
                .into_owned();
            let text = fs::read_to_string(&path).expect("a readable file");
            let code = text
                .split("\n#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or_default()
                .to_owned();
            Source {
                room: name,
                path,
                code,
            }
        })
        .collect()
}

/// The rooms that a file names, without its comments.
fn rooms_named(code: &str) -> Vec<String> {
    let code: Vec<&str> = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    let named = code.split("crate::").skip(1).map(|rest| {
        rest.chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect::<String>()
    });
    named.collect()
}

#[test]
fn a_room_imports_rooms_of_lower_floors_only() {
    let floors: BTreeMap<&str, usize> = FLOORS
        .iter()
        .enumerate()
        .flat_map(|(floor, rooms)| rooms.iter().map(move |room| (*room, floor)))
        .collect();
    for source in sources() {
        if matches!(source.room.as_str(), "lib" | "main") {
            continue;
        }
        let path = source.path.display();
        let own = *floors
            .get(source.room.as_str())
            .unwrap_or_else(|| panic!("{path}: a room without a floor"));
        for named in rooms_named(&source.code)
            .into_iter()
            .filter(|named| *named != source.room)
        {
            let floor = floors
                .get(named.as_str())
                .unwrap_or_else(|| panic!("{path}: what is crate::{named}?"));
            assert!(
                *floor < own,
                "{path}: {} is on floor {own} and imports {named} of floor {floor}",
                source.room
            );
        }
    }
}

#[test]
fn the_simulator_shares_nothing_with_the_watcher_but_the_protocol_and_the_clock() {
    for source in sources().iter().filter(|source| source.room == "simulator") {
        for named in rooms_named(&source.code) {
            let is_shared = matches!(named.as_str(), "simulator" | "proto" | "clock");
            assert!(
                is_shared,
                "{}: a mistake of {named} would be shared",
                source.path.display()
            );
        }
    }
}

#[test]
fn only_what_people_ask_for_starts_or_ends_anything() {
    let calls = [
        ".execute_job(",
        ".execute_notebook(",
        ".cancel_job(",
        ".cancel_operation(",
    ];
    let may = |room: &str| matches!(room, "cloud" | "web" | "cli" | "simulator");
    for source in sources().iter().filter(|source| !may(&source.room)) {
        let called = calls.iter().find(|call| source.code.contains(**call));
        assert_eq!(called, None, "{}: a watcher only watches", source.path.display());
    }
}

#[test]
fn every_file_is_short_and_says_what_it_is() {
    for source in sources() {
        let (path, lines) = (source.path.display(), source.code.lines().count());
        assert!(lines <= FILE_LINES_MAX, "{path}: {lines} lines without tests");
        assert!(
            source.code.starts_with("//! "),
            "{path}: begins without saying what it is"
        );
        assert!(
            !source.path.ends_with("mod.rs"),
            "{path}: a room is foo.rs and foo/"
        );
    }
}

#[test]
fn every_room_says_what_enters_what_leaves_and_what_never_happens() {
    for source in sources() {
        let is_root = source.path.parent().is_some_and(|folder| folder.ends_with("src"));
        if !is_root || matches!(source.room.as_str(), "lib" | "main") {
            continue;
        }
        for word in ["In: ", "Out: ", "Never: "] {
            let docs: Vec<&str> = source
                .code
                .lines()
                .take_while(|line| line.starts_with("//!"))
                .collect();
            let told = docs.join(" ").contains(word);
            assert!(told, "{}: its doc does not tell {word:?}", source.path.display());
        }
    }
}

#[test]
fn no_file_reaches_upwards_or_leaves_something_unfinished() {
    for source in sources() {
        let code = source
            .code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for (number, line) in code.enumerate() {
            let path = source.path.display();
            assert!(
                !line.contains("super::"),
                "{path}:{number}: name the room instead of `super`"
            );
            let marks = [
                ["TO", "DO"].concat(),
                ["FIX", "ME"].concat(),
                ["XX", "X"].concat(),
            ];
            assert!(
                !marks.iter().any(|mark| line.contains(mark.as_str())),
                "{path}:{number}: finish it"
            );
        }
    }
}

#[test]
fn the_architecture_document_names_every_room() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for room in FLOORS.iter().flat_map(|rooms| rooms.iter()) {
        assert!(
            document.contains(&format!("`{room}`")),
            "ARCHITECTURE.md does not name the room {room}"
        );
    }
}
