//! What the exporter's own instruments show at one moment.

use crate::catalogue::{Instruments, Metric};
use crate::clock::Timestamp;
use prometheus::proto::MetricFamily;

/// The families of the registry.
pub(super) struct Readings(Vec<MetricFamily>);

impl Readings {
    /// What they show now.
    pub(super) fn of(instruments: &Instruments) -> Self {
        Self(instruments.registry().gather())
    }

    fn family(&self, metric: &Metric) -> Option<&MetricFamily> {
        self.0.iter().find(|family| family.name() == metric.name)
    }

    /// The only sample of a gauge; `None` while it is absent.
    pub(super) fn gauge(&self, metric: &Metric) -> Option<f64> {
        let sample = self.family(metric)?.get_metric().first()?;
        Some(sample.get_gauge().get_value())
    }

    /// A gauge that counts.
    pub(super) fn number(&self, metric: &Metric) -> u64 {
        whole(self.gauge(metric).unwrap_or_default())
    }

    /// A gauge in unix seconds.
    pub(super) fn moment(&self, metric: &Metric) -> Option<Timestamp> {
        let seconds = i64::try_from(whole(self.gauge(metric)?)).ok()?;
        Timestamp::from_seconds(seconds, 0)
    }

    /// The sum of a counter over the values of its last label that are wanted.
    pub(super) fn total(&self, metric: &Metric, wanted: impl Fn(&str) -> bool) -> u64 {
        let name = metric.labels.last().copied().unwrap_or_default();
        let samples = self
            .family(metric)
            .map(MetricFamily::get_metric)
            .unwrap_or_default();
        let is_wanted = |sample: &&prometheus::proto::Metric| {
            let pair = sample.get_label().iter().find(|pair| pair.name() == name);
            wanted(pair.map_or("", |pair| pair.value()))
        };
        samples
            .iter()
            .filter(is_wanted)
            .map(|sample| whole(sample.get_counter().get_value()))
            .sum()
    }
}

/// A number of things; instruments have them as floats.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and unix seconds are far below 2^53, and a cast of floats saturates"
)]
fn whole(value: f64) -> u64 {
    value as u64
}
