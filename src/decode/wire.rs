//! Messages as they arrived: their bytes, which decoding reads in place.

use crate::model::Gaps;
use bytes::{Buf, BufMut, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, skip_field};
use prost::{DecodeError, Message};
use std::fmt;

macro_rules! arrived {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// For gRPC codecs it is a message like any other; receiving it checks only that its outermost fields
        /// are whole, since a cut answer must be asked for again. `Debug` tells its length alone: the bytes
        /// carry secrets that decoding passes over.
        #[derive(Clone, Default, PartialEq, Eq)]
        pub struct $name(Bytes);

        impl $name {
            /// The bytes.
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl From<Bytes> for $name {
            fn from(bytes: Bytes) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({} bytes)", stringify!($name), self.0.len())
            }
        }

        impl Message for $name {
            fn encode_raw(&self, buf: &mut impl BufMut) {
                buf.put_slice(&self.0);
            }

            fn encoded_len(&self) -> usize {
                self.0.len()
            }

            fn decode(buf: impl Buf) -> Result<Self, DecodeError> {
                whole(buf).map(Self)
            }

            fn merge(&mut self, buf: impl Buf) -> Result<(), DecodeError> {
                let more = whole(buf)?;
                // Bytes of two messages, one after the other, are the bytes of both merged.
                self.0 = [self.0.as_ref(), more.as_ref()].concat().into();
                Ok(())
            }

            fn merge_field(
                &mut self,
                number: u32,
                wire_type: WireType,
                buf: &mut impl Buf,
                context: DecodeContext,
            ) -> Result<(), DecodeError> {
                // Only a message that holds this one would call it, and none does.
                skip_field(wire_type, number, buf, context)
            }

            fn clear(&mut self) {
                self.0.clear();
            }
        }
    };
}

arrived! {
    /// `yandex.cloud.operation.Operation`.
    Operation
}
arrived! {
    /// `yandex.cloud.datasphere.v2.jobs.Job`.
    Job
}
arrived! {
    /// `yandex.cloud.datasphere.v2.jobs.ListProjectJobResponse`.
    JobPage
}
arrived! {
    /// `yandex.cloud.datasphere.v2.Project`.
    Project
}
arrived! {
    /// `yandex.cloud.datasphere.v2.ListProjectsResponse`.
    ProjectPage
}
arrived! {
    /// `yandex.cloud.datasphere.v2.GetUnitBalanceResponse`.
    UnitBalance
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// Its items; one that cannot be told apart from others, for want of an id, is left out and counted.
    pub items: Vec<T>,
    /// Where the next page begins; empty on the last one.
    pub next_page_token: String,
    /// What was left out of the page itself; each item has gaps of its own. Unless it is empty, an item or
    /// the token of the next page may be missing, so that absence from the listing means nothing.
    pub gaps: Gaps,
}

/// Takes all bytes without copying them, and makes sure that no field is cut.
fn whole(mut buf: impl Buf) -> Result<Bytes, DecodeError> {
    let bytes = buf.copy_to_bytes(buf.remaining());
    let mut rest = bytes.as_ref();
    while rest.has_remaining() {
        let (number, wire_type) = decode_key(&mut rest)?;
        skip_field(wire_type, number, &mut rest, DecodeContext::default())?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::yandex::cloud::operation;

    #[test]
    fn a_received_message_keeps_its_bytes_and_shows_only_their_number() {
        let sent = operation::Operation {
            id: "bt1".to_owned(),
            description: "canary".to_owned(),
            ..Default::default()
        }
        .encode_to_vec();
        let received = Operation::decode(sent.as_slice()).unwrap();
        assert_eq!(received.encode_to_vec(), sent);
        assert_eq!(format!("{received:?}"), "Operation(13 bytes)");
    }

    #[test]
    fn a_cut_message_is_refused_so_that_it_is_asked_for_again() {
        for cut in [&[0x0a, 3, b'b', b't'][..], &[0x0a], &[0xff]] {
            assert!(Operation::decode(cut).is_err(), "{cut:?}");
            let mut message = Operation::from(Bytes::from_static(&[0x30, 1]));
            assert!(message.merge(cut).is_err(), "{cut:?}");
            assert_eq!(message.as_bytes(), [0x30, 1], "it stays as it was");
        }
    }

    #[test]
    fn merging_appends() {
        let mut message = Operation::from(Bytes::from_static(&[0x30, 1]));
        message.merge(&[0x30, 0][..]).unwrap();
        assert_eq!(message.as_bytes(), [0x30, 1, 0x30, 0]);
    }
}
