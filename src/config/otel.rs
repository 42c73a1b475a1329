//! Variables of OpenTelemetry, laid over the section `traces`.
//!
//! What they mean is OpenTelemetry's, not ours: <https://opentelemetry.io/docs/specs/otel/protocol/exporter/> and
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>. They are read while operations
//! are traced, and not otherwise: a machine may have them for other programs.

mod variables;

pub(crate) use variables::VARIABLES;
pub(crate) use variables::meant_by;

use crate::config::error::Invalid;
use crate::config::node::Node;
use crate::config::traces::{Enabled, Protocol, Traces};
use crate::delivery::{
    Collector, Endpoint, Exporter, Headers, OwnSettings, OwnTraces, Sampling, Settings, Tls,
};
use crate::limits::{RESOURCE_ATTRIBUTES_MAX, TEXT_BYTES_MAX};
use percent_encoding::percent_decode_str;
use std::path::PathBuf;
use std::time::Duration;
use variables::{Environment, Given};

/// What section and variables say together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Otel {
    /// How spans are sent; `None` while operations are not traced.
    pub(crate) delivery: Option<Settings>,
    /// Attributes for the resource of every span of operations.
    pub(crate) resource_attributes: Vec<(String, String)>,
    /// Files that must be readable, with the variable that names each.
    pub(crate) files: Vec<(&'static str, PathBuf)>,
    /// Variables that are set.
    pub(crate) heard: Vec<&'static str>,
}

/// Where spans go, by `OTEL_TRACES_EXPORTER`.
#[derive(Clone, Copy, PartialEq)]
enum Destination {
    Collector,
    Console,
    Nowhere,
}

/// Where traces are taken over HTTP, below the address of a collector.
const PATH: &str = "v1/traces";

/// Longest time for a request, unless it is set.
const TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT_MS_MAX: u64 = 600_000;

/// What is told by attributes of the exporter's own resource, and would be wrong for the operations'.
const OWN_ATTRIBUTES: [&str; 3] = ["service.name", "service.version", "service.instance.id"];

