//! How much is taken from clients, and how long they are waited for. Constants, not settings: an operator who wants
//! other bounds has a proxy for them. Tests have their own.

use std::time::Duration;

/// Open files that are not connections of clients: database, log, spool, libraries.
const OTHER_FILES: u64 = 512;
/// Each connection is held by two: its own, and the one that can close it.
const FILES_PER_CONNECTION: u64 = 2;
/// More connections than this are of no use to one worker.
const MOST_CONNECTIONS_PER_WORKER: u64 = 25_000;

/// The bounds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest request target, path and query, in bytes. A value of 8 KiB fits with each byte percent-encoded.
    pub target_bytes: usize,
    /// The most that all names and values of headers have together, in bytes. Cookies of other programs on the same
    /// domain come too.
    pub header_bytes: usize,
    /// The most headers. From 97 on, the HTTP library refuses them by itself.
    pub headers: usize,
    /// Clicks in flight. As many as their queue holds: what is let in has its place there.
    pub clicks: usize,
    /// Postbacks in flight. Half as many: a sender tries again, so it had better wait at home. Their queue has room for
    /// them beside the items of batches.
    pub postbacks: usize,
    /// All other requests in flight. The database serves a few of them at a time; more would only wait.
    pub management: usize,
    /// How many requests of all kinds may be in flight for one that is neither a click nor a postback to come in:
    /// half of all. So management goes first when there is too much to do.
    pub total_for_management: usize,
    /// The same for a postback: five sixths of all. So clicks go last.
    pub total_for_postbacks: usize,
    /// Reports of one partner in a minute; none: as many as come. The operator's setting.
    pub reports_per_minute: Option<u64>,
    /// Tails of the log of postbacks that may be open.
    pub tails: usize,
    /// Of these, one partner's.
    pub tails_of_partner: usize,
    /// How long a tail says nothing at most.
    pub tail_heartbeat: Duration,
    /// How long a tail stays open. Its client comes again.
    pub tail_life: Duration,
    /// How long the head of a connection's first request may take, the TLS handshake aside.
    pub head: Duration,
    /// How long a body may take to arrive.
    pub body: Duration,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a connection may rest between two requests. Longer than proxies keep theirs (60 s is common), so that
    /// it is the proxy who closes, and nothing is sent into a connection that is just going.
    pub idle: Duration,
    /// How long a connection may be without a request under way: resting, sending the head of a later request, or
    /// taking an answer.
    pub quiet: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            target_bytes: 32 * 1024,
            header_bytes: 48 * 1024,
            headers: 64,
            clicks: 4_096,
            postbacks: 2_048,
            management: 128,
            total_for_management: 3_072,
            total_for_postbacks: 5_120,
            reports_per_minute: None,
            tails: 64,
            tails_of_partner: 8,
            tail_heartbeat: Duration::from_secs(15),
            tail_life: Duration::from_secs(30 * 60),
            head: Duration::from_secs(10),
            body: Duration::from_secs(15),
            handshake: Duration::from_secs(5),
            idle: Duration::from_secs(75),
            quiet: Duration::from_secs(90),
        }
    }
}

/// Connections that one of so many workers may hold, if the process may open so many files.
pub fn connections_per_worker(files: u64, workers: usize) -> usize {
    let all = files.saturating_sub(OTHER_FILES) / FILES_PER_CONNECTION;
    let each = (all / (workers as u64).max(1)).clamp(1, MOST_CONNECTIONS_PER_WORKER);
    usize::try_from(each).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_share_the_open_files() {
        assert_eq!(connections_per_worker(20_000, 2), 4_872);
        assert_eq!(connections_per_worker(1_024, 4), 64);
        assert_eq!(connections_per_worker(100, 4), 1);
        assert_eq!(connections_per_worker(u64::MAX, 4), 25_000);
    }
}
