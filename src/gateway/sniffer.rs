//! A copy of an answer that may be an operation, taken while it passes.

use crate::limits::{GATEWAY_GUESSED_BYTES_MAX, GATEWAY_HEARD_BYTES_ALL_MAX, GATEWAY_HEARD_BYTES_MAX};
use bytes::{Buf, Bytes};
use flate2::read::GzDecoder;
use std::io::Read;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that all copies together may hold, in units of a kilobyte.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Semaphore>);

/// How the message of an answer is found in its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One message of gRPC, behind a head of five bytes: whether it is compressed, and its length.
    Grpc {
        /// Whether what is compressed is gzip; nothing else is read.
        is_gzip: bool,
    },
    /// The whole body.
    Http {
        /// Whether it is gzip.
        is_gzip: bool,
    },
}

/// Why an answer passes unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unheard {
    /// Too many answers are being read.
    Busy,
    /// It is larger than any that is read.
    Size,
    /// It does not hold what it should.
    Unreadable,
}

/// Copies one answer. The parts of the copy are the parts that pass: nothing is copied before its end.
#[derive(Debug)]
pub struct Sniffer {
    framing: Framing,
    is_guess: bool,
    parts: Vec<Bytes>,
    bytes: usize,
    budget: Budget,
    held: Option<OwnedSemaphorePermit>,
    unheard: Option<Unheard>,
}

/// A whole copy.
#[derive(Debug)]
pub struct Copied {
    framing: Framing,
    parts: Vec<Bytes>,
    _held: Option<OwnedSemaphorePermit>,
}

const UNIT_BYTES: usize = 1 << 10;
const GRPC_HEAD_BYTES: usize = 5;

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(GATEWAY_HEARD_BYTES_ALL_MAX / UNIT_BYTES)))
    }
}

impl Unheard {
    /// The value of the label `reason`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Size => "size",
            Self::Unreadable => "unreadable",
        }
    }
}

impl Sniffer {
    /// Nothing yet.
    pub fn new(framing: Framing, budget: &Budget) -> Self {
        Self {
            framing,
            is_guess: false,
            parts: Vec::new(),
            bytes: 0,
            budget: budget.clone(),
            held: None,
            unheard: None,
        }
    }

    /// The same for an answer that nobody knows: it gives up early on what is long, or has more than one message.
    pub fn guessing(framing: Framing, budget: &Budget) -> Self {
        Self {
            is_guess: true,
            ..Self::new(framing, budget)
        }
    }

    /// Some bytes pass.
    pub fn pass(&mut self, part: &Bytes) {
        if self.unheard.is_some() || part.is_empty() {
            return;
        }
        self.bytes = self.bytes.saturating_add(part.len());
        let bytes_max = if self.is_guess {
            GATEWAY_GUESSED_BYTES_MAX
        } else {
            GATEWAY_HEARD_BYTES_MAX
        };
        if self.bytes > bytes_max {
            self.give_up(Unheard::Size);
            return;
        }
        // A small part keeps more alive than its own bytes.
        let units = u32::try_from(part.len().div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&self.budget.0).try_acquire_many_owned(units) else {
            self.give_up(Unheard::Busy);
            return;
        };
        match &mut self.held {
            Some(held) => held.merge(permit),
            held @ None => *held = Some(permit),
        }
        self.parts.push(part.clone());
        let is_too_much = |length| length > bytes_max || self.bytes > length;
        if self.is_guess && self.first_bytes().is_some_and(is_too_much) {
            self.give_up(Unheard::Size);
        }
    }

    /// Bytes of the first message of gRPC with its head, once that is there.
    fn first_bytes(&self) -> Option<usize> {
        let mut bytes = self.parts.iter().flatten().copied();
        // Whether it is compressed.
        bytes.next()?;
        let mut length = [0; 4];
        for byte in &mut length {
            *byte = bytes.next()?;
        }
        let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
        length.checked_add(GRPC_HEAD_BYTES)
    }

    /// The answer is over.
    ///
    /// # Errors
    /// Why there is no copy.
    pub fn end(self) -> Result<Copied, Unheard> {
        match self.unheard {
            Some(unheard) => Err(unheard),
            None => Ok(Copied {
                framing: self.framing,
                parts: self.parts,
                _held: self.held,
            }),
        }
    }

    fn give_up(&mut self, unheard: Unheard) {
        self.unheard = Some(unheard);
        self.parts = Vec::new();
        self.held = None;
    }
}

impl Copied {
    /// Whether it is a message of protobuf; otherwise it is one of JSON.
    pub fn is_protobuf(&self) -> bool {
        matches!(self.framing, Framing::Grpc { .. })
    }

    /// The message in it, unpacked.
    ///
    /// # Errors
    /// Why there is none.
    pub fn message(&self) -> Result<Bytes, Unheard> {
        let mut whole: Bytes = match self.parts.as_slice() {
            [part] => part.clone(),
            parts => parts.concat().into(),
        };
        match self.framing {
            Framing::Http { is_gzip: false } => Ok(whole),
            Framing::Http { is_gzip: true } => inflate(&whole),
            Framing::Grpc { is_gzip } => {
                if whole.len() < GRPC_HEAD_BYTES {
                    return Err(Unheard::Unreadable);
                }
                let (is_compressed, length) = (whole.get_u8(), whole.get_u32());
                let length = usize::try_from(length).map_err(|_| Unheard::Unreadable)?;
                if whole.len() < length {
                    return Err(Unheard::Unreadable);
                }
                whole.truncate(length);
                match is_compressed {
                    0 => Ok(whole),
                    1 if is_gzip => inflate(&whole),
                    _ => Err(Unheard::Unreadable),
                }
            }
        }
    }
}

