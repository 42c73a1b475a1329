//! The key by which the cloud tells a change that is sent again from one that is asked for again:
//! <https://yandex.cloud/en/docs/api-design-guide/concepts/idempotency>.

use crate::limits::IDEMPOTENCY_KEY_BYTES_MAX;
use http::{HeaderName, HeaderValue};

/// A call that is repeated with its key is answered with the operation that the first one began.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(HeaderValue);

/// The header, of HTTP and of gRPC.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

impl IdempotencyKey {
    /// A key of a caller's own: visible ASCII of at most [`IDEMPOTENCY_KEY_BYTES_MAX`] bytes; `None` for anything else.
    pub fn from_header(value: &HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes();
        let is_key =
            (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
        is_key.then(|| Self(value.clone()))
    }

    /// A new UUID of version 4 (RFC 9562): random but for the six bits that say so.
    pub(crate) fn random() -> Self {
        let bits = rand::random::<u128>() & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
        let part = |shift: u32, length: u32| bits >> shift & ((1 << length) - 1);
        let uuid = format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            part(96, 32),
            part(80, 16),
            part(64, 16),
            part(48, 16),
            part(0, 48)
        );
        Self(HeaderValue::from_maybe_shared(uuid).unwrap_or(HeaderValue::from_static("0")))
    }

    /// The value of the header.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn an_idempotency_key_is_a_uuid_of_version_4_and_never_the_same() {
        let keys: Vec<_> = (0..100).map(|_| IdempotencyKey::random()).collect();
        for IdempotencyKey(key) in &keys {
            let key = key.to_str().expect("ascii");
            let lengths: Vec<_> = key.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{key}");
            assert_eq!(&key[14..15], "4", "{key}");
            assert!("89ab".contains(&key[19..20]), "{key}");
        }
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
    }

    #[test]
    fn a_callers_key_is_short_visible_ascii() {
        let longest = "k".repeat(IDEMPOTENCY_KEY_BYTES_MAX);
        let beyond = format!("{longest}k");
        for (text, is_key) in [
            ("2b1e0c5a-3f0e-4c3e-8a52-a1b2c3d4e5f6", true),
            ("\"quoted\"", true),
            (longest.as_str(), true),
            (beyond.as_str(), false),
            ("", false),
            ("two words", false),
            ("ключ", false),
        ] {
            let value = HeaderValue::from_bytes(text.as_bytes()).expect("a value");
            assert_eq!(IdempotencyKey::from_header(&value).is_some(), is_key, "{text}");
        }
    }
}
