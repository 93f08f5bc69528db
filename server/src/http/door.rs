//! What every request passes on its way in: bounds for its head, and for how many may be under way. It is decided
//! before a body is read and before a signature is checked, so that turning somebody away costs next to nothing.
//! Management goes first, postbacks next, clicks last.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use actix_http::Request;
use actix_web::{HttpResponse, ResponseError, dev::RequestHead, http::Method};
use percent_encoding::percent_decode_str;
use tokio::time::sleep;

use super::{body, track};
use crate::{
    config::Limits,
    domain::{code::Code, refusal::Refusal},
    metrics::{Metrics, Purpose},
};

/// How long after one who is turned away the next one leaves.
const LEAVE_EVERY: Duration = Duration::from_micros(250);
/// How long somebody waits at most to be turned away; where more wait, they leave sooner after each other.
const LONGEST_LEAVE: Duration = Duration::from_secs(1);
/// What the timer can tell from nothing.
const SHORTEST_SLEEP: Duration = Duration::from_millis(2);

/// Counts who is in.
pub struct Door {
    /// The bounds.
    pub limits: Limits,
    total: AtomicUsize,
    clicks: AtomicUsize,
    postbacks: AtomicUsize,
    others: AtomicUsize,
    opened: Instant,
    /// When the next one may leave, in microseconds since then.
    next_leave: AtomicU64,
    metrics: Arc<Metrics>,
}

impl Door {
    /// A door with nobody inside.
    pub fn new(limits: Limits, metrics: Arc<Metrics>) -> Self {
        let nobody = AtomicUsize::default;
        Self {
            limits,
            total: nobody(),
            clicks: nobody(),
            postbacks: nobody(),
            others: nobody(),
            opened: Instant::now(),
            next_leave: AtomicU64::new(0),
            metrics,
        }
    }

    /// Checks a request's head, and finds room for it or turns it away, with an answer.
    pub async fn pass(&self, purpose: Purpose, request: &mut Request) -> Result<Inside<'_>, HttpResponse> {
        let inside = self.admit(purpose);
        let (head, query) = (request.head(), request.uri().query().unwrap_or_default());
        let is_sound = check_head(head, &self.limits).and_then(|()| check_query(purpose, query));
        let turned_away = match (is_sound, inside) {
            (Ok(()), Some(inside)) => return Ok(inside),
            (Err(refusal), _) => turn_away(refusal, purpose, query),
            (Ok(()), None) => {
                self.metrics.count_shed(purpose);
                self.leave().await;
                no_room(purpose, request.path(), query)
            }
        };
        // An answer to a request whose body is still to come would end the connection.
        body::discard(&mut request.take_payload()).await;
        Err(turned_away)
    }

    /// Lets a request in, if there is room. Those who look after the server always find some.
    fn admit(&self, purpose: Purpose) -> Option<Inside<'_>> {
        let inside = Inside { door: self, purpose };
        let total = self.total.fetch_add(1, Ordering::Relaxed);
        let own = self.of(purpose).map_or(0, |count| count.fetch_add(1, Ordering::Relaxed));
        let Limits { clicks, postbacks, management, total_for_postbacks, total_for_management, .. } =
            self.limits;
        let has_room = match purpose {
            Purpose::Health => true,
            Purpose::Click => own < clicks,
            Purpose::Postback => own < postbacks && total < total_for_postbacks,
            Purpose::Management | Purpose::Docs | Purpose::Other => {
                own < management && total < total_for_management
            }
        };
        has_room.then_some(inside)
    }

    /// Clicks, postbacks and other requests that are in, now.
    pub fn in_flight(&self) -> [usize; 3] {
        [&self.clicks, &self.postbacks, &self.others].map(|count| count.load(Ordering::Relaxed))
    }

    /// Lets those who are turned away go one after the other. An answer of 503 costs a good part of what a stored
    /// click costs: given to all of a storm at once, and again when they come back, it would leave no time for those
    /// who are in.
    async fn leave(&self) {
        let wait = self.wait_to_leave(self.opened.elapsed());
        if wait >= SHORTEST_SLEEP {
            sleep(wait).await;
        }
    }

    /// How long somebody has to wait who wants to leave so long after the door was opened.
    fn wait_to_leave(&self, now: Duration) -> Duration {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let (now, latest) = (micros(now), micros(now + LONGEST_LEAVE));
        let next = |place: u64| Some(place.clamp(now, latest) + micros(LEAVE_EVERY));
        let place = self.next_leave.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        Duration::from_micros(place.unwrap_or(now).clamp(now, latest) - now)
    }

    fn of(&self, purpose: Purpose) -> Option<&AtomicUsize> {
        match purpose {
            Purpose::Click => Some(&self.clicks),
            Purpose::Postback => Some(&self.postbacks),
            Purpose::Management | Purpose::Docs | Purpose::Other => Some(&self.others),
            Purpose::Health => None,
        }
    }
}

