//! Answers in JSON, turned into the messages that gRPC would have brought: one decoder reads both.
//!
//! <https://protobuf.dev/programming-guides/json/> says how a server prints a message; every form that it allows is
//! taken, and some that servers are seen to use besides. Only fields that are shown are turned, the others are passed
//! over. What cannot be what it should be is written with a wire type that no such field has, so that decoding finds
//! there the gap that it would find in damaged bytes.

mod any;
mod object;
mod scalar;
mod shape;

use bytes::Bytes;
use object::{items, members};
use prost::encoding::{WireType, encode_key, encode_varint};
use shape::{Field, Kind};

/// What a body should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// `yandex.cloud.operation.Operation`.
    Operation,
    /// `yandex.cloud.datasphere.v2.Project`.
    Project,
    /// `yandex.cloud.datasphere.v2.ListProjectsResponse`.
    ProjectPage,
    /// `yandex.cloud.datasphere.v2.GetUnitBalanceResponse`.
    UnitBalance,
    /// `yandex.cloud.iam.v1.CreateIamTokenResponse`.
    Token,
    /// `yandex.cloud.endpoint.ListApiEndpointsResponse`.
    Endpoints,
    /// `google.rpc.Status`, as the body of an answer that is not OK.
    Status,
}

/// The body is no JSON object, as when a proxy answers with a page of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is no JSON object")]
pub struct NotJson;

/// A body as the bytes of its message. Text that is not UTF-8 keeps its readable part.
///
/// # Errors
/// [`NotJson`] when the body is cut or is something else; whatever a JSON object says is no error.
pub fn transcode(body: Body, json: &[u8]) -> Result<Bytes, NotJson> {
    let mut out = Vec::new();
    if message(body.fields(), &String::from_utf8_lossy(json), &mut out) {
        Ok(out.into())
    } else {
        Err(NotJson)
    }
}

impl Body {
    fn fields(self) -> &'static [Field] {
        match self {
            Self::Operation => shape::OPERATION,
            Self::Project => shape::PROJECT,
            Self::ProjectPage => shape::PROJECT_PAGE,
            Self::UnitBalance => shape::UNIT_BALANCE,
            Self::Token => shape::TOKEN,
            Self::Endpoints => shape::ENDPOINTS,
            Self::Status => shape::STATUS,
        }
    }
}

/// Writes the fields of an object; `false` when it is none. A name that comes twice counts as it came last.
fn message(fields: &'static [Field], json: &str, out: &mut Vec<u8>) -> bool {
    let mut told: Vec<(&Field, &str)> = Vec::new();
    let is_object = members(json, |name, value| {
        if let Some(field) = fields.iter().find(|field| field.is_named(name)) {
            told.retain(|(earlier, _)| earlier.number != field.number);
            told.push((field, value));
        }
    });
    // Null is the way to say nothing, whatever the type.
    told.retain(|(_, value)| *value != "null");
    let metadata = told
        .iter()
        .find(|(field, _)| matches!(field.kind, Kind::Metadata));
    let metadata_name = metadata.and_then(|(_, value)| any::metadata_name(value));
    for (field, value) in told {
        write(field, value, metadata_name.as_deref(), out);
    }
    is_object
}

fn write(field: &Field, json: &str, metadata_name: Option<&str>, out: &mut Vec<u8>) {
    let number = field.number;
    match field.kind {
        Kind::Messages(fields) => {
            let is_list = items(json, |item| write_message(number, fields, item, out));
            if !is_list {
                write_impossible(number, out);
            }
        }
        Kind::Details => {
            let is_list = items(json, |item| write_bytes(number, any::detail(item), out));
            if !is_list {
                write_impossible(number, out);
            }
        }
        Kind::Message(fields) => write_message(number, fields, json, out),
        Kind::Metadata => write_bytes(number, any::metadata(json), out),
        Kind::Response => write_bytes(number, any::response(json, metadata_name), out),
        Kind::Text => write_text(number, scalar::text(json), out),
        Kind::Time => write_bytes(number, scalar::time(json), out),
        Kind::Duration => write_bytes(number, scalar::duration(json), out),
        Kind::Wrapped => write_bytes(number, scalar::integer(json).map(wrapped), out),
        Kind::Integer => write_integer(number, scalar::integer(json), out),
        Kind::Enum(names) => write_integer(number, scalar::named(json, names), out),
        Kind::Flag => write_integer(number, scalar::flag(json).map(i64::from), out),
    }
}

/// `google.protobuf.Int64Value`.
fn wrapped(number: i64) -> Vec<u8> {
    let mut out = Vec::new();
    write_integer(1, Some(number), &mut out);
    out
}

fn write_message(number: u32, fields: &'static [Field], json: &str, out: &mut Vec<u8>) {
    let mut bytes = Vec::new();
    let is_object = message(fields, json, &mut bytes);
    write_bytes(number, is_object.then_some(bytes), out);
}

