//! The live tail: the log of postbacks as it grows, as server-sent events. It reads the log like everybody else, so it
//! shows what any process on the database has committed, and nothing waits for it.

use std::{
    collections::HashMap,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    web::{Bytes, Data, Query},
};
use futures_util::stream;
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use utoipa::IntoParams;

use super::{postback_filters::Filters, postbacks::PostbackView};
use crate::{
    config::Limits,
    db::{db_read, list::PostbackFilter, rows::records::Postback},
    domain::{
        answer::Outcome,
        click_id::{ClickId, ClickIdKey},
        code::Code,
        ids::{Id, PartnerId, PostbackId},
        refusal::{FieldError, Refusal},
    },
    error::{Error, Result},
    http::{State, caller::Caller, connections::Connection, fields::Fields},
};

/// How old a line is when it is shown, in seconds. Lines are committed a little out of the order of their ids; after this
/// time each has its place, and who comes back with the last id has missed none.
const SETTLED_SECONDS: i64 = 3;
/// Lines that are read at once.
const ROWS: i64 = 100;
/// How often the log is read.
const READ_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether the server stops, or the client has gone.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How many tails are open.
#[derive(Default)]
pub struct Tails(Mutex<HashMap<PartnerId, usize>>);

/// A tail that is open, until it is dropped.
struct Open {
    tails: Arc<Tails>,
    partner: PartnerId,
}

impl Tails {
    fn open(self: &Arc<Self>, partner: PartnerId, limits: &Limits) -> Result<Open, Refusal> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.get(&partner).copied().unwrap_or_default();
        if own >= limits.tails_of_partner || open.values().sum::<usize>() >= limits.tails {
            let detail = format!("There are as many tails open as there may be; {own} of them are yours.");
            return Err(Refusal::new(Code::RateLimited, detail)
                .hint("Close one of them first.")
                .fact("retry_after_seconds", 1));
        }
        open.insert(partner, own + 1);
        Ok(Open { tails: self.clone(), partner })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.tails.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = open.remove(&self.partner).unwrap_or_default().saturating_sub(1);
        if left > 0 {
            open.insert(self.partner, left);
        }
    }
}

/// Which lines.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TailPostbacks {
    /// Only those with one of these outcomes, separated by commas, such as `goal_mismatch,click_expired`.
    code: Option<String>,
    /// Only those that were taken, or only those that were refused.
    #[param(value_type = Option<Outcome>)]
    result: Option<String>,
    /// Only those of this advertiser: its id, or `ext:` and your own.
    advertiser_id: Option<String>,
    /// Only those of this goal: its id, or `ext:` and your own.
    goal_id: Option<String>,
    /// Only those of this click.
    #[param(value_type = Option<ClickId>)]
    click_id: Option<String>,
    /// Only those of this order, as it came.
    order_id: Option<String>,
    /// `true`: only what test keys signed; otherwise only what the others did.
    #[param(default = false)]
    test: Option<bool>,
}

impl TailPostbacks {
    fn filters(self) -> Filters {
        let Self { code, result, advertiser_id, goal_id, click_id, order_id, test } = self;
        Filters { code, result, advertiser_id, goal_id, click_id, order_id, test, ..Filters::default() }
    }
}

/// Where a tail goes on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct LastEvent {
    /// The id of the last line that was seen: the tail goes on behind it. Without it, it begins now.
    #[param(rename = "Last-Event-ID")]
    last_event_id: Option<PostbackId>,
}

/// Shows the log as it grows, as server-sent events. Each line is an event `postback`, whose `id` is the postback's and
/// whose `data` is the line as the list shows it. A line comes about three seconds after it was committed, whichever
/// server on the same database took it; what had to wait for the database longer than that does not come. A comment
/// comes now and then, so that nobody takes the connection for dead. The tail ends when the server stops, when the API
/// key is revoked, and after half an hour; it goes on where it ended with `Last-Event-ID`.
#[utoipa::path(tag = "Postbacks", params(TailPostbacks, LastEvent),
    responses((status = 200, description = "The events.", body = String, content_type = "text/event-stream", example = "id: pbk_01kayw5m8hfz2v6y0t3n7r9q4c\nevent: postback\ndata: {\"id\": \"pbk_01kayw5m8hfz2v6y0t3n7r9q4c\", \"code\": \"accepted\"}\n\n")),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "not_found", "rate_limited"]))))]
