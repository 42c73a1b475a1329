//! Writes a configuration so that it can be read again.

use serde_json::Value;

/// A value to be written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Yaml {
    /// Left out, with its key.
    Absent,
    /// Left out; the text stands in its place as a comment.
    Comment(String),
    /// A number, a truth value or another word that needs no quotes.
    Plain(String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Yaml>),
    /// Keys with values.
    Section(Vec<(String, Yaml)>),
}

impl Yaml {
    /// As a document of its own.
    pub(crate) fn document(&self) -> String {
        let mut out = String::new();
        self.block(0, &mut out);
        out
    }

    /// As JSON, which says the same.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Absent | Self::Comment(_) => Value::Null,
            Self::Plain(word) => word.parse().unwrap_or_else(|_| Value::String(word.clone())),
            Self::Text(text) => Value::String(text.clone()),
            Self::List(items) => items.iter().map(Self::json).collect(),
            Self::Section(entries) => entries
                .iter()
                .filter(|(_, value)| !matches!(value, Self::Absent | Self::Comment(_)))
                .map(|(key, value)| (key.clone(), value.json()))
                .collect(),
        }
    }

    /// On one line.
    pub(crate) fn flow(&self) -> String {
        match self {
            Self::Absent | Self::Comment(_) => String::new(),
            Self::Plain(word) => word.clone(),
            Self::Text(text) => quoted(text),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::flow).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Section(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .filter(|(_, value)| !matches!(value, Self::Absent | Self::Comment(_)))
                    .map(|(key, value)| format!("{}: {}", quoted(key), value.flow()))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    /// The entries of a section, one a line; lists and what is below them on one line each.
    fn block(&self, indent: usize, out: &mut String) {
        let Self::Section(entries) = self else {
            return;
        };
        let margin = "  ".repeat(indent);
        let margin = margin.as_str();
        for (key, value) in entries {
            match value {
                Self::Absent => {}
                Self::Comment(text) => out.extend([margin, "# ", key, ": ", text, "\n"]),
                Self::Section(children) if !children.is_empty() => {
                    out.extend([margin, quoted(key).as_str(), ":\n"]);
                    value.block(indent + 1, out);
                }
                Self::List(items) if !items.is_empty() => {
                    out.extend([margin, quoted(key).as_str(), ":\n"]);
                    for item in items {
                        out.extend([margin, "  - ", item.flow().as_str(), "\n"]);
                    }
                }
                value => out.extend([margin, quoted(key).as_str(), ": ", value.flow().as_str(), "\n"]),
            }
        }
    }
}

/// Text as a YAML scalar: bare where nobody could read it as anything else, otherwise in double quotes.
fn quoted(text: &str) -> String {
    let is_bare = text.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '/' | '_'))
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/'))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if is_bare {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(character),
            _ if character.is_alphanumeric() => out.push(character),
            _ => {
                let escaped = format!("\\U{:08x}", u32::from(character));
                out.push_str(&escaped);
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::node::{Node, Value};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_read_back_as_it_was(text in "\\PC*|.*|[a-z0-9.~:#]{0,5}|[\u{0}-\u{ff}\u{2028}\u{feff}]{0,9}") {
            let document = Yaml::Section(vec![("key".to_owned(), Yaml::Text(text.clone()))]).document();
            let node = Node::parse(&document).unwrap();
            prop_assert_eq!(&node.get("key").unwrap().value, &Value::Text(text));
        }
    }

    #[test]
    fn sections_are_blocks_and_lists_are_items() {
        let document = Yaml::Section(vec![
            ("a".to_owned(), Yaml::Plain("10s".to_owned())),
            (
                "b".to_owned(),
                Yaml::Section(vec![("c".to_owned(), Yaml::List(vec![]))]),
            ),
            (
                "d".to_owned(),
                Yaml::List(vec![Yaml::Section(vec![(
                    "e f".to_owned(),
                    Yaml::Text("x".to_owned()),
                )])]),
            ),
            ("g".to_owned(), Yaml::Absent),
            ("h".to_owned(), Yaml::Comment("from YC_IAM_TOKEN".to_owned())),
        ]);
        let expected = "a: 10s\nb:\n  c: []\nd:\n  - {\"e f\": x}\n# h: from YC_IAM_TOKEN\n";
        assert_eq!(document.document(), expected);
    }
}