/// Somebody who is inside, until it is dropped.
pub struct Inside<'a> {
    door: &'a Door,
    purpose: Purpose,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.door.total.fetch_sub(1, Ordering::Relaxed);
        if let Some(count) = self.door.of(self.purpose) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn check_head(head: &RequestHead, limits: &Limits) -> Result<(), Refusal> {
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > limits.target_bytes {
        let detail = format!("Path and query have {target} bytes; {} are taken.", limits.target_bytes);
        return Err(Refusal::new(Code::UriTooLong, detail));
    }
    let headers = head.headers();
    if headers.len() > limits.headers {
        let detail = format!("There are {} headers; {} are taken.", headers.len(), limits.headers);
        return Err(Refusal::new(Code::HeadersTooLarge, detail));
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > limits.header_bytes {
        let detail = format!("The headers have {bytes} bytes; {} are taken.", limits.header_bytes);
        return Err(Refusal::new(Code::HeadersTooLarge, detail));
    }
    Ok(())
}

/// What is read from a query that is no text would be something else than what was meant. Reports say so themselves, and
/// visitors are not to blame for a URL.
fn check_query(purpose: Purpose, query: &str) -> Result<(), Refusal> {
    if purpose == Purpose::Management && percent_decode_str(query).decode_utf8().is_err() {
        return Err(Refusal::new(Code::Malformed, "The query is not UTF-8."));
    }
    Ok(())
}

fn no_room(purpose: Purpose, path: &str, query: &str) -> HttpResponse {
    let refusal =
        Refusal::new(Code::Unavailable, "The server has more to do than it can; nothing was written.");
    match purpose {
        Purpose::Click if !path.starts_with("/v1/") => track::clicks::no_room(),
        _ => turn_away(refusal, purpose, query),
    }
}

fn turn_away(refusal: Refusal, purpose: Purpose, query: &str) -> HttpResponse {
    match purpose {
        Purpose::Postback => track::postbacks::turned_away(refusal, query),
        _ => crate::error::Error::from(refusal).error_response(),
    }
}

/// What a request is for, as its address says.
pub fn purpose(method: &Method, path: &str) -> Purpose {
    match path {
        "/livez" | "/readyz" => Purpose::Health,
        "/openapi.json" | "/docs" => Purpose::Docs,
        "/v1/postback" => Purpose::Postback,
        _ if method == Method::POST && track::POSTBACKS.contains(&path) => Purpose::Postback,
        "/v1/clicks" | "/v1/impressions" if method == Method::POST => Purpose::Click,
        _ if path.starts_with("/c/") || path.starts_with("/i/") => Purpose::Click,
        _ if path.starts_with("/docs/") => Purpose::Docs,
        _ if path.starts_with("/v1/") => Purpose::Management,
        _ => Purpose::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door() -> Arc<Door> {
        let limits = Limits {
            clicks: 4,
            postbacks: 3,
            management: 2,
            total_for_management: 3,
            total_for_postbacks: 5,
            ..Limits::default()
        };
        Arc::new(Door::new(limits, Arc::default()))
    }

    fn enter(door: &Door, purpose: Purpose, times: usize) -> Vec<Inside<'_>> {
        (0..times).map_while(|_| door.admit(purpose)).collect()
    }

    #[test]
    fn each_kind_has_its_own_bound() {
        let door = door();
        assert_eq!(enter(&door, Purpose::Click, 9).len(), 4);
        assert_eq!(enter(&door, Purpose::Postback, 9).len(), 3);
        assert_eq!(enter(&door, Purpose::Management, 9).len(), 2);
        assert_eq!(enter(&door, Purpose::Health, 9).len(), 9);
        assert_eq!(door.total.load(Ordering::Relaxed), 0, "who leaves makes room");
    }

    #[test]
    fn management_goes_first_postbacks_next_clicks_last() {
        let door = door();
        let clicks = enter(&door, Purpose::Click, 3);
        assert!(door.admit(Purpose::Management).is_none());
        let postbacks = enter(&door, Purpose::Postback, 9);
        assert_eq!(postbacks.len(), 2, "five are inside");
        assert!(door.admit(Purpose::Click).is_some());
        drop(clicks);
        assert!(door.admit(Purpose::Management).is_some());
        drop(postbacks);
    }

    #[test]
    fn who_is_turned_away_leaves_one_after_the_other() {
        let (door, second) = (door(), Duration::from_secs(1));
        let waits: Vec<_> = (0..9_000).map(|_| door.wait_to_leave(second).as_millis()).collect();
        assert_eq!((waits[0], waits[400], waits[4_000], waits[8_999]), (0, 100, 1_000, 1_000));
        assert_eq!(door.wait_to_leave(3 * second), Duration::ZERO, "after a while nobody waits");
    }

    #[test]
    fn an_address_says_what_a_request_is_for() {
        let of = |method: &str, path: &str| purpose(&Method::from_bytes(method.as_bytes()).unwrap(), path);
        assert_eq!(of("GET", "/c/abc1234"), Purpose::Click);
        assert_eq!(of("POST", "/v1/clicks"), Purpose::Click);
        assert_eq!(of("GET", "/v1/clicks"), Purpose::Management);
        assert_eq!(of("POST", "/v1/conversions"), Purpose::Postback);
        assert_eq!(of("GET", "/v1/conversions"), Purpose::Management);
        assert_eq!(of("GET", "/v1/postback"), Purpose::Postback);
        assert_eq!(of("GET", "/v1/postbacks"), Purpose::Management);
        assert_eq!(of("GET", "/docs/scalar.js"), Purpose::Docs);
        assert_eq!(of("GET", "/readyz"), Purpose::Health);
        assert_eq!(of("GET", "/wp-login.php"), Purpose::Other);
    }
}
