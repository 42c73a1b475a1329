//! What it takes to be a setting, and sections that are declared as tables.

use crate::config::error::Invalid;
use crate::config::node::{Node, Value};
use crate::config::yaml::Yaml;
use std::fmt::Display;

/// A value of the configuration: how it is read, written and described.
pub(crate) trait Setting: Sized {
    /// Whether it has keys of its own.
    const IS_SECTION: bool = false;

    /// What it is, in words that follow "expected": `a duration such as 10s`.
    fn kind() -> String;

    /// From what was written.
    fn read(node: &Node) -> Result<Self, Invalid>;

    /// As it would be written.
    fn write(&self) -> Yaml;

    /// Its rows of the documentation, from one with its key, its meaning and what is allowed.
    fn describe(default: Option<&Self>, row: Row, rows: &mut Vec<Row>) {
        rows.push(Row {
            kind: Self::kind(),
            default: default.map_or_else(String::new, |default| default.write().flow()),
            ..row
        });
    }
}

/// One row of the documentation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// The whole key, with `[]` for any item of a list.
    pub(crate) key: String,
    /// See [`Setting::kind`]; empty for a section.
    pub(crate) kind: String,
    /// As it would be written; empty when there is none.
    pub(crate) default: String,
    /// What is allowed beyond the kind.
    pub(crate) allowed: String,
    /// What it means.
    pub(crate) meaning: String,
}

/// What is allowed beyond the kind of a setting.
pub(crate) trait Rule<T> {
    /// Whether it is.
    fn allows(&self, value: &T) -> bool;
    /// In words that follow "must be".
    fn words(&self) -> String;
}

/// All that the kind allows.
pub(crate) struct Any;

impl<T> Rule<T> for Any {
    fn allows(&self, _: &T) -> bool {
        true
    }

    fn words(&self) -> String {
        String::new()
    }
}

/// From one value to another, both included.
pub(crate) struct Between<T>(pub(crate) T, pub(crate) T);

impl<T: PartialOrd + Setting> Rule<T> for Between<T> {
    fn allows(&self, value: &T) -> bool {
        *value >= self.0 && *value <= self.1
    }

    fn words(&self) -> String {
        format!("from {} to {}", self.0.write().flow(), self.1.write().flow())
    }
}

/// At most so many items.
pub(crate) struct AtMost(pub(crate) usize);

impl<T> Rule<Vec<T>> for AtMost {
    fn allows(&self, value: &Vec<T>) -> bool {
        value.len() <= self.0
    }

    fn words(&self) -> String {
        format!("at most {} items", self.0)
    }
}

/// Reads one key of a section into its place, if it was written.
pub(crate) fn read_key<T: Setting>(
    section: &Node,
    name: &str,
    rule: &impl Rule<T>,
    into: &mut T,
) -> Result<(), Invalid> {
    let Some(node) = section.get(name).filter(|node| node.value != Value::Nothing) else {
        return Ok(());
    };
    let value = T::read(node)?;
    if !rule.allows(&value) {
        return Err(node.invalid(format!("must be {}", rule.words())));
    }
    *into = value;
    Ok(())
}

/// Makes sure that a section has only keys that exist.
pub(crate) fn check_keys(section: &Node, names: &[&str]) -> Result<(), Invalid> {
    let children = match &section.value {
        Value::Nothing => return Ok(()),
        Value::Section(children) => children,
        found @ (Value::Text(_) | Value::List(_)) => {
            return Err(section.invalid(format!("expected keys, found {}; {}", found.kind(), known(names))));
        }
    };
    match children
        .iter()
        .find(|child| !names.contains(&child.name.as_str()))
    {
        Some(unknown) => Err(unknown.invalid(unknown_key(&unknown.name, names))),
        None => Ok(()),
    }
}

fn unknown_key(name: &str, names: &[&str]) -> String {
    let meant = nearest(name, names).map_or_else(String::new, |near| format!(" (did you mean {near}?)"));
    format!("unknown key{meant}; {}", known(names))
}

fn known(names: &[&str]) -> String {
    match names {
        [] => "nothing is known here: write {}".to_owned(),
        names => format!("known here: {}", names.join(", ")),
    }
}

/// The name that differs least, if it differs by a third at most.
pub(crate) fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let nearest = names.iter().map(|known| (edits(name, known), *known)).min()?;
    (nearest.0 * 3 <= nearest.1.len().max(3)).then_some(nearest.1)
}

