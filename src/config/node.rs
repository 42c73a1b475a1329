//! A configuration file as a tree in which every value knows where it stands.

use crate::config::error::{Invalid, Place};
use crate::decode::redact;
use crate::limits::{CONFIG_ANCHOR_BYTES_MAX, CONFIG_DEPTH_MAX, CONFIG_NODES_MAX, CONFIG_REPLAYED_MAX};
use crate::model::Text;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Location, Options, Spanned};
use std::collections::HashMap;
use std::fmt;

/// A value, with its key and its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// The last part of its key: `interval`.
    pub(crate) name: String,
    /// Its whole key: `watch.interval`, `watch.operations[0].id`; empty for the document.
    pub(crate) key: String,
    /// Where it was written.
    pub(crate) place: Place,
    /// What was written.
    pub(crate) value: Value,
}

/// What was written for a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Nothing: the same as leaving the key out.
    Nothing,
    /// Text, a number or a truth value, as it was written.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys with values.
    Section(Vec<Node>),
}

impl Value {
    /// What it is, in words; never the value itself, which may be a secret in the wrong place.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Text(_) => "a single value",
            Self::List(_) => "a list",
            Self::Section(_) => "keys with values",
        }
    }
}

impl Node {
    /// A tree without anything in it: all defaults.
    pub(crate) fn empty() -> Self {
        Self {
            name: String::new(),
            key: String::new(),
            place: Place::Nowhere,
            value: Value::Nothing,
        }
    }

    /// Reads a document.
    pub(crate) fn parse(yaml: &str) -> Result<Self, Invalid> {
        let root: Option<Spanned<Written>> =
            serde_saphyr::from_str_with_options(yaml, options()).map_err(|error| unreadable(&error))?;
        root.map_or_else(|| Ok(Self::empty()), |root| Reader { yaml }.node("", "", root, 1))
    }

    /// The value of a key below this node.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match &self.value {
            Value::Section(children) => children.iter().find(|child| child.name == name),
            Value::Nothing | Value::Text(_) | Value::List(_) => None,
        }
    }

    /// The child of this name, made empty when there is none; `None` when this node cannot have children.
    pub(crate) fn child_mut(&mut self, empty: Self) -> Option<&mut Self> {
        let children = self.children_mut()?;
        let place = children.iter().position(|child| child.name == empty.name);
        let place = place.unwrap_or_else(|| {
            children.push(empty);
            children.len() - 1
        });
        children.get_mut(place)
    }

    /// Puts a child, in place of the one of its name.
    pub(crate) fn replace(&mut self, child: Self) {
        if let Some(children) = self.children_mut() {
            children.retain(|other| other.name != child.name);
            children.push(child);
        }
    }

    fn children_mut(&mut self) -> Option<&mut Vec<Self>> {
        if self.value == Value::Nothing {
            self.value = Value::Section(Vec::new());
        }
        match &mut self.value {
            Value::Section(children) => Some(children),
            Value::Nothing | Value::Text(_) | Value::List(_) => None,
        }
    }

    /// Where a key stands, or else the section that should hold it.
    pub(crate) fn place_of(&self, key: &str) -> Place {
        let mut node = self;
        for name in key.split('.') {
            match node.get(name) {
                Some(child) => node = child,
                None => break,
            }
        }
        node.place.clone()
    }

    /// A finding about this value.
    pub(crate) fn invalid(&self, problem: impl Into<String>) -> Invalid {
        Invalid {
            place: self.place.clone(),
            key: self.key.clone(),
            problem: problem.into(),
        }
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: CONFIG_DEPTH_MAX,
            flow_nesting_limit: CONFIG_DEPTH_MAX,
            // A second one is told by its own message.
            max_documents: 2,
            max_events: CONFIG_NODES_MAX,
            max_nodes: CONFIG_NODES_MAX,
            max_recorded_anchor_events: CONFIG_REPLAYED_MAX,
            max_recorded_anchor_bytes: CONFIG_ANCHOR_BYTES_MAX,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: CONFIG_REPLAYED_MAX,
        },
        // Both are seen then, and the message can tell both lines.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        strict_booleans: true,
        reject_unsupported_tags: true,
        // A snippet would print neighbouring lines of the file, secrets included.
        with_snippet: false,
    }
}

