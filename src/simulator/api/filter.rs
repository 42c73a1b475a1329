//! The one filter that the listing of jobs understands: `status IN (A, B)`.

use crate::proto::yandex::cloud::datasphere::v2::jobs::JobStatus;
use tonic::Status;

const LENGTH_MAX: usize = 1000;

/// The statuses that a filter lets pass; `None` is all.
///
/// # Errors
/// `INVALID_ARGUMENT` for a filter that is too long or not of that one form.
pub(crate) fn statuses(filter: &str) -> Result<Option<Vec<i32>>, Status> {
    if filter.len() > LENGTH_MAX {
        return Err(Status::invalid_argument(format!(
            "filter is longer than {LENGTH_MAX} characters"
        )));
    }
    if filter.trim().is_empty() {
        return Ok(None);
    }
    let list = parenthesised(filter)
        .ok_or_else(|| Status::invalid_argument("filter is invalid; expected `status IN (A, B)`"))?;
    let parse = |word: &str| {
        let name = word.trim().trim_matches(['"', '\'']);
        JobStatus::from_str_name(name)
            .map(i32::from)
            .ok_or_else(|| Status::invalid_argument(format!("filter names an unknown status {name}")))
    };
    list.split(',')
        .map(parse)
        .collect::<Result<Vec<i32>, Status>>()
        .map(Some)
}

/// What stands between the parentheses after `status IN`.
fn parenthesised(filter: &str) -> Option<&str> {
    let (before, rest) = filter.trim().split_once('(')?;
    let mut words = before.split_whitespace();
    let is_status_in = words.next()? == "status" && words.next()?.eq_ignore_ascii_case("in");
    rest.strip_suffix(')')
        .filter(|_| is_status_in && words.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_lets_the_named_statuses_pass() {
        assert_eq!(statuses("").unwrap(), None);
        assert_eq!(
            statuses("status IN (CREATING, PREPARING)").unwrap(),
            Some(vec![1, 8])
        );
        assert_eq!(statuses("status in (\"EXECUTING\")").unwrap(), Some(vec![2]));
    }

    #[test]
    fn other_filters_are_refused() {
        let long = format!("status IN ({})", vec!["EXECUTING"; 200].join(","));
        for filter in [
            "name = 'x'",
            "status IN CREATING",
            "status IN (SLEEPING)",
            "status IN ()",
            &long,
        ] {
            assert!(statuses(filter).is_err(), "{filter}");
        }
    }
}
