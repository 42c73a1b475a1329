//! The members of a JSON object and the items of a list, each as its own text: values that nobody asks for are passed
//! over where they stand, and however deep they are, that costs no stack.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Hands the members over, in their order; `false` when the text is no object, or is cut.
pub(crate) fn members<'a>(json: &'a str, take: impl FnMut(&str, &'a str)) -> bool {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_map(Members(take)).is_ok() && deserializer.end().is_ok()
}

/// Hands the items over, in their order; `false` when the text is no list.
pub(crate) fn items(json: &str, take: impl FnMut(&str)) -> bool {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_seq(Items(take)).is_ok()
}

/// A value of a simple type, if the text is one.
pub(crate) fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    serde_json::from_str(json).ok()
}

struct Members<F>(F);

impl<'a, F: FnMut(&str, &'a str)> Visitor<'a> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            (self.0)(&name, map.next_value::<&RawValue>()?.get());
        }
        Ok(())
    }
}

struct Items<F>(F);

impl<'a, F: FnMut(&str)> Visitor<'a> for Items<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(item) = list.next_element::<&RawValue>()? {
            (self.0)(item.get());
        }
        Ok(())
    }
}
