//! Which scripted faults a call meets, and what they do to an answer.

use crate::clock::Timestamp;
use crate::proto::yandex::cloud::operation::{Operation, operation::Result as Outcome};
use crate::simulator::scenario::{Action, Fault, Part};
use prost_types::Any;
use std::time::Duration;

/// The faults of a simulation, with how often each has struck.
#[derive(Debug)]
pub(crate) struct Faults {
    speed: f64,
    start_at: Timestamp,
    armed: Vec<Armed>,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    met: u64,
    /// The second on the clock that a rate limit counts in, and the calls in it.
    window: (i64, u32),
}

/// What faults do to an answer that is given after all.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Effects {
    unknown_type: bool,
    truncated: Vec<Part>,
    pad: usize,
    pub(crate) skew_nanos: i64,
}

/// A fault that strikes before an answer is made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Strike {
    Refuse { code: i32, message: String },
    Delay(Duration),
    Reset,
    RevokeTokens,
}

/// The field number of padding: no message of the API has it, so that every reader skips it.
const PAD_FIELD: u32 = 15_000;
/// The longest padding: larger answers would only test the memory of the machine.
const PAD_BYTES_MAX: usize = 64 << 20;
/// Faults at a time: a test that adds them in a loop should clear them.
const FAULTS_MAX: usize = 1000;
const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// `google.rpc.Code.RESOURCE_EXHAUSTED`.
const RESOURCE_EXHAUSTED: i32 = 8;

impl Faults {
    pub(crate) fn new(faults: Vec<Fault>, speed: f64, start_at: Timestamp) -> Self {
        let mut set = Self {
            speed,
            start_at,
            armed: Vec::new(),
        };
        for fault in faults {
            set.add(fault);
        }
        set
    }

    /// Adds a fault; beyond a thousand the oldest leaves.
    pub(crate) fn add(&mut self, fault: Fault) {
        if self.armed.len() >= FAULTS_MAX {
            self.armed.remove(0);
        }
        self.armed.push(Armed {
            fault,
            met: 0,
            window: (0, 0),
        });
    }

    /// Removes all faults.
    pub(crate) fn clear(&mut self) {
        self.armed.clear();
    }

    /// Whether some fault asks what a call is about.
    pub(crate) fn ask_for_subjects(&self) -> bool {
        self.armed.iter().any(|armed| armed.fault.id.is_some())
    }

    /// What a call of this method, about these things, meets now.
    pub(crate) fn meet(
        &mut self,
        method: &str,
        subjects: &[String],
        now: Timestamp,
    ) -> (Vec<Strike>, Effects) {
        let (mut strikes, mut effects) = (Vec::new(), Effects::default());
        let (speed, start_at) = (self.speed, self.start_at);
        for armed in &mut self.armed {
            if !armed.applies(method, subjects, now, (start_at, speed)) {
                continue;
            }
            match &armed.fault.action {
                Action::Refuse { code, message } => {
                    let message = if message.is_empty() {
                        "Scripted refusal"
                    } else {
                        message
                    };
                    strikes.push(Strike::Refuse {
                        code: code.0,
                        message: message.to_owned(),
                    });
                }
                Action::Delay(span) => strikes.push(Strike::Delay(span.length())),
                Action::Reset => strikes.push(Strike::Reset),
                Action::RateLimit(limit) => {
                    let limit = *limit;
                    strikes.extend(armed.is_over(limit, now).then(|| Strike::Refuse {
                        code: RESOURCE_EXHAUSTED,
                        message: format!("More than {limit} requests in a second"),
                    }));
                }
                Action::RevokeTokens => strikes.push(Strike::RevokeTokens),
                Action::UnknownType => effects.unknown_type = true,
                Action::Truncate(part) => effects.truncated.push(*part),
                Action::Pad(bytes) => effects.pad = (*bytes).min(PAD_BYTES_MAX),
                Action::ClockSkew(span) => effects.skew_nanos = span.nanos(),
            }
        }
        (strikes, effects)
    }
}

impl Armed {
    /// Whether all conditions hold; counts the call when they do.
    fn applies(
        &mut self,
        method: &str,
        subjects: &[String],
        now: Timestamp,
        (start_at, speed): (Timestamp, f64),
    ) -> bool {
        let fault = &self.fault;
        let elapsed = now.nanos().saturating_sub(start_at.nanos());
        let here = fault
            .method
            .as_deref()
            .is_none_or(|wanted| is_method(method, wanted))
            && fault.id.as_ref().is_none_or(|id| subjects.contains(id))
            && fault
                .from
                .is_none_or(|from| from.nanos_at_speed(speed) <= elapsed)
            && fault
                .until
                .is_none_or(|until| elapsed < until.nanos_at_speed(speed));
        if !here {
            return false;
        }
        let met = self.met;
        self.met += 1;
        met >= fault.skip && fault.count.is_none_or(|count| met - fault.skip < count)
    }

