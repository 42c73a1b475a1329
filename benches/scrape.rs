//! The cost of a scrape: 100 000 jobs, some two million series.
//!
//! `cargo bench --bench scrape [-- JOBS [NAME…]]` prints the table. Rounds are interleaved, so that what disturbs one
//! contender disturbs all; the figures that count are ratios.

use bytes::Bytes;
use datasphere_exporter::catalogue::Instruments;
use datasphere_exporter::clock::Timestamp;
use datasphere_exporter::metrics::{Encoded, Encoding, Exposition, Format, FormatKind, Settings};
use datasphere_exporter::model::{
    About, Boundary, JobStatus, Kind, OperationKey, Outcome, OutputErrors, Progress, Reported, Source, State,
    StatusTimes, Text, TrackedOperation, View,
};
use peak_alloc::PeakAlloc;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, Registry, TextEncoder};
use rustix::time::{ClockId, clock_gettime};
use smol_str::SmolStr;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const REGISTRY: &str = "prometheus Collector + TextEncoder";
const ROUNDS: usize = 7;
const NOW: i64 = 1_767_225_600;

fn main() -> ExitCode {
    let wishes = std::env::args().skip(1).filter(|wish| !wish.starts_with('-'));
    let (jobs, names): (Vec<_>, Vec<_>) = wishes.partition(|wish| wish.parse::<u64>().is_ok());
    let jobs = jobs.first().and_then(|jobs| jobs.parse().ok()).unwrap_or(100_000);
    match run(jobs, &names) {
        Some(table) => {
            out(&table);
            ExitCode::SUCCESS
        }
        None => ExitCode::FAILURE,
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its table")]
fn out(table: &str) {
    println!("{table}");
}

/// What is compared: each is run once a round.
struct Contender<'a> {
    name: &'static str,
    run: Box<dyn FnMut() -> usize + 'a>,
    best: Duration,
    bytes: usize,
    extra_bytes: usize,
}

fn run(jobs: u64, only: &[String]) -> Option<String> {
    let before = MEMORY.current_usage();
    let view = Arc::new(fleet(jobs)?);
    let held = MEMORY.current_usage() - before;

    let instruments = Instruments::new("0", "0", "0");
    let scrape = |kind| {
        let format = Format { kind, escaping: None };
        let now = Timestamp::from_seconds(NOW, 0).unwrap_or_else(|| unreachable!("a moment in range"));
        Exposition::new(format, Arc::clone(&view), &instruments, now, &Settings::default())
    };
    let text: Vec<u8> = scrape(FormatKind::Text).collect::<Vec<Bytes>>().concat();
    let series = text
        .split(|byte| *byte == b'\n')
        .filter(|line| line.first().is_some_and(|b| *b != b'#'))
        .count();
    let mut copy = vec![1_u8; text.len()];
    let mut chunk = vec![1_u8; 64 << 10];
    let registry = Registry::new();
    let is_wanted = |name: &str| only.is_empty() || only.iter().any(|wish| name.contains(wish));
    if is_wanted(REGISTRY) {
        let same = Same::of(std::str::from_utf8(&text).ok()?)?;
        registry.register(Box::new(same)).ok()?;
    }

    let plain = |kind| move || scrape(kind).map(|chunk| black_box(chunk).len()).sum();
    let packed = |encoding| {
        move || {
            let encoded = Encoded::new(scrape(FormatKind::Text), encoding);
            encoded
                .into_iter()
                .flatten()
                .flatten()
                .map(|chunk| black_box(chunk).len())
                .sum()
        }
    };
    let mut contenders = [
        contender("memcpy of the text", || {
            copy.copy_from_slice(black_box(&text));
            black_box(&copy).len()
        }),
        contender("memcpy into one 64 KiB chunk", || {
            let pieces = black_box(&text).chunks_exact(64 << 10);
            pieces
                .map(|piece| {
                    chunk.copy_from_slice(piece);
                    black_box(&chunk).len()
                })
                .sum()
        }),
        contender("text 0.0.4", plain(FormatKind::Text)),
        contender("OpenMetrics", plain(FormatKind::OpenMetrics)),
        contender("protobuf", plain(FormatKind::Protobuf)),
        contender("text, gzip 1", packed(Encoding::Gzip)),
        contender("text, zstd 1", packed(Encoding::Zstd)),
        contender(REGISTRY, || {
            let mut encoded = Vec::new();
            TextEncoder::new().encode(&registry.gather(), &mut encoded).ok();
            black_box(encoded).len()
        }),
    ];
    for _ in 0..ROUNDS {
        for contender in contenders.iter_mut().filter(|known| is_wanted(known.name)) {
            let held = MEMORY.current_usage();
            MEMORY.reset_peak_usage();
            let start = cpu_time();
            contender.bytes = (contender.run)();
            contender.best = contender.best.min(cpu_time().saturating_sub(start));
            contender.extra_bytes = MEMORY.peak_usage() - held;
        }
    }
    Some(table(&contenders, series, jobs, held))
}

/// CPU time of this thread: others on the machine change it least.
fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

fn contender<'a>(name: &'static str, run: impl FnMut() -> usize + 'a) -> Contender<'a> {
    Contender {
        name,
        run: Box::new(run),
        best: Duration::MAX,
        bytes: 0,
        extra_bytes: 0,
    }
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "figures for people"
)]
fn table(contenders: &[Contender<'_>], series: usize, jobs: u64, held: usize) -> String {
    let row_bytes = size_of::<TrackedOperation>();
    let mut lines = vec![
        format!("{jobs} jobs, {series} series, {ROUNDS} rounds, CPU time, best of each"),
        format!(
            "memory of a tracked operation in the view: {} B, of which row {row_bytes} B, properties (strings) {} B",
            held as u64 / jobs.max(1),
            size_of::<About>(),
        ),
        format!(
            "{:<36}{:>10}{:>10}{:>10}{:>11}{:>13}",
            "", "ns/series", "MB", "x memcpy", "x text", "extra KiB"
        ),
    ];
    let nanos = |contender: &Contender<'_>| contender.best.as_nanos() as f64 / series as f64;
    let of = |name: &str| {
        contenders
            .iter()
            .find(|known| known.name == name)
            .map_or(f64::NAN, nanos)
    };
    for contender in contenders.iter().filter(|known| known.bytes > 0) {
        lines.push(format!(
            "{:<36}{:>10.1}{:>10.1}{:>10.2}{:>11.2}{:>13}",
            contender.name,
            nanos(contender),
            contender.bytes as f64 / 1e6,
            nanos(contender) / of("memcpy of the text"),
            nanos(contender) / of("text 0.0.4"),
            contender.extra_bytes >> 10,
        ));
    }
    lines.join("\n")
}

/// One job in twenty is live, as in a fleet whose ended jobs stay for their retention.
fn fleet(jobs: u64) -> Option<View> {
    let mut view = View::default();
    for number in 0..jobs {
        let slot = view.operations.slots();
        view.operations.set(slot, Some(Arc::new(job(number)?)));
    }
    Some(view)
}

fn job(number: u64) -> Option<TrackedOperation> {
    let moment = |seconds: i64| {
        let spread = i64::try_from(number).unwrap_or(0);
        Timestamp::from_nanos((NOW - 90_000 + seconds) * 1_000_000_000 + spread * 77_000_000)
    };
    let is_live = number.is_multiple_of(20);
    let ended = |seconds| moment(seconds).filter(|_| !is_live);
    Some(TrackedOperation {
        key: OperationKey(number),
        kind: Kind::Job,
        source: Source::Discovery,
        attempt: 1,
        observed: true,
        hidden: false,
        operation_id: Some(format!("bt1o{number:016}").parse().ok()?),
        job_id: Some(format!("bt1j{number:016}").parse().ok()?),
        project_id: Some(format!("bt1p{:016}", number % 40).parse().ok()?),
        state: if is_live { State::Running } else { State::Done },
        status: Some(if is_live {
            JobStatus::Executing
        } else {
            JobStatus::Success
        }),
        status_since: moment(8000),
        status_boundary: Boundary::Observed,
        status_times: status_times(number, is_live),
        status_uncertainty_ms: 10_000,
        outcome: (!is_live).then_some(Outcome::Success),
        reported: Reported {
            operation_created_at: moment(0),
            modified_at: moment(7990),
            job_created_at: moment(-1),
            started_at: moment(100),
            finished_at: ended(8000),
            data_expires_at: ended(8000 + 14 * 86_400),
            progress: Some(Progress {
                percent: 50,
                message: None,
                created_at: moment(7000),
            }),
            return_code: (!is_live).then_some(0),
            data_size_bytes: (!is_live).then_some(1_000_000_000 + number),
            output_errors: (!is_live).then(OutputErrors::default),
            ..Reported::default()
        },
        progress_changed_at: moment(7000),
        about: Arc::new(About {
            job_name: Some(SmolStr::new("train-resnet")),
            instance_type: Text::non_empty("g2.1"),
            created_by: Text::non_empty("aje0000000000000000"),
            ..About::default()
        }),
        unreadable: None,
        tracked_at: moment(0)?,
        ended_at: ended(8001),
        polled_at: moment(8002),
        trace: None,
    })
}

fn status_times(number: u64, is_live: bool) -> StatusTimes {
    let mut status_times = StatusTimes::default();
    let visits = [
        JobStatus::Creating,
        JobStatus::Preparing,
        JobStatus::Executing,
        JobStatus::UploadingOutput,
    ];
    for (status, seconds) in visits
        .into_iter()
        .zip([4, 90, 7200, 20])
        .take(if is_live { 2 } else { 4 })
    {
        status_times.add(status, Duration::from_millis(seconds * 1000 + number % 1000));
    }
    status_times
}

/// The same series, from a collector that has nothing to do but make them.
struct Same {
    families: Vec<Family>,
}

struct Family {
    name: String,
    help: String,
    series: Vec<Series>,
}

struct Series {
    labels: Vec<(String, String)>,
    value: f64,
}

impl Same {
    fn of(text: &str) -> Option<Self> {
        let mut families: Vec<Family> = Vec::new();
        let mut help = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                rest.split_once(' ')?.1.clone_into(&mut help);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let name = rest.split_once(' ')?.0.to_owned();
                families.push(Family {
                    name,
                    help: help.clone(),
                    series: Vec::new(),
                });
            } else if let Some((labels, value)) = line
                .split_once('{')
                .and_then(|(_, rest)| rest.rsplit_once("\"} "))
            {
                let pairs = labels.split("\",").filter_map(|pair| pair.split_once("=\""));
                let labels = pairs
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
                families.last_mut()?.series.push(Series {
                    labels,
                    value: value.parse().ok()?,
                });
            }
        }
        let is_run = |family: &Family| {
            ["datasphere_job", "datasphere_operation"]
                .iter()
                .any(|stem| family.name.starts_with(stem))
        };
        families.retain(is_run);
        Some(Self { families })
    }
}

impl Collector for Same {
    fn desc(&self) -> Vec<&Desc> {
        Vec::new()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let pair = |(name, value): &(String, String)| {
            let mut pair = LabelPair::default();
            pair.set_name(name.clone());
            pair.set_value(value.clone());
            pair
        };
        let metric = |series: &Series| {
            let mut gauge = Gauge::default();
            gauge.set_value(series.value);
            let mut metric = Metric::default();
            metric.set_label(series.labels.iter().map(pair).collect());
            metric.set_gauge(gauge);
            metric
        };
        let family = |family: &Family| {
            let mut gathered = MetricFamily::default();
            gathered.set_name(family.name.clone());
            gathered.set_help(family.help.clone());
            gathered.set_field_type(MetricType::GAUGE);
            gathered.set_metric(family.series.iter().map(metric).collect());
            gathered
        };
        self.families.iter().map(family).collect()
    }
}
