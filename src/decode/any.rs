//! `google.protobuf.Any`: which message it is, and that message's bytes.

use crate::decode::field::{lean, read};
use crate::decode::value::string;
use crate::model::Gaps;

/// A message with its type.
#[derive(Clone, Copy)]
pub(crate) struct Any<'a> {
    /// The URL of its type, as it came.
    pub(crate) type_url: &'a str,
    /// Its bytes.
    pub(crate) value: &'a [u8],
}

impl<'a> Any<'a> {
    /// An `Any`; `None` when it does not parse, which is a gap, or names no type, which is none.
    pub(crate) fn of(bytes: &'a [u8], gaps: &mut Gaps) -> Option<Self> {
        let fields: AnyFields = read(bytes, gaps)?;
        Some(Self {
            type_url: string(fields.type_url, gaps)?,
            value: fields.value,
        })
    }

    /// The full name of its type. The host before it says where a schema could be had, and nothing more.
    pub(crate) fn type_name(&self) -> &'a str {
        self.type_url
            .rsplit_once('/')
            .map_or(self.type_url, |(_, name)| name)
    }
}

lean! {
    /// `google.protobuf.Any`.
    AnyFields<'a> {
        1 => type_url: &'a [u8],
        2 => value: &'a [u8],
    }
}
