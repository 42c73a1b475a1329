//! Ids that look like the cloud's and follow from what they stand for.

use ring::digest::{SHA256, digest};

/// Twenty characters, as every id of the cloud has.
const ID_LENGTH: usize = 20;
const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The id of the thing that `parts` name, the first part being its kind: the same in every run of every process.
///
/// The ids of DataSphere begin with `bt1`.
pub(crate) fn derived_id(parts: &[&str]) -> String {
    derived("bt1", ID_LENGTH, parts)
}

/// A number in the form of a UUID, for the ids of requests.
pub(crate) fn derived_uuid(parts: &[&str]) -> String {
    let hex = hex(digest(&SHA256, parts.join("\n").as_bytes()).as_ref());
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-4{}-a{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    )
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for nibble in bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
        text.push(char::from(
            ALPHABET.get(usize::from(nibble)).copied().unwrap_or(b'0'),
        ));
    }
    text
}

fn derived(prefix: &str, length: usize, parts: &[&str]) -> String {
    let mut id = String::with_capacity(length);
    id.push_str(prefix);
    for byte in digest(&SHA256, parts.join("\n").as_bytes()).as_ref() {
        if id.len() < length {
            let index = usize::from(*byte) % ALPHABET.len();
            id.push(char::from(ALPHABET.get(index).copied().unwrap_or(b'0')));
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_follows_from_its_parts_alone() {
        let id = derived_id(&["job", "nlp", "train", "0"]);
        assert_eq!(id, derived_id(&["job", "nlp", "train", "0"]));
        assert_ne!(id, derived_id(&["operation", "nlp", "train", "0"]));
        assert!(id.len() == ID_LENGTH && id.starts_with("bt1"), "{id}");
    }

    #[test]
    fn a_uuid_has_its_shape() {
        let uuid = derived_uuid(&["request", "1"]);
        let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
    }
}
