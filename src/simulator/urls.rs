//! Presigned URLs of the file store: whoever holds one may read or write that file and no other.

use crate::simulator::ids::hex;
use ring::hmac::{HMAC_SHA256, Key, sign};
use std::fmt;

/// Makes and checks presigned URLs.
pub(crate) struct Urls {
    authority: String,
    key: Key,
}

impl Urls {
    /// URLs below this host and port, with a key of this process.
    pub(crate) fn new(authority: String) -> Self {
        Self {
            authority,
            key: Key::new(HMAC_SHA256, &rand::random::<[u8; 32]>()),
        }
    }

    /// Where to put an input file.
    pub(crate) fn upload(&self, sha256: &str) -> String {
        self.presigned("PUT", &format!("/storage/inputs/{sha256}"))
    }

    /// Where to get a file that a job made, by its place among the job's files.
    pub(crate) fn download(&self, job_id: &str, kind: &str, index: usize) -> String {
        self.presigned("GET", &format!("/storage/jobs/{job_id}/{kind}/{index}"))
    }

    /// The signature of a method and a path.
    pub(crate) fn signature(&self, method: &str, path: &str) -> String {
        hex(sign(&self.key, format!("{method} {path}").as_bytes()).as_ref())
    }

    fn presigned(&self, method: &str, path: &str) -> String {
        format!(
            "http://{}{path}?X-Amz-Signature={}",
            self.authority,
            self.signature(method, path)
        )
    }
}

impl fmt::Debug for Urls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Urls")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}