/// Insertions, deletions and replacements of characters that make one text the other (Levenshtein).
pub(crate) fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    // A key longer than any that exists is as far as can be; its length is not ours to bound.
    for (place, left) in from.chars().take(64).enumerate() {
        let mut diagonal = place;
        let mut before = place + 1;
        for (right, cell) in to.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = *cell;
            before = replaced.min(before + 1).min(*cell + 1);
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = place + 1;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

/// Makes a refusal of a value of the wrong kind.
pub(crate) fn unexpected<T: Setting>(node: &Node) -> Invalid {
    match &node.value {
        Value::Text(_) => node.invalid(format!("expected {}", T::kind())),
        found => node.invalid(format!("expected {}, found {}", T::kind(), found.kind())),
    }
}

/// The text of a single value.
pub(crate) fn text<T: Setting>(node: &Node) -> Result<&str, Invalid> {
    match &node.value {
        Value::Text(text) => Ok(text),
        Value::Nothing | Value::List(_) | Value::Section(_) => Err(unexpected::<T>(node)),
    }
}

/// Reads by the type's own parser, whose message may follow, since it does not quote the value.
pub(crate) fn parse<T: Setting, E: Display>(
    node: &Node,
    parser: impl Fn(&str) -> Result<T, E>,
) -> Result<T, Invalid> {
    parser(text::<T>(node)?).map_err(|error| node.invalid(format!("expected {}: {error}", T::kind())))
}

/// Declares a section: for each key its meaning, type, default and what is allowed, and after `=>` a check of
/// what its keys say together. One declaration reads, checks, writes and documents it.
macro_rules! section {
    ($(#[doc = $about:literal])* $section:ident $(=> $check:path)? {
        $($(#[doc = $meaning:literal])+ $field:ident $(as $name:literal)?: $type:ty = $default:expr, $rule:expr;)+
    }) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct $section {
            $($(#[doc = $meaning])+ pub(crate) $field: $type,)+
        }

        impl Default for $section {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $section {
            const NAMES: &'static [&'static str] = &[$($crate::config::setting::section!(@name $field $($name)?)),+];
        }

        impl $crate::config::setting::Setting for $section {
            const IS_SECTION: bool = true;

            fn kind() -> String {
                format!("keys ({})", Self::NAMES.join(", "))
            }

            fn read(node: &$crate::config::node::Node) -> Result<Self, $crate::config::error::Invalid> {
                $crate::config::setting::check_keys(node, Self::NAMES)?;
                let mut section = Self::default();
                $($crate::config::setting::read_key(
                    node,
                    $crate::config::setting::section!(@name $field $($name)?),
                    &$rule,
                    &mut section.$field,
                )?;)+
                $($check(&section, node)?;)?
                Ok(section)
            }

            fn write(&self) -> $crate::config::yaml::Yaml {
                $crate::config::yaml::Yaml::Section(vec![$((
                    $crate::config::setting::section!(@name $field $($name)?).to_owned(),
                    $crate::config::setting::Setting::write(&self.$field),
                )),+])
            }

            fn describe(
                default: Option<&Self>,
                row: $crate::config::setting::Row,
                rows: &mut Vec<$crate::config::setting::Row>,
            ) {
                let default = default.cloned().unwrap_or_default();
                let about: &[&str] = &[$($about),*];
                rows.push($crate::config::setting::Row {
                    meaning: $crate::config::setting::meaning(about),
                    ..row.clone()
                });
                $({
                    let rule = &$rule;
                    let child = $crate::config::setting::Row {
                        key: $crate::config::setting::child_key(
                            &row.key,
                            $crate::config::setting::section!(@name $field $($name)?),
                        ),
                        allowed: $crate::config::setting::words::<$type>(rule),
                        meaning: $crate::config::setting::meaning(&[$($meaning),+]),
                        ..Default::default()
                    };
                    <$type as $crate::config::setting::Setting>::describe(Some(&default.$field), child, rows);
                })+
            }
        }
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $name:literal) => { $name };
}
pub(crate) use section;

/// Lines of a doc comment as one text.
pub(crate) fn meaning(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// The key of a setting within a section.
pub(crate) fn child_key(section: &str, name: &str) -> String {
    if section.is_empty() {
        name.to_owned()
    } else {
        format!("{section}.{name}")
    }
}

/// A rule's words; the type of what it rules is that of the setting.
pub(crate) fn words<T>(rule: &impl Rule<T>) -> String {
    rule.words()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_the_one_that_was_meant() {
        let names = ["interval", "interval_max", "list_interval", "projects"];
        let cases = [
            ("intervall", Some("interval")),
            ("Interval", Some("interval")),
            ("intervalmax", Some("interval_max")),
            ("project", Some("projects")),
            ("xyz", None),
            ("", None),
        ];
        for (name, expected) in cases {
            assert_eq!(nearest(name, &names), expected, "{name}");
        }
        assert_eq!((edits("", "abc"), edits("kitten", "sitting")), (3, 3));
    }
}
