//! Delimited protobuf: a stream of `io.prometheus.client.MetricFamily`, each after its length.
//!
//! A family's length must be told before its first sample, so each is walked twice: once into a [`Tally`], once
//! into the chunk. Nothing of it is kept between.

use crate::catalogue::{Metric, Type};
use crate::clock::Timestamp;
use crate::metrics::beginning::Beginning;
use crate::metrics::buffer::{Buffer, Output, Tally};
use crate::metrics::number::Number;
use crate::metrics::sink::{Label, Observations, Sink, UserLabels};
use crate::metrics::text::hex;
use crate::model::{Exemplar, Histogram};

/// Tags of `proto/io/prometheus/client/metrics.proto`: field number and wire type.
mod tag {
    pub(super) const VARINT: u8 = 0;
    pub(super) const FIXED: u8 = 1;
    pub(super) const BYTES: u8 = 2;

    pub(super) const fn of(field: u8, wire_type: u8) -> u8 {
        field << 3 | wire_type
    }
}

/// Encodes the metrics of one family after the other.
#[derive(Debug)]
pub(super) struct Protobuf<O> {
    pub(super) out: O,
    metric: Option<&'static Metric>,
    row: Row,
}

/// What the metrics of one operation have in common.
#[derive(Debug)]
pub(super) struct Row {
    /// The tag of the metric, a place for its length, and the ids as label pairs.
    beginning: Beginning,
    /// The name of the third label, as a field.
    word_name: Vec<u8>,
}

/// Where a metric's fields begin behind its tag and its length, when that is short.
const FIELDS_AT: usize = 2;

/// A gauge with its tag, its length, and the value as a field.
const GAUGE_BYTES: usize = 11;

/// The first length that takes more than one byte.
const LENGTH_LONG: usize = 0x80;

impl<O: Default> Default for Protobuf<O> {
    fn default() -> Self {
        let row = Row {
            beginning: Beginning::NONE,
            word_name: Vec::new(),
        };
        Self {
            out: O::default(),
            metric: None,
            row,
        }
    }
}

impl Protobuf<Buffer> {
    /// What stands before a family's metrics, which take `metrics_bytes`.
    pub(super) fn head(&mut self, metric: &Metric, metrics_bytes: usize) {
        let head = Head(metric);
        let mut length = Tally(metrics_bytes);
        head.write(&mut length);
        varint(length.0, &mut self.out);
        head.write(&mut self.out);
    }
}

impl<O: Target> Sink for Protobuf<O> {
    fn begin(&mut self, metric: &'static Metric) {
        self.metric = Some(metric);
        self.row.beginning = Beginning::NONE;
        self.row.word_name.clear();
        if let Some(name) = metric.labels.get(2) {
            string(1, name.as_bytes(), &mut self.row.word_name);
        }
    }

