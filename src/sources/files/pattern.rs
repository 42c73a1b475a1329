//! Which files are execution files.

use crate::limits::EXECUTION_PATTERN_BYTES_MAX;
use glob::Pattern;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// Paths of execution files: `*`, `?` and `[…]` within a name, and `**` for any number of folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePattern {
    text: String,
    parts: Vec<Part>,
}

/// What one level of a path must be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Name(OsString),
    Like(Pattern),
    AnyFolders,
}

/// Why a text is not a pattern; it does not quote the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilePatternError {
    /// Nothing there.
    #[error("a pattern cannot be empty")]
    Empty,
    /// Longer than any path.
    #[error("a pattern has at most {EXECUTION_PATTERN_BYTES_MAX} bytes")]
    TooLong,
    /// A folder is not a file.
    #[error("it names a folder; write which of its files, such as *.json")]
    Folder,
    /// One level of it means nothing.
    #[error("{0}")]
    Syntax(&'static str),
}

impl FilePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`FilePatternError`], when it means nothing.
    pub fn parse(text: &str) -> Result<Self, FilePatternError> {
        if text.is_empty() {
            return Err(FilePatternError::Empty);
        }
        if text.len() > EXECUTION_PATTERN_BYTES_MAX {
            return Err(FilePatternError::TooLong);
        }
        if matches!(text.rsplit('/').next(), Some("" | "." | "..")) {
            return Err(FilePatternError::Folder);
        }
        let mut parts = levels(Path::new(text))
            .map(Part::parse)
            .collect::<Result<Vec<_>, _>>()?;
        // Two in a row mean what one does, and would only cost time.
        parts.dedup_by(|later, earlier| *later == Part::AnyFolders && *earlier == Part::AnyFolders);
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }

    /// The pattern as seen from anywhere, for one that is meant from this folder; an absolute one stays as it is.
    #[must_use]
    pub fn within(&self, folder: &Path) -> Self {
        if Path::new(&self.text).is_absolute() {
            return self.clone();
        }
        let names = levels(folder).map(|name| Part::Name(name.to_owned()));
        let escaped = Pattern::escape(&folder.to_string_lossy());
        Self {
            text: Path::new(&escaped)
                .join(&self.text)
                .to_string_lossy()
                .into_owned(),
            parts: names.chain(self.parts.iter().cloned()).collect(),
        }
    }

    /// As it would be written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The deepest folder that all its files are in.
    pub(crate) fn base(&self) -> PathBuf {
        let folders = self.parts.split_last().map_or(&[][..], |(_, folders)| folders);
        let fixed = folders.iter().map_while(|part| match part {
            Part::Name(name) => Some(name),
            Part::Like(_) | Part::AnyFolders => None,
        });
        fixed.collect()
    }

    /// Whether a file of this path is one.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        let names: Vec<&OsStr> = levels(path).collect();
        fits(&self.parts, &names)
    }

    /// Whether a folder of this path may hold one, at any depth.
    pub(crate) fn leads_through(&self, folder: &Path) -> bool {
        let mut parts = self.parts.iter();
        for name in levels(folder) {
            match parts.next() {
                Some(Part::AnyFolders) => return true,
                Some(part) if part.is_like(name) => {}
                _ => return false,
            }
        }
        parts.next().is_some()
    }
}

impl fmt::Display for FilePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Part {
    fn parse(name: &OsStr) -> Result<Self, FilePatternError> {
        let text = name.to_string_lossy();
        if text == "**" {
            return Ok(Self::AnyFolders);
        }
        if !text.contains(['*', '?', '[']) {
            return Ok(Self::Name(name.to_owned()));
        }
        Pattern::new(&text)
            .map(Self::Like)
            .map_err(|error| FilePatternError::Syntax(error.msg))
    }

    fn is_like(&self, name: &OsStr) -> bool {
        match self {
            Self::Name(wanted) => wanted == name,
            Self::Like(pattern) => name.to_str().is_some_and(|name| pattern.matches(name)),
            Self::AnyFolders => true,
        }
    }
}

