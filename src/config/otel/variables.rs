//! Which variables of OpenTelemetry are honoured, and how one is read.

use crate::config::error::{Invalid, Place};
use crate::config::setting::edits;

/// A variable.
#[derive(Debug)]
pub(crate) struct Variable {
    /// The one for all signals.
    pub(crate) general: &'static str,
    /// The one for traces alone, which wins.
    pub(crate) traces: Option<&'static str>,
    /// What it does here, for the reference.
    pub(crate) meaning: &'static str,
}

macro_rules! variables {
    ($($name:ident $general:literal $([$traces:literal])? = $meaning:literal;)+) => {
        $(pub(crate) const $name: Variable = Variable {
            general: $general,
            traces: variables!(@traces $($traces)?),
            meaning: $meaning,
        };)+

        /// All of them, in the order of the reference.
        pub(crate) const VARIABLES: &[Variable] = &[$($name),+];
    };
    (@traces) => { None };
    (@traces $traces:literal) => { Some($traces) };
}

variables! {
    SDK_DISABLED "OTEL_SDK_DISABLED" =
        "`true` turns off all traces.";
    TRACES_EXPORTER "OTEL_TRACES_EXPORTER" =
        "`otlp`, `console` for a line of JSON for each span on standard output, or `none` for no traces.";
    ENDPOINT "OTEL_EXPORTER_OTLP_ENDPOINT" ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] =
        "Address of the collector, over `traces.endpoint`; over HTTP `/v1/traces` is added to the general one, and the one for traces is used as it is.";
    PROTOCOL "OTEL_EXPORTER_OTLP_PROTOCOL" ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] =
        "`grpc` or `http/protobuf`, over `traces.protocol`.";
    HEADERS "OTEL_EXPORTER_OTLP_HEADERS" ["OTEL_EXPORTER_OTLP_TRACES_HEADERS"] =
        "Headers of each request, `name=value,name=value`, values percent-encoded; shown nowhere.";
    TIMEOUT "OTEL_EXPORTER_OTLP_TIMEOUT" ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"] =
        "Longest time for one request, in milliseconds; 10000 by default.";
    COMPRESSION "OTEL_EXPORTER_OTLP_COMPRESSION" ["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION"] =
        "`gzip` or `none`, which is the default.";
    CERTIFICATE "OTEL_EXPORTER_OTLP_CERTIFICATE" ["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE"] =
        "PEM file of the authorities to trust instead of the system's.";
    CLIENT_CERTIFICATE "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE" ["OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE"] =
        "PEM file of our own certificate, with its chain.";
    CLIENT_KEY "OTEL_EXPORTER_OTLP_CLIENT_KEY" ["OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY"] =
        "PEM file of its key.";
    INSECURE "OTEL_EXPORTER_OTLP_INSECURE" ["OTEL_EXPORTER_OTLP_TRACES_INSECURE"] =
        "`true` for an address without a scheme that is not encrypted; gRPC only.";
    RESOURCE_ATTRIBUTES "OTEL_RESOURCE_ATTRIBUTES" =
        "Attributes of the resource, `key=value,key=value`, percent-encoded. Operations' spans get all but `service.name`, `service.version` and `service.instance.id`, which tell of the exporter.";
    SERVICE_NAME "OTEL_SERVICE_NAME" =
        "`service.name` of the exporter's own traces; operations have `traces.service_name`.";
    SAMPLER "OTEL_TRACES_SAMPLER" =
        "Sampler of the exporter's own traces, over `traces.self.ratio`: `always_on`, `always_off`, `traceidratio`, or one of them after `parentbased_`. Operations are never sampled away.";
    SAMPLER_ARG "OTEL_TRACES_SAMPLER_ARG" =
        "The ratio of `traceidratio`; 1 by default.";
}

/// Begins the names of what tells how OTLP is sent.
const PREFIX: &str = "OTEL_EXPORTER_OTLP_";

/// The variable of OpenTelemetry that was meant, most likely, by one whose name is none.
pub(crate) fn meant_by(name: &str) -> Option<&'static str> {
    if !name.starts_with(PREFIX) {
        return None;
    }
    let known = VARIABLES
        .iter()
        .flat_map(|known| known.traces.into_iter().chain([known.general]));
    let nearest = known.map(|known| (edits(name, known), known)).min()?;
    (1..=EDITS_MAX).contains(&nearest.0).then_some(nearest.1)
}

/// More is another name, such as that for another signal.
const EDITS_MAX: usize = 2;

/// The environment, as far as it tells of traces.
pub(crate) struct Environment<'a>(pub(crate) &'a dyn Fn(&str) -> Option<String>);

/// A variable that is set.
#[derive(Debug)]
pub(crate) struct Given {
    /// Which of the two.
    pub(crate) name: &'static str,
    /// Without white space around it.
    pub(crate) value: String,
}

impl Environment<'_> {
    /// The value that counts; an empty one is none.
    pub(crate) fn get(&self, variable: &Variable) -> Option<Given> {
        let mut names = variable.traces.into_iter().chain([variable.general]);
        names.find_map(|name| {
            let value = (self.0)(name)?.trim().to_owned();
            (!value.is_empty()).then_some(Given { name, value })
        })
    }

    /// Those that are set, each as the one that counts.
    pub(crate) fn heard(&self) -> Vec<&'static str> {
        let heard = VARIABLES.iter().filter_map(|variable| self.get(variable));
        heard.map(|given| given.name).collect()
    }
}

impl Given {
    /// Reads the value, which a refusal does not quote.
    pub(crate) fn read<T>(&self, kind: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, Invalid> {
        read(&self.value).ok_or_else(|| self.invalid(format!("expected {kind}")))
    }

    /// A finding about it.
    pub(crate) fn invalid(&self, problem: impl Into<String>) -> Invalid {
        Invalid {
            place: Place::Environment(self.name.to_owned()),
            key: "traces".to_owned(),
            problem: problem.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_slip_is_told_and_one_for_another_signal_is_not() {
        for (name, meant) in [
            ("OTEL_EXPORTER_OTLP_ENDPIONT", Some("OTEL_EXPORTER_OTLP_ENDPOINT")),
            ("OTEL_EXPORTER_OTLP_HEADER", Some("OTEL_EXPORTER_OTLP_HEADERS")),
            (
                "OTEL_EXPORTER_OTLP_TRACE_ENDPOINT",
                Some("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
            ),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", None),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", None),
            ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", None),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", None),
            ("ENDPOINT", None),
        ] {
            assert_eq!(meant_by(name), meant, "{name}");
        }
    }
}
