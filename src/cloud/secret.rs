//! Text that must not be shown.

use bytes::Bytes;
use http::HeaderValue;
use std::fmt;

/// A token or another secret: it has no `Display`, and what is printed or serialized of it is `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

const SCHEME: &str = "Bearer ";

impl Secret {
    /// Keeps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The value of the header `authorization`, marked sensitive, so that neither logs nor the header tables of
    /// HTTP/2 keep it; `None` for characters that no header may carry. Clones of the value share its bytes.
    pub(crate) fn bearer(&self) -> Option<HeaderValue> {
        let mut header = String::with_capacity(SCHEME.len() + self.0.len());
        header.push_str(SCHEME);
        header.push_str(&self.0);
        let mut value = HeaderValue::from_maybe_shared(Bytes::from(header)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl serde::Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("t1.canary");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(serde_json::to_string(&secret).expect("serializes"), "\"***\"");
        let header = secret.bearer().expect("valid");
        assert!(!format!("{header:?}").contains("canary"));
        assert_eq!(header.as_bytes(), b"Bearer t1.canary");
    }

    #[test]
    fn a_secret_with_a_line_break_is_no_header() {
        assert_eq!(Secret::new("t1.a\r\nx-evil: 1").bearer(), None);
    }
}
