//! Which format a client understands best, by its `Accept`.
//!
//! <https://prometheus.io/docs/instrumenting/content_negotiation/>

/// A format with what the client asked of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// Which one.
    pub kind: FormatKind,
    /// The scheme for names outside the old character set, when the client named one. Our names are inside,
    /// so that every scheme leaves them as they are, and the answer says the one that was asked for.
    pub escaping: Option<Escaping>,
}

/// A format of the exposition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FormatKind {
    /// Prometheus' text, version 0.0.4: what everyone understands.
    #[default]
    Text,
    /// Prometheus' text, version 1.0.0.
    Text1,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
    /// Delimited protobuf, `io.prometheus.client.MetricFamily`.
    Protobuf,
}

/// How names outside the old character set are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escaping {
    /// As they are.
    AllowUtf8,
    /// With underscores.
    Underscores,
    /// With dots kept apart.
    Dots,
    /// By their code points.
    Values,
}

/// How closely a media range names a format; a closer one decides over a wider one.
type Closeness = u8;

/// A media range of an `Accept` header.
struct Range<'a> {
    place: usize,
    media_type: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: f32,
}

impl FormatKind {
    /// All formats, the one for clients without a wish first.
    const ALL: [Self; 4] = [Self::Text, Self::Text1, Self::OpenMetrics, Self::Protobuf];

    /// How closely the range names this format; `None` when it does not.
    fn closeness(self, range: &Range<'_>) -> Option<Closeness> {
        let is = |name, value| {
            range
                .parameter(name)
                .map(|given| given.eq_ignore_ascii_case(value))
        };
        let versioned = |wanted| match is("version", wanted) {
            Some(true) => Some(3),
            Some(false) => None,
            None => Some(2),
        };
        let own = match (self, range.media_type) {
            (Self::Text, "text/plain") => return versioned("0.0.4"),
            (Self::Text1, "text/plain") => return versioned("1.0.0").filter(|closeness| *closeness == 3),
            (Self::OpenMetrics, "application/openmetrics-text") => return versioned("1.0.0"),
            (Self::Protobuf, "application/vnd.google.protobuf") => {
                let delimited = is("encoding", "delimited") == Some(true);
                let families = is("proto", "io.prometheus.client.MetricFamily") == Some(true);
                return (delimited && families).then_some(3);
            }
            (Self::Text | Self::Text1, _) => "text/*",
            (Self::OpenMetrics | Self::Protobuf, _) => "application/*",
        };
        match range.media_type {
            "*/*" => Some(0),
            any if any == own => Some(1),
            _ => None,
        }
    }
}

impl Format {
    /// The best of what an `Accept` header allows; text 0.0.4 for a client that names nothing we have.
    pub fn negotiate(accept: &str) -> Self {
        let ranges: Vec<Range<'_>> = accept
            .split(',')
            .enumerate()
            .filter_map(|(place, range)| Range::parse(place, range))
            .collect();
        let mut best: Option<(&Range<'_>, FormatKind)> = None;
        for kind in FormatKind::ALL {
            let named = ranges
                .iter()
                .filter_map(|range| Some((kind.closeness(range)?, range)))
                .max_by_key(|(closeness, range)| (*closeness, usize::MAX - range.place));
            let Some((_, range)) = named.filter(|(_, range)| range.quality > 0.0) else {
                continue;
            };
            let is_better = best.is_none_or(|(chosen, _)| {
                range.quality > chosen.quality
                    || (range.quality >= chosen.quality && range.place < chosen.place)
            });
            if is_better {
                best = Some((range, kind));
            }
        }
        best.map_or_else(Self::default, |(range, kind)| Self {
            kind,
            escaping: range.escaping(),
        })
    }

    /// The value of `Content-Type`.
    pub fn content_type(self) -> String {
        let base = match self.kind {
            FormatKind::Text => "text/plain; version=0.0.4; charset=utf-8",
            FormatKind::Text1 => "text/plain; version=1.0.0; charset=utf-8",
            FormatKind::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            FormatKind::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        };
        match self.escaping.filter(|_| self.kind != FormatKind::Text) {
            Some(escaping) => format!("{base}; escaping={}", escaping.word()),
            None => base.to_owned(),
        }
    }
}

impl Escaping {
    const ALL: [Self; 4] = [Self::AllowUtf8, Self::Underscores, Self::Dots, Self::Values];

