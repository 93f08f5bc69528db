//! The counts as text, in the format that Prometheus reads (OpenMetrics 1.0).

use std::{
    fmt::{self, Error},
    iter::zip,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use super::{Batches, FIRST_STATUS, Metrics, Purpose};
use crate::domain::{code::Code, visitor::ClickClass};

/// What the text is.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How many there are at this moment.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Clicks, impressions and postbacks that wait for a writer.
    pub waiting: [usize; 3],
    /// Clicks, postbacks and other requests that are under way.
    pub in_flight: [usize; 3],
    /// Visits of which nothing is kept: to unknown links, without consent, and those that could not be recorded.
    pub unrecorded: [u64; 3],
    /// What waits in the spool.
    pub spooled: usize,
}

impl Metrics {
    /// The text.
    pub fn text(self: &Arc<Self>, now: Now) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Scrape { metrics: self.clone(), now }));
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

/// What is told once.
#[derive(Debug)]
struct Scrape {
    metrics: Arc<Metrics>,
    now: Now,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), Error> {
        let (to, metrics) = (&mut encoder, &self.metrics);
        counter(
            to,
            "tallyback_requests",
            "Requests answered, by purpose and HTTP status",
            metrics.requests(),
        )?;
        counter(to, "tallyback_requests_shed", "Requests turned away with 503 at the door", metrics.shed())?;
        counter(to, "tallyback_clicks", "Clicks stored, by class", by_class(&metrics.clicks))?;
        counter(to, "tallyback_impressions", "Impressions stored, by class", by_class(&metrics.impressions))?;
        let Now { waiting, in_flight, unrecorded, spooled } = self.now;
        let reasons = ["unknown_link", "no_consent", "untracked"].map(|reason| [("reason", reason)]);
        counter(to, "tallyback_unrecorded_visits", "Visits that left no row", zip(reasons, unrecorded))?;
        counter(to, "tallyback_postbacks", "Postbacks answered, by code", metrics.postbacks())?;
        let kinds = |kinds: [&'static str; 3]| kinds.map(|kind| [("kind", kind)]);
        let (written, let_in) =
            (kinds(["click", "impression", "postback"]), kinds(["click", "postback", "other"]));
        gauge(to, "tallyback_queue_requests", "Requests that wait for a writer", zip(written, waiting))?;
        gauge(to, "tallyback_in_flight_requests", "Requests under way", zip(let_in, in_flight))?;
        single(
            to,
            "tallyback_spool_entries",
            "Clicks, impressions and postbacks that wait for the database",
            spooled,
        )?;
        let batches = [
            ("click", &metrics.click_batches),
            ("impression", &metrics.impression_batches),
            ("postback", &metrics.postback_batches),
        ];
        histogram(to, "tallyback_batch_requests", "Requests committed together", batches, |b| &b.size)?;
        histogram(to, "tallyback_commit_seconds", "Time to commit a batch", batches, |b| &b.seconds)?;
        let connections = usize::try_from(metrics.connections.load(Ordering::Relaxed)).unwrap_or_default();
        single(to, "tallyback_connections", "Connections that are open", connections)?;
        match resident_bytes() {
            Some(bytes) => single(to, "process_resident_memory_bytes", "Memory in use", bytes),
            None => Ok(()),
        }
    }
}

/// What has been counted, with its labels.
impl Metrics {
    fn requests(&self) -> impl Iterator<Item = ([(&'static str, String); 2], u64)> {
        Purpose::ALL.into_iter().flat_map(|purpose| {
            let statuses = (FIRST_STATUS..).zip(&self.requests[purpose as usize]);
            let seen = statuses.map(|(status, cell)| (status, value(cell))).filter(|(_, count)| *count > 0);
            seen.map(move |(status, count)| {
                ([("purpose", purpose.as_str().to_owned()), ("status", status.to_string())], count)
            })
        })
    }

    fn shed(&self) -> impl Iterator<Item = ([(&'static str, &'static str); 1], u64)> {
        let sheddable = Purpose::ALL.into_iter().filter(|purpose| *purpose != Purpose::Health);
        sheddable.map(|purpose| ([("purpose", purpose.as_str())], value(&self.shed[purpose as usize])))
    }

    fn postbacks(&self) -> impl Iterator<Item = ([(&'static str, &'static str); 1], u64)> {
        let counts = Code::ALL.iter().map(|code| (code.as_str(), value(&self.postbacks[*code as usize])));
        counts.filter(|(_, count)| *count > 0).map(|(code, count)| ([("code", code)], count))
    }
}

fn by_class(cells: &[AtomicU64]) -> impl Iterator<Item = ([(&'static str, &'static str); 1], u64)> {
    ClickClass::ALL.iter().zip(cells).map(|(class, cell)| ([("class", class.as_str())], value(cell)))
}

fn value(cell: &AtomicU64) -> u64 {
    cell.load(Ordering::Relaxed)
}

fn counter(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    counts: impl IntoIterator<Item = (impl EncodeLabelSet, u64)>,
) -> Result<(), Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    counts
        .into_iter()
        .try_for_each(|(labels, count)| ConstCounter::new(count).encode(family.encode_family(&labels)?))
}

fn gauge(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (impl EncodeLabelSet, usize)>,
) -> Result<(), Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    values
        .into_iter()
        .try_for_each(|(labels, value)| ConstGauge::new(value as u64).encode(family.encode_family(&labels)?))
}

fn single(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: usize) -> Result<(), Error> {
    ConstGauge::new(value as u64).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

fn histogram(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    batches: [(&str, &Batches); 3],
    of: fn(&Batches) -> &prometheus_client::metrics::histogram::Histogram,
) -> Result<(), Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    batches
        .iter()
        .try_for_each(|(kind, batches)| of(batches).encode(family.encode_family(&[("kind", *kind)])?))
}

/// The memory that the process holds; known on Linux only.
fn resident_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(kibibytes.trim().trim_end_matches(" kB").parse::<usize>().ok()? * 1_024)
}
