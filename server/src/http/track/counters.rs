//! Visits of which nothing is kept but their number, for as long as the process lives.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The numbers.
#[derive(Debug, Default)]
pub struct Counters {
    unknown_links: AtomicU64,
    consent_refusals: AtomicU64,
    untracked: AtomicU64,
}

impl Counters {
    /// Counts a visit to a link that is not there.
    pub fn unknown_link(&self) {
        self.unknown_links.fetch_add(1, Relaxed);
    }

    /// Counts a visit without consent.
    pub fn consent_refused(&self) {
        self.consent_refusals.fetch_add(1, Relaxed);
    }

    /// Counts a visit that could not be recorded.
    pub fn untracked(&self) {
        self.untracked.fetch_add(1, Relaxed);
    }

    /// Visits to links that are not there.
    pub fn unknown_links(&self) -> u64 {
        self.unknown_links.load(Relaxed)
    }

    /// Visits without consent, to links that ask for it.
    pub fn consent_refusals(&self) -> u64 {
        self.consent_refusals.load(Relaxed)
    }

    /// Visits that could not be recorded.
    pub fn untracked_visits(&self) -> u64 {
        self.untracked.load(Relaxed)
    }
}