    fn sample(&mut self, labels: &[Label<'_>], value: impl Number) {
        self.scalar(labels, value.double(), None);
    }

    #[inline]
    fn row(&mut self, ids: [&str; 2]) {
        if !self.row.beginning.replace(ids) {
            let names = self.metric.map(|metric| metric.labels).unwrap_or_default();
            self.row.beginning = row_beginning(names, ids);
        }
    }

    #[inline]
    fn row_sample(&mut self, word: Option<&str>, value: impl Number) {
        if !self.out.gauge(&self.row, word, value.double()) {
            let word = word.map(Label::Word);
            self.of_row(word.as_slice(), None, value.double());
        }
    }

    fn row_info(&mut self, labels: &[Label<'_>], user: UserLabels<'_>) {
        self.of_row(labels, Some(user), 1.0);
    }

    fn counter(&mut self, labels: &[Label<'_>], value: u64, exemplar: Option<&Exemplar>) {
        self.scalar(labels, value.double(), exemplar);
    }

    fn histogram(&mut self, labels: &[Label<'_>], histogram: &impl Observations) {
        let Some(metric) = self.metric else { return };
        let (names, value) = (metric.labels, &Distribution(histogram));
        let sample = Sample {
            row: &[],
            names,
            labels,
            user: None,
            field: 7,
            value,
        };
        message(4, &sample, &mut self.out);
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.out.is_full()
    }
}

impl<O: Target> Protobuf<O> {
    fn scalar(&mut self, labels: &[Label<'_>], value: f64, exemplar: Option<&Exemplar>) {
        let Some(metric) = self.metric else { return };
        let field = if metric.metric_type == Type::Counter { 3 } else { 2 };
        let (names, value) = (metric.labels, &Scalar { value, exemplar });
        let sample = Sample {
            row: &[],
            names,
            labels,
            user: None,
            field,
            value,
        };
        message(4, &sample, &mut self.out);
    }

    /// A gauge of the row, whatever its lengths.
    fn of_row(&mut self, labels: &[Label<'_>], user: Option<UserLabels<'_>>, value: f64) {
        let names = self
            .metric
            .and_then(|metric| metric.labels.get(2..))
            .unwrap_or_default();
        let row = self.row.beginning.bytes().get(FIELDS_AT..).unwrap_or_default();
        let value = &Scalar {
            value,
            exemplar: None,
        };
        let sample = Sample {
            row,
            names,
            labels,
            user,
            field: 2,
            value,
        };
        message(4, &sample, &mut self.out);
    }
}

/// The beginning of the metrics of a row.
fn row_beginning(names: &[&str], ids: [&str; 2]) -> Beginning {
    let mut pieces = [vec![tag::of(4, tag::BYTES), 0], Vec::new()];
    for ((piece, name), id) in pieces.iter_mut().zip(names).zip(ids) {
        let mut length = Tally::default();
        Pair(name.as_bytes(), id.as_bytes()).write(&mut length);
        piece.byte(tag::of(1, tag::BYTES));
        varint(length.0, piece);
        string(1, name.as_bytes(), piece);
        piece.byte(tag::of(2, tag::BYTES));
        varint(id.len(), piece);
    }
    let [first, second] = pieces;
    Beginning::new([&first, &second, &[]], ids)
}

/// What metrics are encoded to: a chunk, or a tally of what they take.
pub(super) trait Target: Output {
    /// Writes a gauge of a row by a shorter way; `false` when it is not as short as that.
    fn gauge(&mut self, row: &Row, word: Option<&str>, value: f64) -> bool;

    /// Whether to pause before the next row.
    fn is_full(&self) -> bool;
}

impl Target for Buffer {
    #[inline]
    fn gauge(&mut self, row: &Row, word: Option<&str>, value: f64) -> bool {
        let Some((bytes, length)) = row.beginning.padded() else {
            return false;
        };
        let Some(fields) = row.gauge_length(word) else {
            return false;
        };
        let Some(mut line) = self.line(bytes, length) else {
            return false;
        };
        line.patch(FIELDS_AT - 1, short(fields));
        if let Some(word) = word {
            line.bytes(&[tag::of(1, tag::BYTES), short(row.pair_length(word))]);
            line.bytes(&row.word_name);
            line.bytes(&[tag::of(2, tag::BYTES), short(word.len())]);
            line.bytes(word.as_bytes());
        }
        line.bytes(&[tag::of(2, tag::BYTES), 9, tag::of(1, tag::FIXED)]);
        line.bytes(&value.to_le_bytes());
        let Some(written) = line.written() else {
            return false;
        };
        self.keep(written);
        true
    }

    #[inline]
    fn is_full(&self) -> bool {
        Self::is_full(self)
    }
}

impl Target for Tally {
    #[inline]
    fn gauge(&mut self, row: &Row, word: Option<&str>, _: f64) -> bool {
        let Some(fields) = row.gauge_length(word) else {
            return false;
        };
        self.0 += FIELDS_AT + fields;
        true
    }

    #[inline]
    fn is_full(&self) -> bool {
        false
    }
}

impl Row {
    /// The length of the third label's pair.
    #[inline]
    fn pair_length(&self, word: &str) -> usize {
        self.word_name.len() + 2 + word.len()
    }

    /// The length of a gauge's fields; `None` unless one byte tells it, and so every length inside.
    #[inline]
    fn gauge_length(&self, word: Option<&str>) -> Option<usize> {
        let pair = word.map_or(0, |word| 2 + self.pair_length(word));
        let length = (self.beginning.length() + pair + GAUGE_BYTES).checked_sub(FIELDS_AT)?;
        (length < LENGTH_LONG).then_some(length)
    }
}

/// A length that one byte tells.
#[inline]
fn short(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

/// The fields of one message.
trait Body {
    fn write(&self, out: &mut impl Output);
}

/// A message as a field of another: its tag, its length, its fields.
#[inline]
fn message(field: u8, body: &impl Body, out: &mut impl Output) {
    let mut length = Tally::default();
    body.write(&mut length);
    out.byte(tag::of(field, tag::BYTES));
    varint(length.0, out);
    body.write(out);
}

#[inline]
fn string(field: u8, text: &[u8], out: &mut impl Output) {
    out.byte(tag::of(field, tag::BYTES));
    varint(text.len(), out);
    out.bytes(text);
}

#[inline]
fn double(field: u8, value: f64, out: &mut impl Output) {
    out.byte(tag::of(field, tag::FIXED));
    out.bytes(&value.to_le_bytes());
}

/// An unsigned number in base 128, least significant group first.
#[inline]
fn varint(number: impl TryInto<u64>, out: &mut impl Output) {
    let mut rest = number.try_into().unwrap_or(0);
    while let Some(more) = (rest >> 7 != 0).then_some(0x80) {
        out.byte(low_bits(rest) | more);
        rest >>= 7;
    }
    out.byte(low_bits(rest));
}

#[inline]
fn low_bits(number: u64) -> u8 {
    u8::try_from(number & 0x7f).unwrap_or(0)
}

fn unsigned(field: u8, number: u64, out: &mut impl Output) {
    out.byte(tag::of(field, tag::VARINT));
    varint(number, out);
}

/// A signed number, folded so that small ones are short: `sint32` and `sint64`.
fn signed(field: u8, number: i64, out: &mut impl Output) {
    unsigned(field, ((number << 1) ^ (number >> 63)).cast_unsigned(), out);
}

/// `MetricFamily` without its metrics.
struct Head<'a>(&'a Metric);

impl Body for Head<'_> {
    fn write(&self, out: &mut impl Output) {
        string(1, self.0.name.as_bytes(), out);
        string(2, self.0.help.as_bytes(), out);
        let metric_type = match self.0.metric_type {
            Type::Counter => 0,
            Type::Gauge => 1,
            Type::Histogram => 4,
        };
        unsigned(3, metric_type, out);
        if let Some(unit) = self.0.unit {
            string(5, unit.as_bytes(), out);
        }
    }
}

/// `Metric`.
struct Sample<'a, V> {
    /// Label pairs that are encoded already.
    row: &'a [u8],
    names: &'a [&'static str],
    labels: &'a [Label<'a>],
    user: Option<UserLabels<'a>>,
    field: u8,
    value: &'a V,
}

impl<V: Body> Body for Sample<'_, V> {
    #[inline]
    fn write(&self, out: &mut impl Output) {
        out.bytes(self.row);
        for (name, label) in self.names.iter().zip(self.labels) {
            let (Label::Word(value) | Label::Text(value)) = *label;
            message(1, &Pair(name.as_bytes(), value.as_bytes()), out);
        }
        for (name, value) in self.user.into_iter().flat_map(UserLabels::iter) {
            message(1, &Pair(name.as_bytes(), value.as_bytes()), out);
        }
        message(self.field, self.value, out);
    }
}

/// `LabelPair`.
struct Pair<'a>(&'a [u8], &'a [u8]);

impl Body for Pair<'_> {
    #[inline]
    fn write(&self, out: &mut impl Output) {
        string(1, self.0, out);
        string(2, self.1, out);
    }
}

