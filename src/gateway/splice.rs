//! The gateway's address put in place of the cloud's: every other byte of the list stays as it came.

use crate::cloud::Service;
use prost::encoding::{self, DecodeContext, WireType, decode_key, decode_varint, skip_field};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::ops::Range;

/// Services that the gateway stands for. IAM is none of them: whoever exchanges a key for a token asks the cloud.
pub(crate) const SERVED: [Service; 2] = [Service::Operation, Service::DataSphere];

/// Fields of `ListApiEndpointsResponse` and `ApiEndpoint`.
const ENDPOINTS: u32 = 1;
const ID: u32 = 1;
const ADDRESS: u32 = 2;

/// A field of a message of protobuf, as it stands there.
struct Field<'a> {
    number: u32,
    bytes: &'a [u8],
    /// Of a field with a length.
    content: Option<&'a [u8]>,
}

/// An entry of the list in JSON, as far as it matters.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    address: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    endpoints: Option<Vec<&'a RawValue>>,
}

/// In a message of protobuf, a list or one entry; `None` when it is not one.
pub(crate) fn spliced_protobuf(told: &[u8], own: &str, is_list: bool) -> Option<Vec<u8>> {
    if !is_list {
        let mut changed = Vec::with_capacity(told.len() + own.len());
        return change_entry(told, own, &mut changed).map(|()| changed);
    }
    let mut changed = Vec::with_capacity(told.len() + SERVED.len() * own.len());
    for field in fields(told)? {
        match field.content.filter(|_| field.number == ENDPOINTS) {
            Some(entry) if is_served(entry_id(entry)?) => {
                let mut new = Vec::with_capacity(entry.len() + own.len());
                change_entry(entry, own, &mut new)?;
                encoding::bytes::encode(ENDPOINTS, &new, &mut changed);
            }
            _ => changed.extend_from_slice(field.bytes),
        }
    }
    Some(changed)
}

/// In a text of JSON, a list or one entry; `None` when it is not one.
pub(crate) fn spliced_json(told: &str, own: &str) -> Option<String> {
    let own = serde_json::to_string(own).ok()?;
    let list: List<'_> = serde_json::from_str(told).ok()?;
    let entries = match list.endpoints {
        Some(entries) => entries.into_iter().map(RawValue::get).collect(),
        None => vec![told],
    };
    let (mut changed, mut copied) = (String::with_capacity(told.len() + 2 * own.len()), 0);
    for span in entries.into_iter().filter_map(|entry| address_span(told, entry)) {
        changed.push_str(told.get(copied..span.start)?);
        changed.push_str(&own);
        copied = span.end;
    }
    changed.push_str(told.get(copied..)?);
    Some(changed)
}

fn change_entry(entry: &[u8], own: &str, changed: &mut Vec<u8>) -> Option<()> {
    let is_served = is_served(entry_id(entry)?);
    let own = own.as_bytes().to_vec();
    let mut is_put = !is_served;
    for field in fields(entry)? {
        if is_served && field.number == ADDRESS && field.content.is_some() {
            encoding::bytes::encode(ADDRESS, &own, changed);
            is_put = true;
        } else {
            changed.extend_from_slice(field.bytes);
        }
    }
    // An empty address is left out on the wire.
    if !is_put {
        encoding::bytes::encode(ADDRESS, &own, changed);
    }
    Some(())
}

fn entry_id(entry: &[u8]) -> Option<&[u8]> {
    let ids = fields(entry)?.into_iter().filter(|field| field.number == ID);
    // Of a field that is there twice, the last counts.
    Some(
        ids.filter_map(|field| field.content)
            .next_back()
            .unwrap_or_default(),
    )
}

fn is_served(id: &[u8]) -> bool {
    SERVED.iter().any(|service| service.id().as_bytes() == id)
}

/// The fields of a message in their order.
fn fields(mut rest: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let begin = rest;
        let (number, wire_type) = decode_key(&mut rest).ok()?;
        let content = if wire_type == WireType::LengthDelimited {
            let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
            let (content, behind) = rest.split_at_checked(length)?;
            rest = behind;
            Some(content)
        } else {
            skip_field(wire_type, number, &mut rest, DecodeContext::default()).ok()?;
            None
        };
        let bytes = begin.get(..begin.len().checked_sub(rest.len())?)?;
        found.push(Field {
            number,
            bytes,
            content,
        });
    }
    Some(found)
}

