//! What a server says about trying again.

use crate::clock::Timestamp;
use crate::cloud::answer::detail;
use crate::limits::PUSHBACK_MAX;
use crate::proto::google::rpc;
use std::time::{Duration, UNIX_EPOCH};
use tonic::Status;

/// What the server says about trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushback {
    /// Not before this time has passed.
    After(Duration),
    /// Not at all.
    Never,
}

impl Pushback {
    /// The header of gRPC's retry design (proposal A6) wins over the detail of `google.rpc`, and that over the header
    /// of HTTP, which proxies write too.
    pub(crate) fn of(status: &Status, details: &rpc::Status) -> Option<Self> {
        let header = |name| status.metadata().get(name).map(|value| value.to_str().ok());
        if let Some(millis) = header("grpc-retry-pushback-ms") {
            let millis = millis.and_then(|text| text.parse().ok());
            return Some(millis.map_or(Self::Never, |millis| Self::after(Duration::from_millis(millis))));
        }
        let told = || Duration::try_from(detail::<rpc::RetryInfo>(details)?.retry_delay?).ok();
        // The other side's own clock, since ours may be off.
        let now = || header("date").flatten().and_then(date);
        let written = || retry_after(header("retry-after").flatten()?, now());
        told().or_else(written).map(Self::after)
    }

    fn after(delay: Duration) -> Self {
        Self::After(delay.min(PUSHBACK_MAX))
    }
}

/// The header `Retry-After`: seconds, or a date, for which it has to be known what time it is. See
/// <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>.
pub(crate) fn retry_after(value: &str, now: Option<Timestamp>) -> Option<Duration> {
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some(date(value)?.since(now?))
}

fn date(value: &str) -> Option<Timestamp> {
    let at = httpdate::parse_http_date(value).ok()?;
    let since_epoch = at.duration_since(UNIX_EPOCH).ok()?;
    Timestamp::from_seconds(i64::try_from(since_epoch.as_secs()).ok()?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::{Message, Name};
    use tonic::Code;
    use tonic::metadata::{MetadataMap, MetadataValue};

    fn told(headers: &[(&'static str, &str)], seconds: Option<i64>) -> Option<Pushback> {
        let mut metadata = MetadataMap::new();
        for (name, value) in headers {
            metadata.insert(*name, MetadataValue::try_from(*value).expect("ascii"));
        }
        let status = Status::with_metadata(Code::Unavailable, "busy", metadata);
        let delay = seconds.map(|seconds| rpc::RetryInfo {
            retry_delay: Some(prost_types::Duration { seconds, nanos: 0 }),
        });
        let any = delay.map(|delay| prost_types::Any {
            type_url: rpc::RetryInfo::type_url(),
            value: delay.encode_to_vec(),
        });
        let details = rpc::Status {
            details: any.into_iter().collect(),
            ..rpc::Status::default()
        };
        Pushback::of(&status, &details)
    }

    #[test]
    fn the_server_says_when_to_come_back() {
        let after = |seconds| Some(Pushback::After(Duration::from_secs(seconds)));
        let (pushback, retry, date) = ("grpc-retry-pushback-ms", "retry-after", "date");
        let (now, later) = ("Sun, 06 Nov 1994 08:49:30 GMT", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (headers, seconds, expected) in [
            (&[][..], None, None),
            (&[], Some(3), after(3)),
            (&[(pushback, "2000")], Some(3), after(2)),
            (&[(pushback, "-1")], Some(3), Some(Pushback::Never)),
            (&[(pushback, "soon")], None, Some(Pushback::Never)),
            (&[(retry, "5")], None, after(5)),
            (&[(retry, "5")], Some(3), after(3)),
            (&[(retry, later), (date, now)], None, after(7)),
            (&[(retry, now), (date, later)], None, after(0)),
            (&[(retry, later)], None, None),
            (&[(retry, "soon")], None, None),
        ] {
            assert_eq!(told(headers, seconds), expected, "{headers:?} {seconds:?}");
        }
    }

    #[test]
    fn what_a_server_says_is_never_too_long_to_be_added_to_a_time() {
        let longest = Some(Pushback::After(PUSHBACK_MAX));
        let headers = ["grpc-retry-pushback-ms", "retry-after"];
        for header in headers {
            assert_eq!(told(&[(header, "18446744073709551615")], None), longest);
        }
        assert_eq!(told(&[], Some(i64::MAX)), longest);
        assert_eq!(told(&[], Some(-1)), None, "before it was said");
    }

    #[test]
    fn the_time_to_come_back_is_seconds_or_a_date() {
        let now = Timestamp::from_seconds(784_111_770, 0).expect("in range");
        for (value, seconds) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(value, Some(now)), expected, "{value}");
        }
    }
}