/// `Gauge` or `Counter`.
struct Scalar<'a> {
    value: f64,
    exemplar: Option<&'a Exemplar>,
}

impl Body for Scalar<'_> {
    #[inline]
    fn write(&self, out: &mut impl Output) {
        double(1, self.value, out);
        if let Some(exemplar) = self.exemplar {
            message(2, exemplar, out);
        }
    }
}

impl Body for Exemplar {
    fn write(&self, out: &mut impl Output) {
        message(1, &Pair(b"trace_id", &hex(self.trace_id).concat()), out);
        message(1, &Pair(b"span_id", &hex(self.span_id).concat()), out);
        double(2, self.value, out);
        message(3, &self.at, out);
    }
}

/// `google.protobuf.Timestamp`, at the resolution of the text formats.
impl Body for Timestamp {
    fn write(&self, out: &mut impl Output) {
        let millis = self.millis().unsigned_abs();
        unsigned(1, millis / 1000, out);
        unsigned(2, millis % 1000 * 1_000_000, out);
    }
}

/// `Histogram`: classic buckets always, since a server without native histograms reads those.
struct Distribution<'a, H>(&'a H);

impl<H: Observations> Body for Distribution<'_, H> {
    fn write(&self, out: &mut impl Output) {
        unsigned(1, self.0.count(), out);
        double(2, self.0.sum(), out);
        for bucket in self.0.classic() {
            message(3, &Bucket(bucket), out);
        }
        let Some(native) = self.0.native() else { return };
        signed(5, i64::from(Histogram::SCHEMA), out);
        double(6, Histogram::ZERO_THRESHOLD, out);
        unsigned(7, native.zero_count(), out);
        for span in spans(native) {
            message(12, &span, out);
        }
        let mut before = 0;
        for (_, count) in native.native() {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            signed(13, count - before, out);
            before = count;
        }
        for (_, _, exemplar) in self.0.classic() {
            if let Some(exemplar) = exemplar {
                // Field 16 and above take two bytes of tag.
                let mut length = Tally::default();
                exemplar.write(&mut length);
                varint(u64::from(tag::BYTES) | 16 << 3, out);
                varint(length.0, out);
                exemplar.write(out);
            }
        }
    }
}

/// `Bucket`.
struct Bucket<'a>((f64, u64, Option<&'a Exemplar>));

impl Body for Bucket<'_> {
    fn write(&self, out: &mut impl Output) {
        let (bound, count, exemplar) = self.0;
        unsigned(1, count, out);
        double(2, bound, out);
        if let Some(exemplar) = exemplar {
            message(3, exemplar, out);
        }
    }
}

/// `BucketSpan`: a run of native buckets without a gap.
#[derive(Clone, Copy)]
struct Span {
    offset: i32,
    length: u32,
}

impl Body for Span {
    fn write(&self, out: &mut impl Output) {
        signed(1, i64::from(self.offset), out);
        unsigned(2, u64::from(self.length), out);
    }
}

/// The runs of a histogram's native buckets.
fn spans(histogram: &Histogram) -> impl Iterator<Item = Span> {
    let mut indexes = histogram.native().map(|(index, _)| index).peekable();
    let mut end = 0;
    std::iter::from_fn(move || {
        let first = indexes.next()?;
        let offset = first - end;
        end = first + 1;
        let mut length = 1;
        while indexes.next_if_eq(&end).is_some() {
            end += 1;
            length += 1;
        }
        Some(Span { offset, length })
    })
}