/// The levels of a path, from the root on.
fn levels(path: &Path) -> impl Iterator<Item = &OsStr> {
    path.components()
        .filter(|component| *component != Component::CurDir)
        .map(Component::as_os_str)
}

fn fits(parts: &[Part], names: &[&OsStr]) -> bool {
    match (parts.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((Part::AnyFolders, rest)), _) => {
            (0..=names.len()).any(|skipped| fits(rest, names.get(skipped..).unwrap_or_default()))
        }
        (Some((part, parts)), Some((name, names))) => part.is_like(name) && fits(parts, names),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> FilePattern {
        FilePattern::parse(text).expect("a pattern")
    }

    #[test]
    fn a_pattern_matches_level_by_level() {
        let cases = [
            ("/runs/*.json", "/runs/a.json", true),
            ("/runs/*.json", "/runs/deep/a.json", false),
            ("/runs/*.json", "/runs/a.txt", false),
            ("/runs/?[0-9].json", "/runs/a7.json", true),
            ("/*/last.json", "/runs/last.json", true),
            ("/runs/**/*.json", "/runs/a.json", true),
            ("/runs/**/*.json", "/runs/2025/06/a.json", true),
            ("/runs/**/*.json", "/other/a.json", false),
            ("/runs/**", "/runs/2025/a", true),
            ("/runs/**/**/a/**/b", "/runs/x/a/y/z/b", true),
            ("/runs/./a.json", "/runs/a.json", true),
            ("/runs/a.json", "/runs/a.json", true),
            ("/runs/a[.]json", "/runs/a.json", true),
        ];
        for (text, path, expected) in cases {
            assert_eq!(pattern(text).matches(Path::new(path)), expected, "{text} {path}");
        }
    }

    #[test]
    fn only_folders_that_may_hold_such_a_file_are_searched() {
        let cases = [
            ("/runs/*/x.json", "/", true),
            ("/runs/*/x.json", "/runs", true),
            ("/runs/*/x.json", "/runs/monday", true),
            ("/runs/*/x.json", "/runs/monday/deep", false),
            ("/runs/*/x.json", "/home", false),
            ("/runs/m*/x.json", "/runs/tuesday", false),
            ("/runs/**/x.json", "/runs/a/b/c", true),
            ("/runs/x.json", "/runs/x.json", false),
        ];
        for (text, folder, expected) in cases {
            assert_eq!(
                pattern(text).leads_through(Path::new(folder)),
                expected,
                "{text} {folder}"
            );
        }
    }

    #[test]
    fn the_base_is_the_deepest_folder_that_is_certain() {
        let cases = [
            ("/runs/*.json", "/runs"),
            ("/runs/a.json", "/runs"),
            ("/runs/*/a/x.json", "/runs"),
            ("/**/x.json", "/"),
            ("/x.json", "/"),
        ];
        for (text, base) in cases {
            assert_eq!(pattern(text).base(), Path::new(base), "{text}");
        }
    }

    #[test]
    fn a_relative_pattern_is_meant_from_a_folder_whose_name_is_taken_as_it_is() {
        let odd = pattern("runs/*.json").within(Path::new("/etc/[x]"));
        assert!(odd.matches(Path::new("/etc/[x]/runs/a.json")));
        assert!(!odd.matches(Path::new("/etc/x/runs/a.json")));
        assert!(
            pattern(odd.as_str()).matches(Path::new("/etc/[x]/runs/a.json")),
            "{odd}"
        );
        assert_eq!(pattern("/a/*").within(Path::new("/etc")), pattern("/a/*"));
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_the_reason() {
        let refused = |text: &str| FilePattern::parse(text).expect_err("a refusal");
        assert_eq!(refused(""), FilePatternError::Empty);
        assert_eq!(refused("/runs/"), FilePatternError::Folder);
        assert_eq!(refused("/runs/.."), FilePatternError::Folder);
        assert_eq!(refused(&"x".repeat(5000)), FilePatternError::TooLong);
        assert!(matches!(refused("/runs/[a"), FilePatternError::Syntax(_)));
        assert!(matches!(refused("/runs/a**"), FilePatternError::Syntax(_)));
    }
}
