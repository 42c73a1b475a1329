//! Any text, as a configuration: it is read or refused, and what is read prints as something that reads the same.

#![no_main]

use datasphere_exporter::config::{Config, Flags};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fn parse(yaml: &str) -> Option<Config> {
    Config::parse(yaml, Path::new("/"), &Flags::default(), |_| None).ok()
}

fuzz_target!(|input: &str| {
    // Most inputs say nothing of authentication, and what is wrong with the rest shows all the same.
    let with_auth = format!("cloud: {{auth: {{anonymous: {{}}}}}}\n{input}");
    for yaml in [input, with_auth.as_str()] {
        if let Some(config) = parse(yaml) {
            let printed = config.to_yaml();
            let again = parse(&printed).expect("what is printed can be read");
            assert_eq!(again.to_yaml(), printed);
        }
    }
});
