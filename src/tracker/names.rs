//! How a job's name, which is user text, becomes a bounded label.

use regex::Regex;
use smol_str::SmolStr;

/// The label value for names beyond the bound.
pub(crate) const OTHER: &str = "(other)";

/// How job names become the label `job_name`.
#[derive(Clone, Debug)]
pub struct JobNames {
    /// Distinct names per project; further ones share `(other)`.
    pub max: usize,
    /// Rewrites, tried in order, again and again until none changes the name.
    pub rewrites: Vec<JobNameRewrite>,
}

/// One rewrite of names.
#[derive(Clone, Debug)]
pub struct JobNameRewrite {
    /// What to find.
    pub regex: Regex,
    /// What to put there; `$1` names a group.
    pub replacement: String,
}

/// Trailing parts that tell one execution from the next, and so would make a name of each: ids, hashes,
/// dates with times, and counters behind a separator (`resnet50` keeps its number).
const DEFAULT_SUFFIXES: [&str; 4] = [
    r"[-_. ]*[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    r"[-_. ]*\d{4}[-_.]?\d{2}[-_.]?\d{2}([-_.T ]?\d{2}[-_:.]?\d{2}([-_:.]?\d{2})?)?Z?$",
    r"[-_. ]+[0-9a-f]*[0-9][0-9a-f]*[a-f][0-9a-f]{5,}$",
    r"[-_. #]+\d+$",
];

/// Rounds of rewriting: a name has a date, a counter and a hash at most, and a rewrite that undoes another
/// must not go on for ever.
const ROUNDS_MAX: usize = 4;

impl Default for JobNames {
    fn default() -> Self {
        let rewrite = |pattern| {
            Regex::new(pattern).map(|regex| JobNameRewrite {
                regex,
                replacement: String::new(),
            })
        };
        Self {
            max: 100,
            rewrites: DEFAULT_SUFFIXES
                .into_iter()
                .filter_map(|pattern| rewrite(pattern).ok())
                .collect(),
        }
    }
}

impl JobNames {
    /// The name without what tells one execution from the next; unchanged if nothing else would be left.
    pub(crate) fn rewrite(&self, name: &str) -> SmolStr {
        let mut rewritten = SmolStr::new(name);
        for _ in 0..ROUNDS_MAX {
            let before = rewritten.clone();
            for rewrite in &self.rewrites {
                rewritten = rewrite
                    .regex
                    .replace(&rewritten, rewrite.replacement.as_str())
                    .into();
            }
            if rewritten == before {
                break;
            }
        }
        if rewritten.is_empty() {
            SmolStr::new(name)
        } else {
            rewritten
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_pattern_is_a_regex() {
        assert_eq!(JobNames::default().rewrites.len(), DEFAULT_SUFFIXES.len());
    }

    #[test]
    fn names_of_one_daily_run_become_one() {
        let names = JobNames::default();
        let cases = [
            ("train-2025-06-01", "train"),
            ("train_20250601T110012", "train"),
            ("train-2025-06-01-17", "train"),
            ("train 12", "train"),
            ("eval-550e8400-e29b-41d4-a716-446655440000", "eval"),
            ("build-0a1b2c3d4e", "build"),
            ("resnet50", "resnet50"),
            ("train-v2", "train-v2"),
            ("2025-06-01", "2025-06-01"),
            ("обучение-3", "обучение"),
        ];
        for (name, group) in cases {
            assert_eq!(names.rewrite(name), group, "{name}");
        }
    }
}