/// What the parser did not like. Its own words tell of syntax only where they come from the scanner; others may
/// quote values.
fn unreadable(error: &Error) -> Invalid {
    let problem = match error {
        Error::ExternalMessage { msg, .. } => format!("this is not valid YAML: {}", redact(msg)),
        Error::MultipleDocuments { .. } => {
            "a configuration is one document, without \"---\" within it".to_owned()
        }
        _ => format!(
            "this cannot be read: a configuration has keys, values and lists, at most {CONFIG_DEPTH_MAX} levels \
             deep, without tags, and aliases only for anchors before them and for few values"
        ),
    };
    Invalid {
        place: error.location().map_or(Place::Nowhere, |at| place(&at)),
        key: String::new(),
        problem,
    }
}

fn place(at: &Location) -> Place {
    Place::Line(at.line())
}

struct Reader<'a> {
    yaml: &'a str,
}

impl Reader<'_> {
    fn node(&self, key: &str, name: &str, written: Spanned<Written>, line: u64) -> Result<Node, Invalid> {
        let value = match written.value {
            Written::Nothing => Value::Nothing,
            Written::Text(text) => Value::Text(text),
            Written::Plain => Value::Text(self.text(&written.defined)),
            Written::List(items) => Value::List(self.items(key, items)?),
            Written::Section(entries) => Value::Section(self.entries(key, entries)?),
        };
        Ok(Node {
            name: name.to_owned(),
            key: key.to_owned(),
            place: Place::Line(line),
            value,
        })
    }

    fn items(&self, key: &str, items: Vec<Spanned<Written>>) -> Result<Vec<Node>, Invalid> {
        let nodes = items.into_iter().enumerate().map(|(index, item)| {
            let name = format!("[{index}]");
            let line = item.referenced.line();
            self.node(&format!("{key}{name}"), &name, item, line)
        });
        nodes.collect()
    }

    fn entries(
        &self,
        key: &str,
        entries: Vec<(Spanned<String>, Spanned<Written>)>,
    ) -> Result<Vec<Node>, Invalid> {
        let mut nodes = Vec::with_capacity(entries.len());
        let mut lines = HashMap::with_capacity(entries.len());
        for (name, written) in entries {
            let line = name.referenced.line();
            // Somebody may have written a secret where its key belongs.
            let shown = Text::bounded(&redact(&name.value));
            let key = if key.is_empty() {
                shown.to_string()
            } else {
                format!("{key}.{shown}")
            };
            let node = self.node(&key, &name.value, written, line)?;
            if let Some(first) = lines.insert(name.value, line) {
                return Err(node.invalid(format!("given twice, first on line {first}; keep one of them")));
            }
            nodes.push(node);
        }
        Ok(nodes)
    }

    /// A number or truth value as it was written, which tells `010` from `10`.
    fn text(&self, at: &Location) -> String {
        let range = at.span().byte_offset().zip(at.span().byte_len());
        let text = range.and_then(|(start, length)| {
            let start = usize::try_from(start).ok()?;
            let end = start.checked_add(usize::try_from(length).ok()?)?;
            self.yaml.get(start..end)
        });
        text.unwrap_or_default().trim().to_owned()
    }
}

/// A value as the parser tells it.
enum Written {
    Nothing,
    Text(String),
    /// A number or a truth value: the text is taken from its place.
    Plain,
    List(Vec<Spanned<Written>>),
    Section(Vec<(Spanned<String>, Spanned<Written>)>),
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(WrittenVisitor)
    }
}

struct WrittenVisitor;

impl<'de> Visitor<'de> for WrittenVisitor {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Written, E> {
        Ok(Written::Nothing)
    }

    fn visit_none<E>(self) -> Result<Written, E> {
        Ok(Written::Nothing)
    }

