//! Any answer, cut anywhere: looking for an operation in it never panics, and finds the one that is there. A guess finds
//! the same, if nothing stands behind it.

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
    let budget = Budget::default();
    let heard = |step| found(Sniffer::new(framing, &budget), answer, step);
    let step = usize::from(*step).max(1);
    let in_parts = heard(step);
    assert_eq!(in_parts, heard(answer.len().max(1)));
    // Only answers of gRPC are guessed at, and no input is longer than what a guess reads.
    if let Framing::Grpc { .. } = framing {
        let is_alone = |_: &Bytes| answer.len() == 5 + stated_bytes(answer);
        let guessed = found(Sniffer::guessing(framing, &budget), answer, step);
        assert_eq!(guessed, in_parts.clone().filter(is_alone));
    }
    let Some(message) = in_parts else {
        return;
    };
    let message = wire::Operation::from(message);
    drop(decode::made_job(&message));
    if let Some(decoded) = decode::begun(&message) {
        assert!(decoded.value.id.as_str().len() <= 64);
    }
});

fn found(mut sniffer: Sniffer, answer: &[u8], step: usize) -> Option<Bytes> {
    for part in answer.chunks(step) {
        sniffer.pass(&Bytes::copy_from_slice(part));
    }
    sniffer.end().ok()?.message().ok()
}

/// The length in the head of a message that was found.
fn stated_bytes(answer: &[u8]) -> usize {
    let length = answer[1..5].try_into().expect("four bytes");
    u32::from_be_bytes(length).try_into().expect("a message is shorter")
}
