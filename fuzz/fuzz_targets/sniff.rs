//! Any answer, cut anywhere: looking for an operation in it never panics, and finds the one that is there.

#![no_main]

use bytes::Bytes;
use datasphere_exporter::decode::{self, wire};
use datasphere_exporter::gateway::{Budget, Framing, Sniffer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((choice, rest)) = input.split_first() else {
        return;
    };
    let Some((step, answer)) = rest.split_first() else {
        return;
    };
    let is_gzip = choice & 1 == 1;
    let framing = if choice & 2 == 2 {
        Framing::Http { is_gzip }
    } else {
        Framing::Grpc { is_gzip }
    };
    let in_parts = heard(framing, answer, usize::from(*step).max(1));
    assert_eq!(in_parts, heard(framing, answer, answer.len().max(1)));
    let Some(message) = in_parts else {
        return;
    };
    let message = wire::Operation::from(message);
    drop(decode::made_job(&message));
    if let Some(decoded) = decode::begun(&message) {
        assert!(decoded.value.id.as_str().len() <= 64);
    }
});

fn heard(framing: Framing, answer: &[u8], step: usize) -> Option<Bytes> {
    let mut sniffer = Sniffer::new(framing, &Budget::default());
    for part in answer.chunks(step) {
        sniffer.pass(&Bytes::copy_from_slice(part));
    }
    sniffer.end().ok()?.message().ok()
}
