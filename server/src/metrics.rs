//! Counts of what the server does, for the operator's monitoring. To count is one atomic addition; text is made when
//! somebody asks for it. Labels are words of ours: no tenant, no link, no visitor, nothing that a request says.

use std::{
    array,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use prometheus_client::metrics::histogram::Histogram;

use crate::domain::{code::Code, visitor::ClickClass};

mod exposition;
pub use exposition::{MEDIA_TYPE, Now};

/// The statuses that HTTP has: 100 to 599.
const STATUSES: usize = 500;
const FIRST_STATUS: u16 = 100;
/// Upper bounds of batch sizes, in requests. The last one is the largest batch there is.
const SIZES: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];
/// Upper bounds of commit times, in seconds. Nobody waits longer than the last one.
const SECONDS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 10.0];

/// What a request is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A visitor follows a link.
    Click,
    /// A conversion is reported.
    Postback,
    /// Everything else of the API, behind an API key.
    Management,
    /// The reference.
    Docs,
    /// Somebody asks how the server is.
    Health,
    /// There is no such address.
    Other,
}

impl Purpose {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Click, Self::Postback, Self::Management, Self::Docs, Self::Health, Self::Other];

    /// The word in labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Click => "click",
            Self::Postback => "postback",
            Self::Management => "management",
            Self::Docs => "docs",
            Self::Health => "health",
            Self::Other => "other",
        }
    }
}

/// Everything that is counted, since the process started.
#[derive(Debug)]
pub struct Metrics {
    requests: [[AtomicU64; STATUSES]; Purpose::ALL.len()],
    shed: [AtomicU64; Purpose::ALL.len()],
    clicks: [AtomicU64; ClickClass::ALL.len()],
    impressions: [AtomicU64; ClickClass::ALL.len()],
    postbacks: [AtomicU64; Code::ALL.len()],
    connections: AtomicI64,
    /// Batches of clicks.
    pub click_batches: Batches,
    /// Batches of impressions, and of visits without consent.
    pub impression_batches: Batches,
    /// Batches of postbacks.
    pub postback_batches: Batches,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: array::from_fn(|_| zeros()),
            shed: zeros(),
            clicks: zeros(),
            impressions: zeros(),
            postbacks: zeros(),
            connections: AtomicI64::new(0),
            click_batches: Batches::default(),
            impression_batches: Batches::default(),
            postback_batches: Batches::default(),
        }
    }
}

fn zeros<const N: usize>() -> [AtomicU64; N] {
    array::from_fn(|_| AtomicU64::new(0))
}

impl Metrics {
    /// A request was answered with an HTTP status.
    pub fn count_request(&self, purpose: Purpose, status: u16) {
        if let Some(cell) =
            self.requests[purpose as usize].get(usize::from(status.wrapping_sub(FIRST_STATUS)))
        {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A request was turned away at the door. It counts as a request, too.
    pub fn count_shed(&self, purpose: Purpose) {
        self.shed[purpose as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A click is stored.
    pub fn count_click(&self, class: ClickClass) {
        self.clicks[class as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// An impression is stored.
    pub fn count_impression(&self, class: ClickClass) {
        self.impressions[class as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A postback was answered.
    pub fn count_postback(&self, code: Code) {
        self.postbacks[code as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was made.
    pub fn open_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection has ended.
    pub fn close_connection(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How large batches were and how long their commits took.
#[derive(Debug)]
pub struct Batches {
    size: Histogram,
    seconds: Histogram,
}

impl Default for Batches {
    fn default() -> Self {
        Self { size: Histogram::new(SIZES), seconds: Histogram::new(SECONDS) }
    }
}

impl Batches {
    /// A batch was committed.
    pub fn count(&self, requests: usize, took: Duration) {
        self.size.observe(requests as f64);
        self.seconds.observe(took.as_secs_f64());
    }

    /// Runs the commit of a batch, and counts it if it went well.
    pub async fn measure<T, E>(
        &self,
        requests: usize,
        commit: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let began = Instant::now();
        let outcome = commit.await;
        if outcome.is_ok() {
            self.count(requests, began.elapsed());
        }
        outcome
    }
}
