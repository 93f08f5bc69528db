//! The writers that commit many requests at once. A click or a postback goes into a bounded queue with a place for
//! its reply; a writer takes whatever is queued and commits it in one transaction; only then is anybody answered.
//! A quiet server commits each request at once, a busy one commits more of them together.
//! What the database cannot have goes to the spool instead, which is as durable.

pub mod aside;
mod batch;
mod gathering;
pub mod replies;
mod turns;
mod writers;

use std::sync::{Arc, atomic::Ordering};

use aside::Aside;
use batch::Queue;
use replies::Reply;
use tokio::sync::oneshot;
use turns::Order;
use writers::{CappedClicks, Clicks, LatePostbacks, Postbacks, Sightings, Writer};

use crate::{
    clock::Clock,
    db::{
        Store,
        received::{CappedClick, Incoming, Received, SetUp, Sighting},
        rows::records::Click,
    },
    domain::{answer::Answer, caps::Admission},
    error::{Error, Result},
    metrics::Metrics,
};

/// Most requests of a kind that wait; beyond it the server sheds.
const QUEUE: usize = 4_096;
/// Most postbacks that wait: as many as come singly (`Limits::postbacks`), and as many items of batches as may be there
/// at once.
const POSTBACK_QUEUE: usize = 5_120;
/// Most requests in one transaction. More of them take more memory, and fewer more processor time.
const BATCH: usize = 400;
/// Writers on PostgreSQL; SQLite has one by nature.
const POSTGRES_WRITERS: usize = 2;
/// Writers of postbacks: while one commits, the other one judges.
const POSTBACK_WRITERS: usize = 2;

type Queued<T, R> = (T, Reply<R>);
/// A postback, with what the set-up says, if that is known.
type Late = (Box<Received>, Option<SetUp>);

/// The way in for clicks, impressions and postbacks. Cheap to clone; the writers end when the last one is dropped.
#[derive(Clone)]
pub struct Ingest {
    clicks: Queue<Click, ()>,
    capped_clicks: Queue<CappedClick, Admission>,
    sightings: Queue<Sighting, ()>,
    postbacks: Queue<Incoming, Answer>,
    /// Postbacks that came while others waited in the spool, or whose set-up is not known.
    late: Queue<Late, Result<Answer>>,
    aside: Aside,
}

impl Ingest {
    /// Starts the writers on the current runtime.
    pub fn start(store: Store, clock: Clock, aside: Aside, metrics: Arc<Metrics>) -> Self {
        let writers = if matches!(store, Store::Postgres(_)) { POSTGRES_WRITERS } else { 1 };
        let writer = Writer::new(store, clock, aside.clone(), metrics);
        let clicks = batch::start(QUEUE, writers, Order::Any, Clicks(writer.clone()));
        // One writer: it would only wait for another one at the counts.
        let capped_clicks = batch::start(QUEUE, 1, Order::Any, CappedClicks(writer.clone()));
        let sightings = batch::start(QUEUE, writers, Order::Any, Sightings(writer.clone()));
        let postbacks =
            batch::start(POSTBACK_QUEUE, POSTBACK_WRITERS, Order::AsTaken, Postbacks(writer.clone()));
        let late = batch::start(POSTBACK_QUEUE, 1, Order::Any, LatePostbacks(writer));
        Self { clicks, capped_clicks, sightings, postbacks, late, aside }
    }

    /// Queues a click, whose end [`Ingest::recorded`] waits for.
    pub fn hand_over_click(&self, click: Click) -> Result<Recording> {
        self.note_loss(self.clicks.enqueue(click).map(Recording))
    }

    /// Returns when a click is committed, or safe in the spool.
    pub async fn recorded(&self, recording: Recording) -> Result<()> {
        self.note_loss(written(recording.0).await)
    }

    /// Records a click of a person on a campaign with caps; says whether the campaign takes it when it is committed.
    /// While the database is away nobody can count: the campaign takes it, and it is safe in the spool.
    pub async fn record_capped_click(&self, click: CappedClick) -> Result<Admission> {
        self.note_loss(submit(&self.capped_clicks, click).await)
    }

    fn note_loss<T>(&self, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            self.aside.losses.untracked_clicks.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    /// Records an impression, or that there was no consent; returns when it is committed.
    pub async fn record_sighting(&self, sighting: Sighting) -> Result<()> {
        submit(&self.sightings, sighting).await
    }

    /// Queues a postback; its answer comes when it is committed, or safe in the spool. As long as anything waits there,
    /// one that may count waits too: behind its click, and behind those that came before it. So does one whose set-up
    /// could not be looked up. Those that are queued before any of them is waited for are committed together.
    pub fn hand_over(&self, received: Box<Received>, set_up: Result<SetUp>) -> Result<Pending> {
        match set_up {
            Ok(set_up) if !received.may_count() || self.aside.spool.is_empty() => {
                self.postbacks.enqueue(Incoming { received, set_up }).map(Pending::Usual)
            }
            Ok(set_up) => self.late.enqueue((received, Some(set_up))).map(Pending::Late),
            Err(Error::Unavailable(_)) => self.late.enqueue((received, None)).map(Pending::Late),
            Err(error) => Err(error),
        }
    }

    /// How many clicks, impressions and postbacks wait for a writer, now.
    pub fn waiting(&self) -> [usize; 3] {
        let clicks = self.clicks.waiting() + self.capped_clicks.waiting();
        [clicks, self.sightings.waiting(), self.postbacks.waiting()]
    }
}

/// A click that is queued.
pub struct Recording(oneshot::Receiver<Result<()>>);

/// A postback that is queued.
pub enum Pending {
    /// For the writers of postbacks.
    Usual(oneshot::Receiver<Result<Answer>>),
    /// For the writer of those that were to wait.
    Late(oneshot::Receiver<Result<Result<Answer>>>),
}

impl Pending {
    /// Its answer, when it is committed or safe in the spool.
    pub async fn answer(self) -> Result<Answer> {
        match self {
            Self::Usual(reply) => written(reply).await,
            Self::Late(reply) => written(reply).await?,
        }
    }
}

async fn submit<T, R>(queue: &Queue<T, R>, item: T) -> Result<R> {
    written(queue.enqueue(item)?).await
}

async fn written<R>(reply: oneshot::Receiver<Result<R>>) -> Result<R> {
    reply.await.map_err(|_| Error::Unavailable("the writer has stopped".into()))?
}
