//! What the files hold that the connection to the cloud is made of.

use crate::cloud::{Auth, Tls};
use crate::file;
use crate::limits::PEM_BYTES_MAX;
use ring::digest::{Context, SHA256};

/// Equal ones come from equal files: a file may be exchanged under its path. Those of tokens are not among them, which
/// are read anew by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Material([u8; 32]);

impl Material {
    /// A file that cannot be read is none; whoever makes the connection complains about it.
    pub(super) fn of(tls: &Tls, auth: &Auth) -> Self {
        let key = match auth {
            Auth::ServiceAccountKeyFile(path) => Some(path),
            _ => None,
        };
        let authorities = tls.ca_file.as_ref().filter(|_| tls.enabled);
        let mut seen = Context::new(&SHA256);
        for path in [authorities, key] {
            let bytes = path.and_then(|path| file::read(path, PEM_BYTES_MAX).ok());
            let bytes = bytes.unwrap_or_default();
            let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            seen.update(&length.to_be_bytes());
            seen.update(&bytes);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(seen.finish().as_ref());
        Self(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_exchanged_under_its_path_is_another_material() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("a file");
            path
        };
        let tls = Tls {
            enabled: true,
            ca_file: Some(file("ca.pem", "one")),
            server_name: None,
        };
        let auth = Auth::ServiceAccountKeyFile(file("key.json", "key"));
        let material = || Material::of(&tls, &auth);
        let before = material();
        assert_eq!(material(), before);
        file("ca.pem", "two");
        let after = material();
        assert_ne!(after, before);
        file("key.json", "other");
        assert_ne!(material(), after);
        file("key.json", "key");
        file("ca.pem", "one");
        assert_eq!(material(), before);
    }
}
