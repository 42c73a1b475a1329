//! A histogram as plain data: classic buckets, native buckets, and the newest exemplar of each classic one.

use crate::clock::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Upper bounds of classic buckets, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Buckets(pub &'static [f64]);

impl Buckets {
    /// From half a minute of admission to a week of training; the metric contract asks for 10 s to 7 d.
    pub const RUNS: Self = Self(&[
        10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 43_200.0, 86_400.0,
        172_800.0, 604_800.0,
    ]);
}

/// An observation worth following up: the trace of the operation that made it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar {
    /// The trace, in W3C's byte order.
    pub trace_id: [u8; 16],
    /// The span in it.
    pub span_id: [u8; 8],
    /// The value observed.
    pub value: f64,
    /// When it was observed.
    pub at: Timestamp,
}

/// Counts of observations in seconds.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(from = "HistogramRecord", into = "HistogramRecord")]
pub struct Histogram {
    buckets: Buckets,
    counts: Box<[u64]>,
    exemplars: BTreeMap<usize, Exemplar>,
    native: BTreeMap<i32, u64>,
    zero_count: u64,
    count: u64,
    sum: f64,
}

impl Histogram {
    /// Resolution of the native buckets: each is 2^(1/8), about 9 %, wider than the one before; see
    /// <https://prometheus.io/docs/specs/native_histograms/#schema>.
    pub const SCHEMA: i32 = 3;

    /// Width of the native zero bucket, in seconds: no duration of the API is told more exactly.
    pub const ZERO_THRESHOLD: f64 = 0.001;

    /// Native bucket of about ten years; longer ones share it, so that their number is bounded.
    const NATIVE_INDEX_MAX: i32 = 28 * 8;

    /// An empty one.
    pub fn new(buckets: Buckets) -> Self {
        Self {
            buckets,
            counts: vec![0; buckets.0.len() + 1].into_boxed_slice(),
            exemplars: BTreeMap::new(),
            native: BTreeMap::new(),
            zero_count: 0,
            count: 0,
            sum: 0.0,
        }
    }

    /// Counts one duration; the exemplar, if any, replaces the one of its classic bucket, with the duration as its
    /// value.
    pub fn observe(&mut self, duration: Duration, exemplar: Option<Exemplar>) {
        let seconds = duration.as_secs_f64();
        let place = self.buckets.0.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        if let Some(exemplar) = exemplar {
            let exemplar = Exemplar {
                value: seconds,
                ..exemplar
            };
            self.exemplars.insert(place, exemplar);
        }
        if seconds <= Self::ZERO_THRESHOLD {
            self.zero_count += 1;
        } else {
            *self.native.entry(native_index(seconds)).or_insert(0) += 1;
        }
        self.count += 1;
        self.sum += seconds;
    }

    /// The same as a restart leaves it.
    #[cfg(test)]
    pub(crate) fn without_exemplars(&self) -> Self {
        Self {
            exemplars: BTreeMap::new(),
            ..self.clone()
        }
    }

    /// Observations in all.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum, in seconds.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Classic buckets, cumulative: upper bound (the last is infinite), count, newest exemplar.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64, Option<&Exemplar>)> {
        let bounds = self.buckets.0.iter().copied().chain([f64::INFINITY]);
        let mut total = 0;
        bounds
            .zip(self.counts.iter())
            .enumerate()
            .map(move |(place, (bound, count))| {
                total += *count;
                (bound, total, self.exemplars.get(&place))
            })
    }

    /// Native buckets: index and count, ascending.
    pub fn native(&self) -> impl Iterator<Item = (i32, u64)> {
        self.native.iter().map(|(index, count)| (*index, *count))
    }

    /// Observations in the native zero bucket.
    pub fn zero_count(&self) -> u64 {
        self.zero_count
    }
}

/// What of a histogram survives a restart. Exemplars do not: the next observation brings its own.
#[derive(serde::Serialize, serde::Deserialize)]
struct HistogramRecord {
    counts: Box<[u64]>,
    native: BTreeMap<i32, u64>,
    zero_count: u64,
    count: u64,
    sum: f64,
}

impl From<Histogram> for HistogramRecord {
    fn from(histogram: Histogram) -> Self {
        Self {
            counts: histogram.counts,
            native: histogram.native,
            zero_count: histogram.zero_count,
            count: histogram.count,
            sum: histogram.sum,
        }
    }
}

impl From<HistogramRecord> for Histogram {
    /// One with other bounds than today's begins anew.
    fn from(record: HistogramRecord) -> Self {
        let empty = Self::new(Buckets::RUNS);
        if record.counts.len() != empty.counts.len() {
            return empty;
        }
        Self {
            counts: record.counts,
            native: record.native,
            zero_count: record.zero_count,
            count: record.count,
            sum: record.sum,
            ..empty
        }
    }
}

/// The native bucket of a value: index i holds (2^((i-1)/8), 2^(i/8)].
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "the logarithm of a duration is small"
)]
fn native_index(seconds: f64) -> i32 {
    let index = (seconds.log2() * f64::from(1 << Histogram::SCHEMA)).ceil() as i32;
    index.min(Histogram::NATIVE_INDEX_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_is_at_most_its_bound() {
        let mut histogram = Histogram::new(Buckets::RUNS);
        histogram.observe(Duration::from_secs(10), None);
        histogram.observe(Duration::from_secs(11), None);
        histogram.observe(Duration::from_secs(10_000_000), None);
        let counts: Vec<u64> = histogram.cumulative().map(|(_, count, _)| count).collect();
        assert_eq!(counts[0], 1);
        assert_eq!(counts[1], 2);
        assert_eq!(*counts.last().expect("the infinite bucket"), 3);
        assert_eq!(histogram.count(), 3);
    }

    #[test]
    fn native_buckets_close_at_powers_of_two() {
        let indexes = |seconds: &[f64]| seconds.iter().map(|s| native_index(*s)).collect::<Vec<_>>();
        assert_eq!(indexes(&[1.0, 2.0, 2.000_001, 4.0, 0.5]), [0, 8, 9, 16, -8]);
        assert_eq!(native_index(1e12), Histogram::NATIVE_INDEX_MAX);
    }
}