    fn visit_str<E>(self, text: &str) -> Result<Written, E> {
        Ok(Written::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Written, E> {
        Ok(Written::Plain)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Written, E> {
        Ok(Written::Plain)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Written, E> {
        Ok(Written::Plain)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Written, E> {
        Ok(Written::Plain)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Written, E> {
        Ok(Written::Plain)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Written, E> {
        Ok(Written::Plain)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Written, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(Written::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Written, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = from.next_entry()? {
            entries.push(entry);
        }
        Ok(Written::Section(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(node: &Node, into: &mut Vec<String>) {
        match &node.value {
            Value::Nothing => into.push(format!("{} {} -", node.place, node.key)),
            Value::Text(text) => into.push(format!("{} {} {text}", node.place, node.key)),
            Value::List(children) | Value::Section(children) => {
                for child in children {
                    leaves(child, into);
                }
            }
        }
    }

    fn read(yaml: &str) -> Vec<String> {
        let mut lines = Vec::new();
        leaves(&Node::parse(yaml).unwrap(), &mut lines);
        lines
    }

    #[test]
    fn every_value_keeps_its_text_and_its_line() {
        let yaml = "# comment\na:\n  b: 010\n  c: yes\n\n  d: 'x: 1'\n  e: [1e3, ~, 0x1F, true]\nf:\ng: 5 # five\nh: |\n  two\n  lines\n";
        let expected = [
            "line 3 a.b 010",
            "line 4 a.c yes",
            "line 6 a.d x: 1",
            "line 7 a.e[0] 1e3",
            "line 7 a.e[1] -",
            "line 7 a.e[2] 0x1F",
            "line 7 a.e[3] true",
            "line 8 f -",
            "line 9 g 5",
            "line 10 h two\nlines\n",
        ];
        assert_eq!(read(yaml), expected);
    }

    #[test]
    fn anchors_and_merges_are_read() {
        let yaml = "a: &a {x: 1, y: 2}\nb: *a\nc:\n  <<: *a\n  y: 3\n";
        let expected = [
            "line 1 a.x 1",
            "line 1 a.y 2",
            "line 2 b.x 1",
            "line 2 b.y 2",
            "line 5 c.y 3",
            "line 4 c.x 1",
        ];
        assert_eq!(read(yaml), expected);
    }

    #[test]
    fn an_empty_file_is_a_configuration() {
        for yaml in ["", "\n# nothing\n", "---\n", "{}"] {
            assert_eq!(read(yaml).len(), usize::from(yaml != "{}"), "{yaml:?}");
        }
    }

    #[test]
    fn what_is_not_yaml_is_told_without_quoting_it() {
        let cannot = "this cannot be read: a configuration has keys, values and lists, at most 16 levels deep, without \
                      tags, and aliases only for anchors before them and for few values";
        let yaml = "this is not valid YAML: ";
        let cases = [
            (
                "a: 1\na: 2\n",
                "2: a: given twice, first on line 1; keep one of them".to_owned(),
            ),
            (
                "a: [1\nb: 2\n",
                format!("2: {yaml}illegal placement of ':' indicator"),
            ),
            (
                "a: t1.secret: x\n",
                format!("1: {yaml}mapping values are not allowed in this context"),
            ),
            (
                "a: \"t1.secret\n",
                format!("2: {yaml}invalid indentation in multiline quoted scalar"),
            ),
            (
                "a: 1\n---\nb: 2\n",
                "3: a configuration is one document, without \"---\" within it".to_owned(),
            ),
            ("a: *secret\n", format!("1: {cannot}")),
            ("\na: !secret t1\n", format!("2: {cannot}")),
            ("? [secret]\n: 1\n", format!("1: {cannot}")),
            ("a: &x [*x]\n", format!("1: {cannot}")),
        ];
        for (yaml, expected) in cases {
            assert_eq!(Node::parse(yaml).unwrap_err().to_string(), expected, "{yaml:?}");
        }
    }

    #[test]
    fn an_alias_bomb_and_a_deep_nest_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let last = format!("*a{}, ", level - 1).repeat(10);
            let line = format!("a{level}: &a{level} [{}]\n", last.trim_end_matches(", "));
            bomb.push_str(&line);
        }
        for yaml in [bomb, "[".repeat(1000), "- ".repeat(1000)] {
            assert!(Node::parse(&yaml).is_err());
        }
    }

    #[test]
    fn a_secret_in_place_of_a_key_is_not_told() {
        let node = Node::parse("t1.9euelZqUxAbCdEf: x\n").unwrap();
        let Value::Section(children) = &node.value else {
            panic!("a section")
        };
        assert_eq!(children[0].key, "***");
    }
}
