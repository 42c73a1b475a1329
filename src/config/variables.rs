//! Variables of the environment whose names are none that is heard.

use crate::config::layers::{FLAGS, PREFIX, environment_name};
use crate::config::otel::meant_by;
use crate::config::setting::nearest;

/// Variables that are no settings: of which file the configuration is, and of commands that call an exporter.
const OTHERS: [&str; 3] = ["CONFIG_FILE", "URL", "PASSWORD"];

/// A shorter part of a name could be meant for too many.
const PART_BYTES_MIN: usize = 4;

/// What Kubernetes sets for a service that is called as the exporter is.
const OF_SERVICE: [&str; 2] = ["PORT", "SERVICE"];

/// A sentence about a variable that was meant for the exporter, most likely, and is not heard.
pub fn unknown(name: &str) -> Option<String> {
    if let Some(meant) = meant_by(name) {
        return Some(sentence(name, Some(meant)));
    }
    let rest = name.strip_prefix(PREFIX)?;
    let is_of_service = OF_SERVICE
        .iter()
        .filter_map(|word| rest.strip_prefix(word))
        .any(|rest| rest.is_empty() || rest.starts_with('_'));
    let of_flags = FLAGS.iter().map(|flag| environment_name(flag.name));
    let others = OTHERS.iter().map(|word| format!("{PREFIX}{word}"));
    let known: Vec<String> = of_flags.chain(others).collect();
    if is_of_service || known.iter().any(|known| known == name) {
        return None;
    }
    let words: Vec<&str> = known
        .iter()
        .filter_map(|known| known.strip_prefix(PREFIX))
        .collect();
    let is_part =
        |word: &&&str| rest.len() >= PART_BYTES_MIN && (word.starts_with(rest) || word.ends_with(rest));
    let meant = nearest(rest, &words).or_else(|| words.iter().find(is_part).copied());
    let meant = meant.map(|word| format!("{PREFIX}{word}"));
    Some(sentence(name, meant.as_deref()))
}

fn sentence(name: &str, meant: Option<&str>) -> String {
    match meant {
        Some(meant) => format!("the variable {name} is not known; did you mean {meant}?"),
        None => {
            format!("the variable {name} is not known, and sets nothing; a key of the configuration file may")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_not_known_is_told_with_the_nearest_that_is() {
        for (name, words) in [
            (
                "DATASPHERE_EXPORTER_WEB_LISTEN_ADRESS",
                "did you mean DATASPHERE_EXPORTER_WEB_LISTEN_ADDRESS?",
            ),
            (
                "DATASPHERE_EXPORTER_CONFIG",
                "did you mean DATASPHERE_EXPORTER_CONFIG_FILE?",
            ),
            (
                "DATASPHERE_EXPORTER_LISTEN_ADDRESS",
                "did you mean DATASPHERE_EXPORTER_WEB_LISTEN_ADDRESS?",
            ),
            (
                "DATASPHERE_EXPORTER_WATCH_INTERVAL",
                "is not known, and sets nothing",
            ),
            (
                "OTEL_EXPORTER_OTLP_ENDPIONT",
                "did you mean OTEL_EXPORTER_OTLP_ENDPOINT?",
            ),
        ] {
            let told = unknown(name).expect(name);
            assert!(told.contains(name) && told.contains(words), "{told}");
        }
    }

    #[test]
    fn a_variable_that_is_known_or_that_kubernetes_sets_is_not_told() {
        for name in [
            "DATASPHERE_EXPORTER_LOG_LEVEL",
            "DATASPHERE_EXPORTER_CONFIG_FILE",
            "DATASPHERE_EXPORTER_URL",
            "DATASPHERE_EXPORTER_PASSWORD",
            "DATASPHERE_EXPORTER_PORT",
            "DATASPHERE_EXPORTER_PORT_10477_TCP_ADDR",
            "DATASPHERE_EXPORTER_SERVICE_HOST",
            "PATH",
        ] {
            assert_eq!(unknown(name), None, "{name}");
        }
    }
}
