//! When to try again, and how long to wait before it. Pure: time and chance come in as arguments.

use std::time::{Duration, SystemTime};

use jiff::fmt::rfc2822::DateTimeParser;

const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);

/// Says whether an answer is about the moment rather than about the report.
pub(crate) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// Returns the wait after `attempts` attempts: what the server asked for, at most 30 s, plus a random part
/// (`chance`, from 0 to 1) of a back-off that doubles from 200 ms up to 5 s.
///
/// The random part comes on top of the server's wish, or all clients that were turned away together would
/// come back together.
pub(crate) fn wait(attempts: u32, asked: Option<Duration>, chance: f64) -> Duration {
    let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
    let backoff = FIRST_BACKOFF.saturating_mul(doubled).min(LONGEST_BACKOFF);
    asked.unwrap_or_default().min(LONGEST_RETRY_AFTER) + backoff.mul_f64(chance)
}

/// Reads `Retry-After`, in seconds or as an HTTP date (RFC 9110, section 10.2.3). A date that is past asks
/// for no wait; anything else that cannot be read asks for nothing.
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(SystemTime::from(date).duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{is_passing, retry_after, wait};

    const NEARLY_ONE: f64 = 0.999_999;

    #[test]
    fn the_back_off_doubles_up_to_five_seconds() {
        let longest: Vec<u128> =
            (1..=8).map(|attempts| wait(attempts, None, NEARLY_ONE).as_millis() + 1).collect();
        assert_eq!(longest, [200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
        assert!(wait(u32::MAX, None, NEARLY_ONE) <= Duration::from_secs(5));
    }

    #[test]
    fn the_jitter_is_full() {
        assert_eq!(wait(1, None, 0.0), Duration::ZERO);
        assert_eq!(wait(1, None, 0.5), Duration::from_millis(100));
    }

    #[test]
    fn the_servers_wish_is_a_lower_bound_of_at_most_thirty_seconds() {
        assert_eq!(wait(1, Some(Duration::from_secs(2)), 0.0), Duration::from_secs(2));
        assert_eq!(wait(1, Some(Duration::from_secs(2)), 0.5), Duration::from_millis(2100));
        assert_eq!(wait(1, Some(Duration::MAX), 0.0), Duration::from_secs(30));
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("1000000000", now), Some(Duration::from_secs(1_000_000_000)));
        assert_eq!(retry_after("99999999999999999999999", now), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:00 GMT", now), Some(Duration::ZERO));
        for junk in ["", "soon", "-1", "1.5", "Sun, 06 Nov"] {
            assert_eq!(retry_after(junk, now), None, "{junk:?}");
        }
    }

    #[test]
    fn only_passing_trouble_is_tried_again() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(is_passing(status), "{status}");
        }
        for status in [200, 201, 202, 302, 400, 401, 403, 404, 409, 410, 413, 422, 501] {
            assert!(!is_passing(status), "{status}");
        }
    }
}