#[get("/postbacks/tail")]
pub async fn tail_postbacks(
    caller: Caller,
    query: Query<TailPostbacks>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse> {
    let filter = query.into_inner().filters().read(caller, &state, Fields::default()).await?;
    let last = last_event(&request)?.unwrap_or_else(|| PostbackId::new(state.clock.now(), [0; 10]));
    let limits = state.door.limits;
    let open = state.tails.open(caller.partner.id(), &limits)?;
    let now = Instant::now();
    let tail = Tail {
        key: ClickIdKey::derive(&state.master_key, caller.partner.id()),
        connection: request.conn_data::<Rc<Connection>>().cloned(),
        said_at: now.checked_sub(limits.tail_heartbeat).unwrap_or(now),
        ends_at: now + limits.tail_life,
        state,
        caller,
        filter,
        last,
        _open: open,
    };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(stream::unfold(tail, Tail::next)))
}

fn last_event(request: &HttpRequest) -> Result<Option<PostbackId>, Refusal> {
    let Some(header) = request.headers().get("last-event-id") else { return Ok(None) };
    let id = header.to_str().ok().and_then(PostbackId::parse);
    id.map(Some).ok_or_else(|| {
        let error = FieldError::new("Last-Event-ID", "is not the id of a postback");
        Refusal::fields(Code::Malformed, vec![error])
    })
}

/// An open tail.
struct Tail {
    state: Data<State>,
    caller: Caller,
    filter: PostbackFilter,
    key: ClickIdKey,
    connection: Option<Rc<Connection>>,
    last: PostbackId,
    /// When something was last said.
    said_at: Instant,
    ends_at: Instant,
    _open: Open,
}

impl Tail {
    /// What comes next: events, or a comment. None at the end.
    async fn next(mut self) -> Option<(Result<Bytes>, Self)> {
        self.connection.iter().for_each(|connection| connection.takes_its_answer());
        while !self.is_over() {
            let rows = match self.read().await {
                Ok(rows) => rows?,
                Err(error) => {
                    tracing::debug!(%error, "a tail of the log ends");
                    return None;
                }
            };
            if !rows.is_empty() {
                return Some(self.say(rows.into_iter()));
            }
            if self.said_at.elapsed() >= self.state.door.limits.tail_heartbeat {
                return Some(self.say(std::iter::empty()));
            }
            self.rest().await;
        }
        None
    }

    /// The lines since the last one; none when the API key does not open the log any more.
    async fn read(&mut self) -> Result<Option<Vec<Postback>>> {
        let settled = self.state.clock.now().plus_seconds(-SETTLED_SECONDS);
        let (caller, filter, after) = (self.caller, self.filter.clone(), self.last);
        let rows = db_read!(&self.state.store, |queries, conn| {
            match queries::api_keys::find_any(conn, caller.key)?.filter(|row| row.revoked_at.is_none()) {
                None => Ok::<_, Error>(None),
                Some(_) => {
                    let asked = (after, settled, ROWS);
                    Ok(Some(queries::postbacks::following(conn, &caller.partner, &filter, asked)?))
                }
            }
        })?;
        // What was looked through once need not be looked through again.
        let seen = PostbackId::new(settled, [0; 10]);
        let last = rows.as_ref().and_then(|rows| rows.get(ROWS as usize - 1)).map_or(seen, |row| row.id);
        self.last = self.last.max(last);
        Ok(rows)
    }

    fn say(mut self, rows: impl Iterator<Item = Postback>) -> (Result<Bytes>, Self) {
        let mut events = String::new();
        for row in rows {
            let id = row.id;
            match serde_json::to_string(&PostbackView::new(row, Vec::new(), &self.key)) {
                Ok(line) => events += &format!("id: {id}\nevent: postback\ndata: {line}\n\n"),
                Err(error) => return (Err(Error::Internal(error.to_string())), self),
            }
        }
        if events.is_empty() {
            events = ": nothing new\n\n".to_owned();
        }
        self.said_at = Instant::now();
        (Ok(events.into()), self)
    }

    /// Waits until the log is to be read again, or there is no sense in it.
    async fn rest(&self) {
        let until = Instant::now() + READ_EVERY;
        while Instant::now() < until && !self.is_over() {
            sleep(LOOK_EVERY).await;
        }
    }

    fn is_over(&self) -> bool {
        self.state.is_stopping.load(Ordering::Relaxed)
            || Instant::now() >= self.ends_at
            || self.connection.as_ref().is_some_and(|connection| connection.is_left())
    }
}