    /// The value of the parameter `escaping`.
    pub fn word(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }
}

impl<'a> Range<'a> {
    fn parse(place: usize, range: &'a str) -> Option<Self> {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().filter(|media_type| !media_type.is_empty())?;
        let parameters: Vec<_> = parts
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
            .collect();
        let weight = parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case("q"));
        let quality = weight.map_or(Some(1.0), |(_, weight)| quality(weight))?;
        Some(Self {
            place,
            media_type,
            parameters,
            quality,
        })
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        let found = self
            .parameters
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| *value)
    }

    fn escaping(&self) -> Option<Escaping> {
        let asked = self.parameter("escaping")?;
        Escaping::ALL
            .into_iter()
            .find(|escaping| escaping.word() == asked)
    }
}

/// A weight between 0 and 1; `None` for anything else.
pub(super) fn quality(weight: &str) -> Option<f32> {
    weight.parse().ok().filter(|weight| (0.0..=1.0).contains(weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What three versions of Prometheus send, by `scrape/scrape.go` of each.
    const SENT: [(&str, &str, FormatKind, Option<Escaping>); 6] = [
        (
            "2.42",
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            FormatKind::OpenMetrics,
            None,
        ),
        (
            "2.42 with native histograms",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
             application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            FormatKind::Protobuf,
            None,
        ),
        (
            "2.53",
            "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            FormatKind::OpenMetrics,
            None,
        ),
        (
            "2.53 with native histograms",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.5,\
             application/openmetrics-text;version=1.0.0;q=0.4,application/openmetrics-text;version=0.0.1;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            FormatKind::Protobuf,
            None,
        ),
        (
            "3.5",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            FormatKind::OpenMetrics,
            Some(Escaping::AllowUtf8),
        ),
        (
            "3.5 with native histograms",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
             application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            FormatKind::Protobuf,
            None,
        ),
    ];

    #[test]
    fn every_prometheus_gets_the_format_it_prefers() {
        for (version, accept, kind, escaping) in SENT {
            assert_eq!(Format::negotiate(accept), Format { kind, escaping }, "{version}");
        }
    }

    #[test]
    fn a_client_that_names_nothing_we_have_gets_the_oldest_text() {
        for accept in [
            "",
            "*/*",
            "text/*",
            "text/plain",
            "application/json",
            "text/plain;version=9",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "application/vnd.google.protobuf",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
            ";;;,,q=",
        ] {
            assert_eq!(Format::negotiate(accept).kind, FormatKind::Text, "{accept}");
        }
    }

    #[test]
    fn weights_decide_and_the_closest_range_tells_the_weight() {
        let chosen = |accept| Format::negotiate(accept).kind;
        assert_eq!(
            chosen("text/plain;q=0.5, application/openmetrics-text;q=0.7"),
            FormatKind::OpenMetrics
        );
        assert_eq!(chosen("text/plain;version=1.0.0"), FormatKind::Text1);
        assert_eq!(
            chosen("TEXT/plain;Version=\"1.0.0\";q=0.3,text/plain;version=1.0.0;q=1"),
            FormatKind::Text1
        );
        assert_eq!(chosen("application/*"), FormatKind::OpenMetrics);
        assert_eq!(chosen("application/openmetrics-text;q=0, */*"), FormatKind::Text);
        assert_eq!(
            chosen("text/plain;q=0, application/*;q=0.1"),
            FormatKind::OpenMetrics
        );
        assert_eq!(
            chosen("application/openmetrics-text;q=2, text/plain;q=0.1"),
            FormatKind::Text
        );
    }

    #[test]
    fn the_scheme_for_names_is_echoed() {
        let asked = Format::negotiate("text/plain;version=1.0.0;escaping=underscores");
        assert_eq!(
            asked.content_type(),
            "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"
        );
        let unknown = Format::negotiate("application/openmetrics-text;version=1.0.0;escaping=rot13");
        assert_eq!(
            unknown.content_type(),
            "application/openmetrics-text; version=1.0.0; charset=utf-8"
        );
    }
}
