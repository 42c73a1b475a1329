//! What an execution file says.

use crate::model::{JobId, OperationId};
use serde_json::Value;

/// One execution, as `datasphere project job execute --async -o FILE` and `fork` write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Execution {
    pub(crate) operation_id: OperationId,
    /// For the log alone: the operation itself tells which job it executes.
    pub(crate) job_id: Option<JobId>,
}

impl Execution {
    /// The execution that a file names, if it does.
    ///
    /// Nothing else is an error. The client opens its file before it uploads anything, so it is empty for minutes, and
    /// for ever when nothing was started; `job get` and `job list` write other shapes to files that people use again.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let object = value.as_object()?;
        let text = |name| object.get(name).and_then(Value::as_str);
        Some(Self {
            operation_id: text("operation_id")?.parse().ok()?,
            job_id: text("job_id").and_then(|id| id.parse().ok()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WRITTEN: &str = "{\n    \"job_id\": \"bt1job\",\n    \"operation_id\": \"bt1operation\"\n}\n";

    fn ids(bytes: &[u8]) -> Option<(String, Option<String>)> {
        let execution = Execution::parse(bytes)?;
        Some((
            execution.operation_id.to_string(),
            execution.job_id.map(|id| id.to_string()),
        ))
    }

    #[test]
    fn what_the_official_client_writes_names_its_operation_and_job() {
        let expected = ("bt1operation".to_owned(), Some("bt1job".to_owned()));
        assert_eq!(ids(WRITTEN.as_bytes()), Some(expected));
    }

    #[test]
    fn only_an_object_with_an_operation_id_names_one() {
        let cases = [
            (r#"{"operation_id": "op"}"#, Some(None)),
            (r#"{"operation_id": "op", "job_id": 5}"#, Some(None)),
            (r#"{"operation_id": "op", "job_id": "not an id"}"#, Some(None)),
            (
                r#"{"operation_id": "op", "job_id": "job", "more": [1]}"#,
                Some(Some("job")),
            ),
            ("", None),
            ("\n", None),
            ("null", None),
            ("\"op\"", None),
            (r#"["op", "job"]"#, None),
            (r#"[{"operation_id": "op"}]"#, None),
            (r#"{"id": "bt1job", "name": "train", "status": "SUCCESS"}"#, None),
            (r#"{"job_id": "job"}"#, None),
            (r#"{"operation_id": 5}"#, None),
            (r#"{"operation_id": ""}"#, None),
            (r#"{"operation_id": "a b"}"#, None),
            (r#"{"operation_id": "op"} {"operation_id": "op"}"#, None),
            ("{\"operation_id\": \"\u{1b}[0m\"}", None),
        ];
        for (text, expected) in cases {
            let job_id = ids(text.as_bytes()).map(|(_, job_id)| job_id);
            let expected = expected.map(|job_id: Option<&str>| job_id.map(str::to_owned));
            assert_eq!(job_id, expected, "{text}");
        }
        assert_eq!(ids(b"\xff\xfe"), None);
        assert_eq!(
            ids(format!(r#"{{"operation_id": "{}"}}"#, "x".repeat(65)).as_bytes()),
            None
        );
        assert_eq!(ids("[".repeat(60_000).as_bytes()), None, "deep nesting");
    }

    #[test]
    fn a_file_that_is_half_written_names_nothing() {
        let whole = WRITTEN.trim_end();
        for length in 0..whole.len() {
            assert_eq!(ids(&whole.as_bytes()[..length]), None, "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Execution::parse(&bytes);
        }

        #[test]
        fn what_is_named_is_an_id_that_the_file_holds(id in "[a-z0-9 \"{}-]{0,70}") {
            let text = serde_json::json!({ "operation_id": id }).to_string();
            prop_assert!(ids(text.as_bytes()).is_none_or(|(named, _)| named == id));
        }
    }
}
