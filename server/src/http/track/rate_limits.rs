//! How many reports a partner may send in a minute, and how many wrong signatures are taken under one key. A window of a
//! minute each: whoever sends no more than is left, and waits for the next window then, is never refused. What is refused
//! has a line in the log, up to a number in a minute: a flood is not to fill it.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

use actix_web::{
    HttpResponse,
    http::header::{HeaderName, HeaderValue},
};

use crate::{
    domain::{
        code::Code,
        ids::{KeyId, PartnerId},
        refusal::Refusal,
        time::Timestamp,
    },
    http::head::Head,
};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const WINDOW_SECONDS: i64 = 60;
/// Wrong signatures under one key in a minute that have a line in the log: a stranger cannot fill it.
const WRONG_SIGNATURES: u64 = 300;
/// Requests of a partner beyond its limit that have a line in the log, in a minute.
const LINES: u64 = 300;

/// What has come in the current minute.
pub struct RateLimits {
    /// Reports of a partner in a minute; none: as many as come.
    reports_per_minute: Option<u64>,
    reports: Windows<PartnerId>,
    lines: Windows<PartnerId>,
    wrong_signatures: Windows<KeyId>,
}

/// Where somebody stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Names what is limited.
    policy: &'static str,
    quota: u64,
    left: u64,
    /// Seconds until the next window, at least 1.
    resets_in: i64,
}

struct Windows<K> {
    policy: &'static str,
    open: Mutex<HashMap<K, Window>>,
}

#[derive(Clone, Copy)]
struct Window {
    began: i64,
    used: u64,
}

impl RateLimits {
    /// Nothing has come yet.
    pub fn new(reports_per_minute: Option<u64>) -> Self {
        let [reports, lines] = ["reports", "lines"].map(Windows::new);
        Self { reports_per_minute, reports, lines, wrong_signatures: Windows::new("wrong_signatures") }
    }

    /// Takes so many reports of a partner; all or none. The answer to the request tells where the partner stands.
    ///
    /// # Errors
    /// The inner one, when they are too many, and the outer one, when that has been said in the log often enough.
    pub fn take_reports(
        &self,
        head: &Head<'_>,
        partner: PartnerId,
        reports: usize,
        now: Timestamp,
    ) -> Result<Result<(), Refusal>, Refusal> {
        let Some(quota) = self.reports_per_minute else { return Ok(Ok(())) };
        // What is larger than the quota would never be taken: it takes all of it.
        let wanted = u64::try_from(reports).unwrap_or(u64::MAX).min(quota);
        let taken = self.reports.take(partner, quota, wanted, now);
        let (Ok(standing) | Err(standing)) = taken;
        head.standing.set(Some(standing));
        if taken.is_ok() {
            return Ok(Ok(()));
        }
        let left = standing.left;
        let detail =
            format!("{reports} reports are more than the {left} that are left of {quota} in a minute.");
        let refusal = refusal(detail, standing);
        if self.lines.take(partner, LINES, 1, now).is_ok() { Ok(Err(refusal)) } else { Err(refusal) }
    }

    /// Takes a wrong signature under a key that is there. Only the answer to one too many tells where the key stands: with
    /// any other, an unknown key would be told apart from this one.
    pub fn take_wrong_signature(&self, head: &Head<'_>, key: KeyId, now: Timestamp) -> Result<(), Refusal> {
        let taken = self.wrong_signatures.take(key, WRONG_SIGNATURES, 1, now);
        taken.map(drop).map_err(|standing| {
            head.standing.set(Some(standing));
            let detail = "Too many requests under this key have a wrong signature.";
            refusal(detail.to_owned(), standing)
        })
    }
}

impl<K: Hash + Eq> Windows<K> {
    fn new(policy: &'static str) -> Self {
        Self { policy, open: Mutex::new(HashMap::new()) }
    }

    fn take(&self, name: K, quota: u64, wanted: u64, now: Timestamp) -> Result<Standing, Standing> {
        let now = now.seconds();
        let mut windows = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(name).or_insert(Window { began: now, used: 0 });
        if !(window.began..window.began + WINDOW_SECONDS).contains(&now) {
            *window = Window { began: now, used: 0 };
        }
        let fits = window.used + wanted <= quota;
        window.used += if fits { wanted } else { 0 };
        let resets_in = window.began + WINDOW_SECONDS - now;
        let standing = Standing { policy: self.policy, quota, left: quota - window.used, resets_in };
        if fits { Ok(standing) } else { Err(standing) }
    }
}

fn refusal(detail: String, standing: Standing) -> Refusal {
    Refusal::new(Code::RateLimited, detail).fact("retry_after_seconds", standing.resets_in)
}

/// Says in an answer where its sender stands, if there is a limit: `RateLimit` and `RateLimit-Policy`, as the HTTP
/// working group drafts them.
pub fn tell(standing: Option<Standing>, mut response: HttpResponse) -> HttpResponse {
    if let Some(Standing { policy, quota, left, resets_in }) = standing {
        let quota = format!("\"{policy}\";q={quota};w={WINDOW_SECONDS}");
        let left = format!("\"{policy}\";r={left};t={resets_in}");
        for (name, text) in [(POLICY, quota), (LIMIT, left)] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                response.headers_mut().insert(name, value);
            }
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_its_quota_and_ends() {
        let windows = Windows::new("reports");
        let at = |seconds: i64, wanted: u64| {
            let taken = windows.take("a", 10, wanted, Timestamp::from_seconds(1_000 + seconds));
            taken.map(|standing| (standing.left, standing.resets_in)).map_err(|standing| standing.left)
        };
        assert_eq!(at(0, 4), Ok((6, 60)));
        assert_eq!(at(59, 7), Err(6));
        assert_eq!(at(59, 6), Ok((0, 1)), "what is left can be taken");
        assert_eq!(at(59, 1), Err(0));
        assert_eq!(at(60, 10), Ok((0, 60)), "the next window");
        assert_eq!(at(0, 1), Ok((9, 60)), "a clock that was set back");
        assert_eq!(windows.take("b", 10, 10, Timestamp::from_seconds(1_000)).unwrap().left, 0);
    }
}