    /// Whether this call is one too many in its second.
    fn is_over(&mut self, limit: u32, now: Timestamp) -> bool {
        let second = now.nanos() / NANOS_PER_SECOND;
        if self.window.0 != second {
            self.window = (second, 0);
        }
        self.window.1 = self.window.1.saturating_add(1);
        self.window.1 > limit
    }
}

impl Effects {
    /// An operation with what the faults do to it.
    pub(crate) fn on(&self, mut operation: Operation) -> Operation {
        if let Some(metadata) = &mut operation.metadata {
            self.alter(metadata, Part::Metadata);
            if self.pad > 0 {
                prost::encoding::bytes::encode(PAD_FIELD, &vec![0u8; self.pad], &mut metadata.value);
            }
        }
        if let Some(Outcome::Response(response)) = &mut operation.result {
            self.alter(response, Part::Response);
        }
        operation
    }

    fn alter(&self, any: &mut Any, part: Part) {
        if self.unknown_type {
            "type.googleapis.com/yandex.cloud.datasphere.v9.UnheardOf".clone_into(&mut any.type_url);
        }
        if self.truncated.contains(&part) {
            // Whatever the last field is, it needs its last byte.
            any.value.pop();
        }
    }
}

/// Whether a path is the method that a fault names: all of it, or its end from a dot or a slash on.
fn is_method(path: &str, wanted: &str) -> bool {
    path.strip_suffix(wanted)
        .is_some_and(|before| before.is_empty() || wanted.starts_with('/') || before.ends_with(['.', '/']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::span::Span;

    const GET: &str = "/yandex.cloud.operation.OperationService/Get";

    fn start() -> Timestamp {
        Timestamp::from_seconds(1_800_000_000, 0).unwrap()
    }

    fn strikes(faults: &mut Faults, method: &str, subjects: &[&str], after: u64) -> usize {
        let subjects: Vec<String> = subjects.iter().map(|&subject| subject.to_owned()).collect();
        faults
            .meet(method, &subjects, start().plus(Duration::from_secs(after)))
            .0
            .len()
    }

    #[test]
    fn a_fault_strikes_the_method_it_names_and_no_other() {
        let mut faults = Faults::new(
            vec![Fault::of(Action::Reset).on("OperationService/Get")],
            1.0,
            start(),
        );
        assert_eq!(strikes(&mut faults, GET, &[], 0), 1);
        assert_eq!(
            strikes(
                &mut faults,
                "/yandex.cloud.operation.OperationService/Cancel",
                &[],
                0
            ),
            0
        );
        assert_eq!(strikes(&mut faults, "/x.MyOperationService/Get", &[], 0), 0);
    }

    #[test]
    fn a_fault_about_an_id_leaves_others_alone() {
        let mut faults = Faults::new(vec![Fault::of(Action::Reset).about("train")], 1.0, start());
        assert_eq!(strikes(&mut faults, GET, &["bt1a", "train"], 0), 1);
        assert_eq!(strikes(&mut faults, GET, &["bt1b"], 0), 0);
    }

    #[test]
    fn a_fault_strikes_within_its_window_and_its_count() {
        let mut fault = Fault::of(Action::Reset).times(2);
        fault.skip = 1;
        fault.from = Some(Span::seconds(60));
        fault.until = Some(Span::seconds(120));
        let mut faults = Faults::new(vec![fault], 60.0, start());
        assert_eq!(
            strikes(&mut faults, GET, &[], 0),
            0,
            "a minute of script is a second at this speed"
        );
        let struck: Vec<usize> = (0..5).map(|_| strikes(&mut faults, GET, &[], 1)).collect();
        assert_eq!(struck, [0, 1, 1, 0, 0]);
        assert_eq!(strikes(&mut faults, GET, &[], 2), 0);
    }

    #[test]
    fn a_rate_limit_counts_each_second_anew() {
        let mut faults = Faults::new(vec![Fault::of(Action::RateLimit(2))], 1.0, start());
        let struck: Vec<usize> = [0, 0, 0, 1]
            .iter()
            .map(|at| strikes(&mut faults, GET, &[], *at))
            .collect();
        assert_eq!(struck, [0, 0, 1, 0]);
    }

    #[test]
    fn a_truncated_message_does_not_parse_and_a_padded_one_does() {
        use crate::proto::yandex::cloud::operation::GetOperationRequest;
        use prost::Message;
        let request = GetOperationRequest {
            operation_id: "bt1".to_owned(),
        };
        let metadata = Any {
            type_url: "t".to_owned(),
            value: request.encode_to_vec(),
        };
        let operation = Operation {
            metadata: Some(metadata),
            ..Operation::default()
        };
        let altered = |action| {
            let mut faults = Faults::new(vec![Fault::of(action)], 1.0, start());
            faults
                .meet(GET, &[], start())
                .1
                .on(operation.clone())
                .metadata
                .unwrap()
                .value
        };
        let truncated = altered(Action::Truncate(Part::Metadata));
        assert!(GetOperationRequest::decode(truncated.as_slice()).is_err());
        let padded = altered(Action::Pad(5 << 20));
        assert!(padded.len() > 5 << 20);
        assert_eq!(GetOperationRequest::decode(padded.as_slice()), Ok(request));
    }
}
