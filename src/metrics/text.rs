//! The text formats: Prometheus 0.0.4 and 1.0.0, and OpenMetrics 1.0.0.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>,
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>

use crate::catalogue::Metric;
use crate::metrics::buffer::{Buffer, Output};
use crate::metrics::number::{Number, bound};
use crate::metrics::sink::{Label, Observations, Sink, UserLabels};
use crate::model::Exemplar;

/// Writes lines.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) out: Buffer,
    open_metrics: bool,
    metric: Option<&'static Metric>,
    /// Whether the family's HELP and TYPE are still to be written.
    head_due: bool,
    /// What stands before each label's value: the name and the opening, then the separators.
    leads: Vec<Box<[u8]>>,
}

impl Text {
    /// An encoder of OpenMetrics, or of Prometheus' own format.
    pub(super) fn new(open_metrics: bool) -> Self {
        Self {
            out: Buffer::default(),
            open_metrics,
            metric: None,
            head_due: false,
            leads: Vec::new(),
        }
    }

    /// After the last family.
    pub(super) fn end(&mut self) {
        if self.open_metrics {
            self.out.bytes(b"# EOF\n");
        }
    }

    #[cold]
    fn head(&mut self) {
        self.head_due = false;
        let Some(metric) = self.metric else { return };
        let family = if self.open_metrics {
            metric.family()
        } else {
            metric.name
        };
        let unit = metric.unit.filter(|_| self.open_metrics);
        for (word, value) in [
            ("HELP", Some(metric.help)),
            ("TYPE", Some(metric.metric_type.word())),
            ("UNIT", unit),
        ] {
            let Some(value) = value else { continue };
            for part in ["# ", word, " ", family, " ", value, "\n"] {
                self.out.bytes(part.as_bytes());
            }
        }
    }

    /// The name and the labels, without what closes them.
    #[inline]
    fn labels(&mut self, labels: &[Label<'_>]) {
        if self.head_due {
            self.head();
        }
        for (lead, label) in self.leads.iter().zip(labels) {
            self.out.bytes(lead);
            match *label {
                Label::Word(word) => self.out.bytes(word.as_bytes()),
                Label::Text(text) => escaped(text, &mut self.out),
            }
        }
    }

    /// The name and the labels.
    #[inline]
    fn series(&mut self, labels: &[Label<'_>]) {
        self.labels(labels);
        match labels {
            [] => self.bare(""),
            _ => self.out.bytes(b"\"} "),
        }
    }

    /// A name without labels.
    fn bare(&mut self, suffix: &str) {
        let name = self.metric.map_or("", |metric| metric.name);
        for part in [name, suffix, " "] {
            self.out.bytes(part.as_bytes());
        }
    }

    /// The name with a suffix, the labels and, for a bucket, its bound: the lines of a histogram.
    fn suffixed(&mut self, suffix: &str, labels: &[Label<'_>], le: Option<f64>) {
        let Some(metric) = self.metric else { return };
        if labels.is_empty() && le.is_none() {
            return self.bare(suffix);
        }
        self.out.bytes(metric.name.as_bytes());
        self.out.bytes(suffix.as_bytes());
        let mut separator = "{";
        for (name, label) in metric.labels.iter().zip(labels) {
            for part in [separator, name, "=\""] {
                self.out.bytes(part.as_bytes());
            }
            let (Label::Word(value) | Label::Text(value)) = *label;
            escaped(value, &mut self.out);
            separator = "\",";
        }
        if let Some(le) = le {
            self.out.bytes(separator.as_bytes());
            self.out.bytes(b"le=\"");
            bound(le, &mut self.out);
        }
        self.out.bytes(b"\"} ");
    }

    fn exemplar(&mut self, exemplar: Option<&Exemplar>) {
        let Some(exemplar) = exemplar.filter(|_| self.open_metrics) else {
            return;
        };
        self.out.bytes(b" # {trace_id=\"");
        self.out.bytes(&hex(exemplar.trace_id).concat());
        self.out.bytes(b"\",span_id=\"");
        self.out.bytes(&hex(exemplar.span_id).concat());
        self.out.bytes(b"\"} ");
        exemplar.value.write(&mut self.out);
        self.out.byte(b' ');
        exemplar.at.write(&mut self.out);
    }
}

impl Sink for Text {
    fn begin(&mut self, metric: &'static Metric) {
        self.metric = Some(metric);
        self.head_due = true;
        let openings =
            std::iter::once(format!("{}{{", metric.name)).chain(std::iter::repeat("\",".to_owned()));
        let leads = openings
            .zip(metric.labels)
            .map(|(opening, name)| format!("{opening}{name}=\""));
        self.leads = leads.map(|lead| lead.into_bytes().into_boxed_slice()).collect();
    }

    #[inline]
    fn sample(&mut self, labels: &[Label<'_>], value: impl Number) {
        self.series(labels);
        value.write(&mut self.out);
        self.out.byte(b'\n');
    }

    fn info(&mut self, labels: &[Label<'_>], user: UserLabels<'_>) {
        self.labels(labels);
        for (name, value) in user.iter() {
            for part in ["\",", name, "=\""] {
                self.out.bytes(part.as_bytes());
            }
            escaped(value, &mut self.out);
        }
        self.out.bytes(b"\"} 1\n");
    }

    fn counter(&mut self, labels: &[Label<'_>], value: u64, exemplar: Option<&Exemplar>) {
        self.series(labels);
        value.write(&mut self.out);
        self.exemplar(exemplar);
        self.out.byte(b'\n');
    }

    fn histogram(&mut self, labels: &[Label<'_>], histogram: &impl Observations) {
        if self.head_due {
            self.head();
        }
        for (le, count, exemplar) in histogram.classic() {
            self.suffixed("_bucket", labels, Some(le));
            count.write(&mut self.out);
            self.exemplar(exemplar);
            self.out.byte(b'\n');
        }
        self.suffixed("_sum", labels, None);
        histogram.sum().write(&mut self.out);
        self.out.byte(b'\n');
        self.suffixed("_count", labels, None);
        histogram.count().write(&mut self.out);
        self.out.byte(b'\n');
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.out.is_full()
    }
}

/// Text with backslash, quote and line feed escaped: what a label's value needs in every text format.
fn escaped(text: &str, out: &mut Buffer) {
    let mut rest = text.as_bytes();
    while let Some(place) = rest.iter().position(|byte| matches!(byte, b'\\' | b'"' | b'\n')) {
        let (clean, tail) = rest.split_at(place);
        out.bytes(clean);
        rest = match tail.split_first() {
            Some((b'\n', tail)) => {
                out.bytes(b"\\n");
                tail
            }
            Some((byte, tail)) => {
                out.bytes(&[b'\\', *byte]);
                tail
            }
            None => tail,
        };
    }
    out.bytes(rest);
}

/// Lower-case hexadecimal digits, two a byte.
pub(super) fn hex<const N: usize>(bytes: [u8; N]) -> [[u8; 2]; N] {
    let digit = |nibble: u8| {
        if nibble < 10 {
            b'0' + nibble
        } else {
            b'a' + nibble - 10
        }
    };
    bytes.map(|byte| [digit(byte >> 4), digit(byte & 15)])
}
