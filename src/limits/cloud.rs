//! What the cloud may make large: answers, listings and the attempts at them.

use std::time::Duration;

/// Longest message or body accepted from the API, in bytes: operations above gRPC's default of 4 MiB
/// exist, since one carries the job's whole configuration twice.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// Projects followed: each has a listing task, and some hundred fleet series.
pub const PROJECTS_MAX: usize = 2_000;

/// Distinct return codes and rpc codes kept per project, kind and outcome; further ones are `(other)`.
pub const RESULT_CODES_MAX: usize = 64;

/// Ended jobs per project whose data expiry is remembered, newest listing first.
pub const EXPIRIES_MAX: usize = 10_000;

/// Pages of ended jobs asked for in one sweep: a thousand ends a minute are plenty, and a project's whole past
/// must not use up the rate limit.
pub const SWEEP_PAGES_MAX: usize = 20;

/// Longest token, token file or answer that carries a token, in bytes: IAM tokens have some hundred, an OIDC
/// token of Kubernetes one or two thousand.
pub const TOKEN_BYTES_MAX: usize = 64 << 10;

/// Longest text of a time or a duration in JSON: nine digits of a second and an offset need 35 characters.
pub const TIME_BYTES_MAX: usize = 48;

/// Attempts at one call, the first included: a call has a deadline as well, and more attempts against a
/// struggling API make its trouble worse.
pub const ATTEMPTS_MAX: u32 = 4;

/// Longest pause that the cloud may ask for before a call is made again: longer than any call has time, so that a call
/// that is asked to wait for longer ends at once, and short enough to be added to any moment.
pub const PUSHBACK_MAX: Duration = Duration::from_hours(1);

/// Pages of one listing: at the official 50 a page that is half a million jobs, and a listing that does not end
/// is a fault of the API.
pub const LISTING_PAGES_MAX: usize = 10_000;

/// Projects and communities whose page size was reduced, remembered at once.
pub const PAGE_SIZES_MAX: usize = 2_000;

/// Live jobs taken from one listing: as many as are tracked by default, and far beyond any quota.
pub const LISTED_JOBS_MAX: usize = 100_000;
