//! Sizes in bytes as people write them: `512KiB`, `256MiB`, `1GiB`.

use crate::config::error::Invalid;
use crate::config::node::Node;
use crate::config::setting::{Setting, text, unexpected};
use crate::config::yaml::Yaml;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size(pub(crate) u64);

/// Units, largest first.
const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl Size {
    pub(crate) const fn mebibytes(count: u64) -> Self {
        Self(count << 20)
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at_checked(digits)?;
        let (_, unit_bytes) = UNITS.iter().find(|(name, _)| *name == unit)?;
        number.parse::<u64>().ok()?.checked_mul(*unit_bytes).map(Self)
    }
}

impl Setting for Size {
    fn kind() -> String {
        "a size such as 512KiB, 256MiB or 1GiB".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        Self::parse(text::<Self>(node)?).ok_or_else(|| unexpected::<Self>(node))
    }

    fn write(&self) -> Yaml {
        let whole = UNITS.iter().find(|(_, bytes)| self.0.is_multiple_of(*bytes));
        let (unit, bytes) = whole.copied().unwrap_or(("B", 1));
        Yaml::Plain(format!("{}{unit}", self.0 / bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("256MiB", Some(256 << 20)),
            ("1GiB", Some(1 << 30)),
            ("3KiB", Some(3072)),
            ("10B", Some(10)),
            ("10", None),
            ("10MB", None),
            ("1.5GiB", None),
            ("-1B", None),
            ("B", None),
            ("", None),
            ("99999999999GiB", None),
        ] {
            assert_eq!(Size::parse(text), bytes.map(Size), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bytes in 0..u64::MAX) {
            prop_assert_eq!(Size::parse(&Size(bytes).write().flow()), Some(Size(bytes)));
        }
    }
}