fn write_bytes(number: u32, bytes: Option<Vec<u8>>, out: &mut Vec<u8>) {
    let Some(bytes) = bytes else {
        return write_impossible(number, out);
    };
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(u64::try_from(bytes.len()).unwrap_or_default(), out);
    out.extend(bytes);
}

/// As on the wire, a default that was printed says no more than one that was not.
fn write_text(number: u32, text: Option<String>, out: &mut Vec<u8>) {
    if text.as_deref() != Some("") {
        write_bytes(number, text.map(String::into_bytes), out);
    }
}

fn write_integer(number: u32, value: Option<i64>, out: &mut Vec<u8>) {
    match value {
        None => write_impossible(number, out),
        Some(0) => {}
        Some(value) => {
            encode_key(number, WireType::Varint, out);
            encode_varint(value.cast_unsigned(), out);
        }
    }
}

/// A wire type that no field which is shown has: decoding counts a gap and goes on.
fn write_impossible(number: u32, out: &mut Vec<u8>) {
    encode_key(number, WireType::ThirtyTwoBit, out);
    out.extend([0; 4]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::FILE_DESCRIPTOR_SET;
    use prost_reflect::{Cardinality, DescriptorPool, Kind as Declared, MessageDescriptor};

    fn pool() -> DescriptorPool {
        DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap()
    }

    fn compare(fields: &'static [Field], declared: &MessageDescriptor) {
        for field in fields {
            let place = format!("{} of {}", field.name, declared.full_name());
            let other = declared.get_field(field.number).expect(&place);
            assert_eq!(other.json_name(), field.name, "{place}");
            let is_list = matches!(field.kind, Kind::Messages(_) | Kind::Details);
            assert_eq!(other.cardinality() == Cardinality::Repeated, is_list, "{place}");
            match (&field.kind, other.kind()) {
                (Kind::Message(fields) | Kind::Messages(fields), Declared::Message(inner)) => {
                    compare(fields, &inner);
                }
                (Kind::Enum(names), Declared::Enum(declared)) => {
                    let declared = declared
                        .values()
                        .map(|value| (value.name().to_owned(), value.number()));
                    let names = names.iter().map(|(name, number)| ((*name).to_owned(), *number));
                    assert!(
                        declared.map(|(name, number)| (name, i64::from(number))).eq(names),
                        "{place}"
                    );
                }
                (kind, Declared::Message(inner)) => {
                    let name = inner.full_name();
                    let expected = match kind {
                        Kind::Metadata | Kind::Response | Kind::Details => "google.protobuf.Any",
                        Kind::Time => "google.protobuf.Timestamp",
                        Kind::Duration => "google.protobuf.Duration",
                        Kind::Wrapped => "google.protobuf.Int64Value",
                        _ => "nothing",
                    };
                    assert_eq!(name, expected, "{place}");
                }
                (Kind::Text, Declared::String)
                | (Kind::Integer, Declared::Int64 | Declared::Int32)
                | (Kind::Flag, Declared::Bool) => {}
                (kind, declared) => panic!("{place} is {declared:?} and not {kind:?}"),
            }
        }
    }

    #[test]
    fn every_field_has_the_name_number_and_type_of_the_schema() {
        let pool = pool();
        let message = |name: &str| pool.get_message_by_name(name).expect(name);
        let bodies = [
            (Body::Operation, "yandex.cloud.operation.Operation"),
            (Body::Project, "yandex.cloud.datasphere.v2.Project"),
            (
                Body::ProjectPage,
                "yandex.cloud.datasphere.v2.ListProjectsResponse",
            ),
            (
                Body::UnitBalance,
                "yandex.cloud.datasphere.v2.GetUnitBalanceResponse",
            ),
            (Body::Token, "yandex.cloud.iam.v1.CreateIamTokenResponse"),
            (Body::Endpoints, "yandex.cloud.endpoint.ListApiEndpointsResponse"),
            (Body::Status, "google.rpc.Status"),
        ];
        for (body, name) in bodies {
            compare(body.fields(), &message(name));
        }
        for (name, fields) in any::known() {
            compare(fields, &message(name));
        }
    }

    #[test]
    fn what_is_no_object_is_told_and_nothing_else_is() {
        for wrong in ["", "<html>", "[]", "1", "null", "{\"id\":", "{} {}", "{'id': 1}"] {
            assert_eq!(
                transcode(Body::Operation, wrong.as_bytes()),
                Err(NotJson),
                "{wrong}"
            );
        }
        let deep = format!("{{\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        for fine in ["{}", " {\"id\": null, \"unheard\": [{}]} ", &deep] {
            assert_eq!(transcode(Body::Operation, fine.as_bytes()), Ok(Bytes::new()));
        }
    }
}
