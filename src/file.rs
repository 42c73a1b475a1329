//! Small files, read whole: configurations, keys, certificates, tokens.
//!
//! In: a path, and how much of it is taken. Out: what is in the file, or why it cannot be had. Never: a wait for
//! somebody who may never write, nor a byte of the file in a message.

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// All of a file.
///
/// # Errors
/// It cannot be read, is larger than `bytes_max`, or is no file at all.
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = open(path)?
        .take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read > bytes_max) {
        let problem = format!("it is larger than {bytes_max} bytes");
        return Err(io::Error::new(ErrorKind::FileTooLarge, problem));
    }
    Ok(bytes)
}

/// All of a file of text.
///
/// # Errors
/// As [`read`], and when it is not UTF-8.
pub fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    String::from_utf8(read(path, bytes_max)?)
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not text in UTF-8"))
}

/// A file that can be read. A folder, or a pipe that would keep us waiting for whoever writes to it, is refused.
///
/// # Errors
/// Why it cannot be read.
pub fn open(path: &Path) -> io::Result<File> {
    // What was a file a moment ago may be a pipe by now: opening must not wait for its other end.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NXIO) => return Err(no_file()),
        Err(error) => return Err(error.into()),
    };
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::Error::new(
            ErrorKind::IsADirectory,
            "it is a folder, and a file is needed",
        ));
    }
    if kind.is_fifo() {
        return Err(no_file());
    }
    Ok(file)
}

fn no_file() -> io::Error {
    io::Error::new(
        ErrorKind::InvalidInput,
        "it is a pipe or a socket, and a file is needed that can be read more than once",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::net::UnixListener;

    #[test]
    fn what_is_no_file_is_refused_at_once_and_called_what_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR).expect("a pipe");
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).expect("a socket");
        for (path, expected) in [
            (folder.path(), "it is a folder, and a file is needed"),
            (
                &pipe,
                "it is a pipe or a socket, and a file is needed that can be read more than once",
            ),
            (
                &socket,
                "it is a pipe or a socket, and a file is needed that can be read more than once",
            ),
        ] {
            assert_eq!(
                read(path, 9).expect_err("no file").to_string(),
                expected,
                "{path:?}"
            );
        }
    }

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        fs::write(&path, "four").expect("a file");
        assert_eq!(read_text(&path, 4).expect("it fits"), "four");
        let refusal = read(&path, 3).expect_err("larger");
        assert_eq!(refusal.to_string(), "it is larger than 3 bytes");
        fs::write(&path, [0xff]).expect("a file");
        assert!(read_text(&path, 4).is_err());
        assert!(read(Path::new("/dev/zero"), 64).is_err(), "it has no end");
        assert_eq!(read(Path::new("/dev/null"), 4).expect("no file, and empty"), b"");
    }
}
