//! The text formats: Prometheus 0.0.4 and 1.0.0, and OpenMetrics 1.0.0.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>,
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>

use crate::catalogue::Metric;
use crate::metrics::beginning::Beginning;
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
    row: Beginning,
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
            row: Beginning::NONE,
        }
    }

    /// After the last family.
    pub(super) fn end(&mut self) {
        if self.open_metrics {
            self.out.bytes(b"# EOF\n");
        }
    }

    /// Writes what stands before a family's first sample, once.
    #[inline]
    fn head(&mut self) {
        if self.head_due {
            self.head_due = false;
            self.write_head();
        }
    }

    #[cold]
    fn write_head(&mut self) {
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

    /// The name and the labels.
    fn series(&mut self, labels: &[Label<'_>]) {
        self.head();
        if labels.is_empty() {
            return self.bare("");
        }
        for (lead, label) in self.leads.iter().zip(labels) {
            self.out.bytes(lead);
            value(*label, &mut self.out);
        }
        self.out.bytes(b"\"} ");
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
            value(*label, &mut self.out);
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
        self.out.bytes(hex(exemplar.trace_id).as_flattened());
        self.out.bytes(b"\",span_id=\"");
        self.out.bytes(hex(exemplar.span_id).as_flattened());
        self.out.bytes(b"\"} ");
        exemplar.value.write(&mut self.out);
        self.out.byte(b' ');
        exemplar.at.write(&mut self.out);
    }

    /// Writes a line of the row, in place where it fits and otherwise piece by piece.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "two million times a scrape; see the benchmark `scrape`"
    )]
    fn row_line(&mut self, rest: impl RowRest) {
        self.head();
        let line = self
            .row
            .padded()
            .and_then(|(bytes, length)| self.out.line(bytes, length));
        if let Some(mut line) = line {
            rest.write(&self.leads, &mut line);
            if let Some(written) = line.written() {
                return self.out.keep(written);
            }
        }
        self.out.bytes(self.row.bytes());
        rest.write(&self.leads, &mut self.out);
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
        self.row = Beginning::NONE;
    }

    fn sample(&mut self, labels: &[Label<'_>], value: impl Number) {
        self.series(labels);
        value.write(&mut self.out);
        self.out.byte(b'\n');
    }

    #[inline]
    fn row(&mut self, ids: [&str; 2]) {
        if !self.row.replace(ids) {
            let closing: &[u8] = b"\"} ";
            let [first, second, rest @ ..] = &*self.leads else {
                return;
            };
            let third = rest.first().map_or(closing, |third| third);
            self.row = Beginning::new([first, second, third], ids);
        }
    }

    #[inline]
    fn row_sample(&mut self, word: Option<&str>, value: impl Number) {
        self.row_line(Value(word, value));
    }

    #[inline]
    fn row_info(&mut self, labels: &[Label<'_>], user: UserLabels<'_>) {
        self.row_line(Info(labels, user));
    }

    fn counter(&mut self, labels: &[Label<'_>], value: u64, exemplar: Option<&Exemplar>) {
        self.series(labels);
        value.write(&mut self.out);
        self.exemplar(exemplar);
        self.out.byte(b'\n');
    }

    fn histogram(&mut self, labels: &[Label<'_>], histogram: &impl Observations) {
        self.head();
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

/// What follows the beginning of a row's line.
trait RowRest: Copy {
    fn write(self, leads: &[Box<[u8]>], out: &mut impl Output);
}

#[derive(Clone, Copy)]
struct Value<'a, N>(Option<&'a str>, N);

impl<N: Number> RowRest for Value<'_, N> {
    #[inline]
    fn write(self, _: &[Box<[u8]>], out: &mut impl Output) {
        if let Some(word) = self.0 {
            out.bytes(word.as_bytes());
            out.bytes(b"\"} ");
        }
        self.1.write(out);
        out.byte(b'\n');
    }
}

#[derive(Clone, Copy)]
struct Info<'a>(&'a [Label<'a>], UserLabels<'a>);

impl RowRest for Info<'_> {
    #[inline]
    fn write(self, leads: &[Box<[u8]>], out: &mut impl Output) {
        let after_ids: &[u8] = b"";
        let separators = leads.iter().skip(3).map(|lead| &**lead);
        for (lead, label) in std::iter::once(after_ids).chain(separators).zip(self.0) {
            out.bytes(lead);
            value(*label, out);
        }
        for (name, value) in self.1.iter() {
            for part in ["\",", name, "=\""] {
                out.bytes(part.as_bytes());
            }
            escaped(value, out);
        }
        out.bytes(b"\"} 1\n");
    }
}

#[inline]
fn value(label: Label<'_>, out: &mut impl Output) {
    match label {
        Label::Word(word) => out.bytes(word.as_bytes()),
        Label::Text(text) => escaped(text, out),
    }
}

/// Text with backslash, quote and line feed escaped: what a label's value needs in every text format.
fn escaped(text: &str, out: &mut impl Output) {
    let is_special = |byte: &u8| matches!(byte, b'\\' | b'"' | b'\n');
    // Without an early end the compiler looks at many bytes at once, and nearly no text needs more.
    if !text.bytes().fold(false, |found, byte| found | is_special(&byte)) {
        return out.bytes(text.as_bytes());
    }
    for byte in text.as_bytes() {
        match byte {
            b'\n' => out.bytes(b"\\n"),
            byte if is_special(byte) => out.bytes(&[b'\\', *byte]),
            byte => out.byte(*byte),
        }
    }
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