impl Otel {
    /// Reads what is there.
    pub(crate) fn read(
        traces: &Traces,
        node: &Node,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Invalid> {
        let environment = Environment(variables);
        if traces.enabled == Enabled::No || is_true(&environment, &variables::SDK_DISABLED)? {
            return Ok(Self::default());
        }
        let destination = destination(&environment)?;
        let has_endpoint = traces.endpoint.is_some() || environment.get(&variables::ENDPOINT).is_some();
        let is_wanted = traces.enabled == Enabled::Yes || has_endpoint || destination == Destination::Console;
        if destination == Destination::Nowhere || !is_wanted {
            return Ok(Self::default());
        }
        let mut files = Vec::new();
        let exporter = match destination {
            Destination::Console => Exporter::Console,
            _ => Exporter::Collector(Box::new(collector(traces, node, &environment, &mut files)?)),
        };
        let attributes = resource_attributes(&environment)?;
        let own = traces
            .own
            .enabled
            .then(|| own(traces.own.ratio, &attributes, &environment));
        let own = own.transpose()?.map(OwnTraces::new);
        let is_theirs = |(key, _): &(String, String)| !OWN_ATTRIBUTES.contains(&key.as_str());
        Ok(Self {
            delivery: Some(Settings {
                exporter,
                own,
                enabled_by: enabled_by(traces, destination, &environment),
            }),
            resource_attributes: attributes.into_iter().filter(is_theirs).collect(),
            files,
            heard: environment.heard(),
        })
    }
}

/// The key or variable because of which operations are traced; what says so outright goes first.
fn enabled_by(traces: &Traces, destination: Destination, environment: &Environment<'_>) -> &'static str {
    let endpoint = environment.get(&variables::ENDPOINT);
    match (destination, endpoint) {
        _ if traces.enabled == Enabled::Yes => "traces.enabled",
        (Destination::Console, _) => variables::TRACES_EXPORTER.general,
        (_, Some(given)) => given.name,
        (_, None) => "traces.endpoint",
    }
}

fn destination(environment: &Environment<'_>) -> Result<Destination, Invalid> {
    let Some(given) = environment.get(&variables::TRACES_EXPORTER) else {
        return Ok(Destination::Collector);
    };
    given.read("one of otlp, console, none", |word| match word {
        "otlp" => Some(Destination::Collector),
        "console" => Some(Destination::Console),
        "none" => Some(Destination::Nowhere),
        _ => None,
    })
}

fn collector(
    traces: &Traces,
    node: &Node,
    environment: &Environment<'_>,
    files: &mut Vec<(&'static str, PathBuf)>,
) -> Result<Collector, Invalid> {
    let protocol = protocol(traces, environment)?;
    let headers = environment.get(&variables::HEADERS).map(|given| {
        Headers::parse(&given.value).map_err(|error| {
            given.invalid(format!(
                "expected name=value,name=value with percent-encoded values: {error}"
            ))
        })
    });
    let mut file = |variable| {
        let given = environment.get(variable)?;
        files.push((given.name, PathBuf::from(&given.value)));
        Some(PathBuf::from(given.value))
    };
    let tls = Tls {
        certificate: file(&variables::CERTIFICATE),
        client_certificate: file(&variables::CLIENT_CERTIFICATE),
        client_key: file(&variables::CLIENT_KEY),
    };
    match (
        environment.get(&variables::CLIENT_CERTIFICATE),
        environment.get(&variables::CLIENT_KEY),
    ) {
        (Some(given), None) => return Err(given.invalid("set without OTEL_EXPORTER_OTLP_CLIENT_KEY")),
        (None, Some(given)) => return Err(given.invalid("set without OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE")),
        _ => {}
    }
    Ok(Collector {
        endpoint: endpoint(traces, node, protocol, environment)?,
        protocol: protocol.into(),
        headers: headers.transpose()?.unwrap_or_default(),
        timeout: timeout(environment)?,
        is_compressed: is_compressed(environment)?,
        tls,
    })
}

/// gRPC to an endpoint of the file, HTTP as the standard has it to one of the environment.
fn protocol(traces: &Traces, environment: &Environment<'_>) -> Result<Protocol, Invalid> {
    if let Some(given) = environment.get(&variables::PROTOCOL) {
        return given.read("one of grpc, http/protobuf", |word| word.parse().ok());
    }
    let is_from_file = traces.endpoint.is_some() && environment.get(&variables::ENDPOINT).is_none();
    let default = if is_from_file {
        Protocol::Grpc
    } else {
        Protocol::Http
    };
    Ok(traces.protocol.unwrap_or(default))
}

fn endpoint(
    traces: &Traces,
    node: &Node,
    protocol: Protocol,
    environment: &Environment<'_>,
) -> Result<Endpoint, Invalid> {
    let is_insecure = is_true(environment, &variables::INSECURE)?;
    let scheme = match (protocol, is_insecure) {
        (Protocol::Grpc, true) => Some("http"),
        (Protocol::Grpc, false) => Some("https"),
        (Protocol::Http, _) => None,
    };
    let given = environment.get(&variables::ENDPOINT);
    let (parsed, is_base) = if let Some(given) = given {
        let endpoint = Endpoint::parse(&given.value, scheme);
        // The address of one signal is used as it is.
        let is_base = given.name == variables::ENDPOINT.general;
        (
            endpoint.map_err(|problem| given.invalid(format!("expected a URL: {problem}")))?,
            is_base,
        )
    } else if let Some(written) = &traces.endpoint {
        let invalid = |problem| Invalid {
            place: node.place_of("traces.endpoint"),
            key: "traces.endpoint".to_owned(),
            problem,
        };
        let endpoint = Endpoint::parse(&written.0, scheme)
            .map_err(|problem| invalid(format!("expected a URL: {problem}")))?;
        if protocol == Protocol::Http && endpoint.is_below(PATH) {
            return Err(invalid(format!(
                "must not end in /{PATH}, which is added to it over HTTP"
            )));
        }
        (endpoint, true)
    } else {
        let local = match protocol {
            Protocol::Grpc => "http://localhost:4317",
            Protocol::Http => "http://localhost:4318",
        };
        let endpoint = Endpoint::parse(local, None);
        let endpoint = endpoint.map_err(|problem| node.invalid(format!("{local}: {problem}")))?;
        (endpoint, true)
    };
    Ok(match protocol {
        Protocol::Http if is_base => parsed.below(PATH),
        Protocol::Http | Protocol::Grpc => parsed,
    })
}

fn timeout(environment: &Environment<'_>) -> Result<Duration, Invalid> {
    let Some(given) = environment.get(&variables::TIMEOUT) else {
        return Ok(TIMEOUT);
    };
    let kind = "a whole number of milliseconds from 1 to 600000";
    given.read(kind, |text| {
        let millis = text.parse().ok()?;
        (1..=TIMEOUT_MS_MAX)
            .contains(&millis)
            .then(|| Duration::from_millis(millis))
    })
}

fn is_compressed(environment: &Environment<'_>) -> Result<bool, Invalid> {
    let Some(given) = environment.get(&variables::COMPRESSION) else {
        return Ok(false);
    };
    given.read("one of gzip, none", |word| match word {
        "gzip" => Some(true),
        "none" => Some(false),
        _ => None,
    })
}

fn is_true(environment: &Environment<'_>, variable: &variables::Variable) -> Result<bool, Invalid> {
    let Some(given) = environment.get(variable) else {
        return Ok(false);
    };
    given.read("true or false", |word| word.to_ascii_lowercase().parse().ok())
}

/// Reads `key=value,key=value`, with both percent-encoded.
fn resource_attributes(environment: &Environment<'_>) -> Result<Vec<(String, String)>, Invalid> {
    let Some(given) = environment.get(&variables::RESOURCE_ATTRIBUTES) else {
        return Ok(Vec::new());
    };
    let decoded = |text: &str| {
        let text = percent_decode_str(text.trim()).decode_utf8().ok()?;
        (text.len() <= TEXT_BYTES_MAX).then(|| text.into_owned())
    };
    let kind = format!(
        "at most {RESOURCE_ATTRIBUTES_MAX} pairs key=value,key=value, percent-encoded, each side of at most \
         {TEXT_BYTES_MAX} bytes"
    );
    given.read(&kind, |text| {
        let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
        let pairs: Option<Vec<_>> = pairs
            .map(|pair| {
                let (key, value) = pair.split_once('=')?;
                let key = decoded(key).filter(|key| !key.is_empty())?;
                Some((key, decoded(value)?))
            })
            .collect();
        pairs.filter(|pairs| pairs.len() <= RESOURCE_ATTRIBUTES_MAX)
    })
}

/// The exporter's own traces; a variable names it, and another one chooses what is recorded.
fn own(
    ratio: f64,
    attributes: &[(String, String)],
    environment: &Environment<'_>,
) -> Result<OwnSettings, Invalid> {
    let mut attributes = attributes.to_vec();
    if let Some(given) = environment.get(&variables::SERVICE_NAME) {
        attributes.retain(|(key, _)| key != "service.name");
        attributes.push(("service.name".to_owned(), given.value));
    }
    let (sampling, is_parent_based) = match environment.get(&variables::SAMPLER) {
        None => (Sampling::Ratio(ratio), true),
        Some(given) => sampling(&given, environment)?,
    };
    Ok(OwnSettings {
        resource_attributes: attributes,
        sampling,
        is_parent_based,
    })
}

fn sampling(given: &Given, environment: &Environment<'_>) -> Result<(Sampling, bool), Invalid> {
    let (root, is_parent_based) = match given.value.strip_prefix("parentbased_") {
        Some(root) => (root, true),
        None => (given.value.as_str(), false),
    };
    let sampling = match root {
        "always_on" => Sampling::Always,
        "always_off" => Sampling::Never,
        "traceidratio" => Sampling::Ratio(match environment.get(&variables::SAMPLER_ARG) {
            None => 1.0,
            Some(given) => given.read("a number from 0 to 1", |text| {
                text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio))
            })?,
        }),
        _ => {
            return Err(given.invalid(
                "expected one of always_on, always_off, traceidratio, or one of them after parentbased_",
            ));
        }
    };
    Ok((sampling, is_parent_based))
}