/// What gzip holds, up to the largest answer that is read.
fn inflate(packed: &[u8]) -> Result<Bytes, Unheard> {
    let bytes_max = u64::try_from(GATEWAY_HEARD_BYTES_MAX).unwrap_or(u64::MAX);
    let mut unpacked = Vec::new();
    let mut reader = GzDecoder::new(packed).take(bytes_max.saturating_add(1));
    reader
        .read_to_end(&mut unpacked)
        .map_err(|_| Unheard::Unreadable)?;
    if unpacked.len() > GATEWAY_HEARD_BYTES_MAX {
        return Err(Unheard::Size);
    }
    Ok(unpacked.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    const GRPC: Framing = Framing::Grpc { is_gzip: true };

    fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).expect("short");
        [&[flag][..], &length.to_be_bytes(), message].concat()
    }

    fn packed(message: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(message).expect("in memory");
        encoder.finish().expect("in memory")
    }

    fn sniffed(framing: Framing, parts: &[&[u8]], budget: &Budget) -> Result<Bytes, Unheard> {
        let mut sniffer = Sniffer::new(framing, budget);
        for part in parts {
            sniffer.pass(&Bytes::copy_from_slice(part));
        }
        sniffer.end()?.message()
    }

    #[test]
    fn a_message_is_found_however_it_was_cut_and_packed() {
        let budget = Budget::default();
        for whole in [framed(0, b"operation"), framed(1, &packed(b"operation"))] {
            let bytes: Vec<&[u8]> = whole.chunks(1).collect();
            for parts in [&[&whole[..]][..], &[&whole[..3], &whole[3..]], &bytes] {
                assert_eq!(sniffed(GRPC, parts, &budget).as_deref(), Ok(&b"operation"[..]));
            }
        }
        let http = Framing::Http { is_gzip: false };
        assert_eq!(sniffed(http, &[b"{", b"}"], &budget).as_deref(), Ok(&b"{}"[..]));
        let http = Framing::Http { is_gzip: true };
        assert_eq!(
            sniffed(http, &[&packed(b"{}")], &budget).as_deref(),
            Ok(&b"{}"[..])
        );
        assert_eq!(sniffed(http, &[b"{}"], &budget), Err(Unheard::Unreadable));
    }

    #[test]
    fn what_is_no_message_is_told_as_such() {
        let budget = Budget::default();
        let cut = &framed(0, b"operation")[..9];
        for bad in [&b""[..], b"\0\0", cut, &framed(1, b"no gzip"), &framed(7, b"?")] {
            assert_eq!(
                sniffed(GRPC, &[bad], &budget),
                Err(Unheard::Unreadable),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = packed(&vec![0; GATEWAY_HEARD_BYTES_MAX + 1]);
        assert!(bomb.len() < GATEWAY_HEARD_BYTES_MAX / 100);
        let found = sniffed(GRPC, &[&framed(1, &bomb)], &Budget::default());
        assert_eq!(found, Err(Unheard::Size));
    }

    #[test]
    fn a_guess_is_given_up_early() {
        let guessed = |parts: &[&[u8]]| {
            let mut sniffer = Sniffer::guessing(GRPC, &Budget::default());
            for part in parts {
                sniffer.pass(&Bytes::copy_from_slice(part));
            }
            (
                sniffer.parts.len(),
                sniffer.end().and_then(|copied| copied.message()),
            )
        };
        let one = framed(0, b"operation");
        assert_eq!(
            guessed(&[&one[..3], &one[3..]]).1.as_deref(),
            Ok(&b"operation"[..])
        );
        let long = u32::try_from(GATEWAY_GUESSED_BYTES_MAX)
            .expect("small")
            .to_be_bytes();
        for parts in [
            &[&one[..], &one][..],
            &[&[one.clone(), one.clone()].concat()],
            &[&[0], &long],
        ] {
            assert_eq!(guessed(parts), (0, Err(Unheard::Size)), "and nothing is held");
        }
    }

    #[test]
    fn copies_share_a_budget_and_give_it_back() {
        let budget = Budget::default();
        let part = Bytes::from(vec![0; GATEWAY_HEARD_BYTES_MAX]);
        let count = GATEWAY_HEARD_BYTES_ALL_MAX / GATEWAY_HEARD_BYTES_MAX;
        let copy = |budget: &Budget| {
            let mut sniffer = Sniffer::new(GRPC, budget);
            sniffer.pass(&part);
            sniffer
        };
        let held: Vec<Sniffer> = (0..count).map(|_| copy(&budget)).collect();
        assert_eq!(copy(&budget).end().err(), Some(Unheard::Busy));
        drop(held);
        assert!(copy(&budget).end().is_ok());
        let mut larger = copy(&budget);
        larger.pass(&Bytes::from_static(b"more"));
        assert_eq!(larger.end().err(), Some(Unheard::Size));
    }
}
