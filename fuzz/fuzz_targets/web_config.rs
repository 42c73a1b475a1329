//! Any text, as a web configuration: it is read or refused, and a refusal quotes nothing that may be secret.

#![no_main]

use datasphere_exporter::config::check_protection;
use libfuzzer_sys::fuzz_target;

/// A hash and a key never stand in a message, wherever they stand in the file.
const SECRET: &str = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";

fuzz_target!(|input: &str| {
    let with_secret = input.replace("SECRET", SECRET);
    if let Err(invalid) = check_protection(&with_secret) {
        let told = invalid.to_string();
        assert!(!told.contains(SECRET), "{told}");
    }
});
