//! The reference of the attributes, as a table for the document.

use crate::traces::attribute::ALL;
use std::fmt::Write;

/// The table of `docs/traces.md`: every attribute with its type, place, meaning and source, made from its
/// declaration.
pub fn attribute_table() -> String {
    let mut out = "| attribute | type | on | meaning | from |\n|---|---|---|---|---|\n".to_owned();
    for attribute in ALL {
        let on: Vec<&str> = attribute.on.iter().map(|place| place.word()).collect();
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} |",
            attribute.name,
            attribute.value.word(),
            on.join(", "),
            attribute.meaning,
            attribute.source
        );
    }
    out
}
