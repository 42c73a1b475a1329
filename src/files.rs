//! Files that an operator names, read within a bound.
//!
//! In: a path. Out: its bytes, when they are not too many. Never: a word of what is in it, nor a guess at what a path
//! that cannot be read should have held.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Reads a file to its end. It waits for as long as the file system does: call it where that holds nobody up.
///
/// # Errors
/// What the system says, and [`io::ErrorKind::FileTooLarge`] for more than `bytes_max`, of which no more is read: a path
/// may lead to something without an end, such as `/dev/zero`.
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = bytes_max.saturating_add(1);
    let read = File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read > bytes_max) {
        let problem = format!("it is larger than {bytes_max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_refused_and_what_just_fits_is_read() {
        let error = read(Path::new("/dev/zero"), 64).expect_err("it has no end");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, [7; 64]).expect("a file");
        assert_eq!(read(&path, 64).expect("it fits"), [7; 64]);
        assert!(read(&path, 63).is_err());
    }
}