/// Where the address of an entry stands in the whole text, if the gateway serves it.
fn address_span(told: &str, entry: &str) -> Option<Range<usize>> {
    let entry: Entry<'_> = serde_json::from_str(entry).ok()?;
    let address = entry.address?.get();
    let is_text = address.starts_with('"');
    if !is_text || !is_served(entry.id?.as_bytes()) {
        return None;
    }
    let start = address.as_ptr().addr().checked_sub(told.as_ptr().addr())?;
    Some(start..start.checked_add(address.len())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u32, content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encoding::bytes::encode(number, &content.to_vec(), &mut bytes);
        bytes
    }

    /// A field that nobody here knows, a number with its length wasted.
    const UNKNOWN: [u8; 4] = [0xf0, 0x01, 0x80, 0x00];

    fn entry(id: &str, address: &str) -> Vec<u8> {
        let parts = [
            &field(2, address.as_bytes())[..],
            &UNKNOWN,
            &field(1, id.as_bytes()),
            &field(7, b"more"),
        ];
        parts.concat()
    }

    fn list(address: &str) -> Vec<u8> {
        let parts = [
            &field(2, b"next")[..],
            &field(1, &entry("iam", "iam:443")),
            &UNKNOWN,
            &field(1, &entry("operation", address)),
            &field(9, &[0xff; 300]),
            &field(1, &entry("datasphere", address)),
            &field(1, &entry("compute", "compute:443")),
        ];
        parts.concat()
    }

    #[test]
    fn the_addresses_of_operations_and_datasphere_change_and_no_other_byte() {
        let changed = spliced_protobuf(&list("cloud:443"), "gateway.example:10478", true);
        assert_eq!(changed, Some(list("gateway.example:10478")));
        let changed = spliced_protobuf(&entry("operation", "cloud:443"), "g:1", false);
        assert_eq!(changed, Some(entry("operation", "g:1")));
        let iam = entry("iam", "cloud:443");
        assert_eq!(spliced_protobuf(&iam, "g:1", false), Some(iam));
    }

    #[test]
    fn of_fields_that_are_there_twice_or_not_at_all_the_readers_view_changes() {
        let twice = [
            field(2, b"a"),
            field(1, b"iam"),
            field(1, b"operation"),
            field(2, b"b"),
        ]
        .concat();
        let expected = [
            field(2, b"g"),
            field(1, b"iam"),
            field(1, b"operation"),
            field(2, b"g"),
        ]
        .concat();
        assert_eq!(spliced_protobuf(&twice, "g", false), Some(expected));
        let without = field(1, b"datasphere");
        let expected = [field(1, b"datasphere"), field(2, b"g")].concat();
        assert_eq!(spliced_protobuf(&without, "g", false), Some(expected));
    }

    #[test]
    fn what_is_no_list_is_told_as_such() {
        for bad in [&b"\xff"[..], b"\x0a", b"\x0a\x05op", b"\x0a\x02\x0a\x09", b"\x0c"] {
            assert_eq!(spliced_protobuf(bad, "g", true), None, "{bad:?}");
        }
        assert_eq!(spliced_protobuf(b"\x0a\x05op", "g", false), None);
        for bad in ["no", "[]", "{\"endpoints\": 7}", "{\"endpoints\": []} more"] {
            assert_eq!(spliced_json(bad, "g"), None, "{bad}");
        }
    }

    #[test]
    fn over_rest_order_spaces_numbers_and_unknown_members_stay() {
        let told = |address: &str| {
            format!(
                r#" {{"z":1.0e2, "endpoints" : [{{ "address":{address} ,"more":{{"id":"x"}}, "id":"\u006fperation"}},
                {{"id":"iam","address":"b"}}, 7, null, {{"address":"c"}}, {{"id":"operation"}}, {{"id":"datasphere","address":null}}], "a":"й" }}
"#
            )
        };
        let own = "g\"1";
        let changed = spliced_json(&told(r#""c\u006coud:443""#), own);
        assert_eq!(changed, Some(told(r#""g\"1""#)));
        let one = r#"{"address": "a", "id": "datasphere"}"#;
        let changed = spliced_json(one, "g");
        assert_eq!(
            changed.as_deref(),
            Some(r#"{"address": "g", "id": "datasphere"}"#)
        );
    }
}
