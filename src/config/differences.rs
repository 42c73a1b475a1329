//! What differs between two configurations, by key.

use serde_json::Value;
use std::collections::BTreeSet;

/// The keys at and below `key` whose values differ. A list is one value.
pub(crate) fn differences(key: &str, own: Option<&Value>, theirs: Option<&Value>) -> Vec<String> {
    match (own, theirs) {
        (Some(Value::Object(own)), Some(Value::Object(theirs))) => {
            let names: BTreeSet<&String> = own.keys().chain(theirs.keys()).collect();
            let below =
                |name: &String| differences(&format!("{key}.{name}"), own.get(name), theirs.get(name));
            names.into_iter().flat_map(below).collect()
        }
        (own, theirs) if own == theirs => Vec::new(),
        _ => vec![key.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_is_named_by_its_own_key_and_not_by_its_sections() {
        let before = json!({ "storage": { "path": "a", "max": 1 }, "list": [1], "tls": null });
        let after = json!({ "storage": { "path": "b", "max": 1 }, "list": [2], "tls": { "ca_file": "c" } });
        let of = |key: &str| {
            let pointer = format!("/{key}");
            differences(key, after.pointer(&pointer), before.pointer(&pointer))
        };
        assert_eq!(of("storage"), ["storage.path"]);
        assert_eq!(of("list"), ["list"]);
        assert_eq!(of("tls"), ["tls"]);
        assert_eq!(of("nothing"), Vec::<String>::new());
    }
}
