//! Words of the API, by name or by number.

use crate::proto::{google::rpc::Code, yandex::cloud::datasphere::v2::jobs::JobStatus};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;

/// The status of a job: a name of the API, or any number, known to it or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusName(pub i32);

/// A gRPC status code: a name of `google.rpc.Code`, or its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeName(pub i32);

impl From<JobStatus> for StatusName {
    fn from(status: JobStatus) -> Self {
        Self(status.into())
    }
}

impl From<Code> for CodeName {
    fn from(code: Code) -> Self {
        Self(code.into())
    }
}

impl<'de> Deserialize<'de> for StatusName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expecting = "a job status such as EXECUTING, or its number";
        let parse = |name: &str| JobStatus::from_str_name(name).map(i32::from);
        deserializer
            .deserialize_any(NameOrNumber { expecting, parse })
            .map(Self)
    }
}

impl<'de> Deserialize<'de> for CodeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expecting = "a gRPC code such as RESOURCE_EXHAUSTED, or its number";
        let parse = |name: &str| Code::from_str_name(name).map(i32::from);
        deserializer
            .deserialize_any(NameOrNumber { expecting, parse })
            .map(Self)
    }
}

struct NameOrNumber<F> {
    expecting: &'static str,
    parse: F,
}

impl<F: Fn(&str) -> Option<i32>> Visitor<'_> for NameOrNumber<F> {
    type Value = i32;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.expecting)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<i32, E> {
        (self.parse)(name).ok_or_else(|| E::custom(format_args!("`{name}` is not {}", self.expecting)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<i32, E> {
        i32::try_from(number).map_err(|_| E::custom(format_args!("{number} is not {}", self.expecting)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<i32, E> {
        i32::try_from(number).map_err(|_| E::custom(format_args!("{number} is not {}", self.expecting)))
    }
}
