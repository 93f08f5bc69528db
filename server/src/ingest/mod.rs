//! The writers that commit many requests at once. A click or a postback goes into a bounded queue with a place for
//! its reply; a writer takes whatever is queued and commits it in one transaction; only then is anybody answered.
//! There is no timer: a quiet server commits each request at once, a busy one commits more of them together.
//! What the database cannot have goes to the spool instead, which is as durable.

pub mod aside;
mod batch;
pub mod replies;
mod turns;

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use aside::Aside;
use batch::Ways;
use replies::{Reply, reply};
use tokio::sync::{mpsc, oneshot};
use turns::{Order, Turn};

use crate::{
    clock::Clock,
    db::{
        Store, db_commit, db_read, db_write,
        gate::Role,
        received::{CappedClick, Incoming, Received, SetUp, Sighting},
        rows::records::Click,
    },
    domain::{answer::Answer, caps::Admission, visitor::ClickClass},
    error::{Error, Result},
    metrics::Metrics,
};

/// Most requests that wait; beyond it the server sheds.
const QUEUE: usize = 4_096;
/// Most requests in one transaction: PostgreSQL takes 65,535 values in a statement, SQLite 32,766.
const BATCH: usize = 500;
/// Writers on PostgreSQL; SQLite has one by nature.
const POSTGRES_WRITERS: usize = 2;
/// Writers of postbacks: while one commits, the other one judges.
const POSTBACK_WRITERS: usize = 2;

/// How long a batch may take before it goes to the spool.
const PATIENCE: Duration = Duration::from_secs(2);

type Queued<T, R> = (T, Reply<R>);
/// A postback, with what the set-up says, if that is known.
type Late = (Box<Received>, Option<SetUp>);

/// The way in for clicks, impressions and postbacks. Cheap to clone; the writers end when the last one is dropped.
#[derive(Clone)]
pub struct Ingest {
    clicks: mpsc::Sender<Queued<Click, ()>>,
    capped_clicks: mpsc::Sender<Queued<CappedClick, Admission>>,
    sightings: mpsc::Sender<Queued<Sighting, ()>>,
    postbacks: mpsc::Sender<Queued<Incoming, Answer>>,
    /// Postbacks that came while others waited in the spool, or whose set-up is not known.
    late: mpsc::Sender<Queued<Late, Result<Answer>>>,
    aside: Aside,
}

impl Ingest {
    /// Starts the writers on the current runtime.
    pub fn start(store: Store, clock: Clock, aside: Aside, metrics: Arc<Metrics>) -> Self {
        let writers = if matches!(store, Store::Postgres(_)) { POSTGRES_WRITERS } else { 1 };
        let store = store.with_patience(PATIENCE).with_role(Role::Watch);
        let writer = Writer { store, clock, aside: aside.clone(), metrics };
        let clicks =
            batch::start(writers, Order::Any, ways!(writer, quick_clicks, record_clicks, spool_clicks));
        // One writer: it would only wait for another one at the counts.
        let capped_clicks =
            batch::start(1, Order::Any, ways!(writer, record_capped_clicks, spool_capped_clicks));
        let sightings = batch::start(writers, Order::Any, ways!(writer, record_sightings, spool_sightings));
        let of_postbacks = ways!(writer, quick_postbacks, record_postbacks, spool_postbacks);
        let postbacks = batch::start(POSTBACK_WRITERS, Order::AsTaken, of_postbacks);
        let late = batch::start(1, Order::Any, ways!(writer, record_late, spool_late));
        Self { clicks, capped_clicks, sightings, postbacks, late, aside }
    }

    /// Queues a click, whose end [`Ingest::recorded`] waits for.
    pub fn hand_over_click(&self, click: Click) -> Result<Recording> {
        self.note_loss(enqueue(&self.clicks, click).map(Recording))
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
                enqueue(&self.postbacks, Incoming { received, set_up }).map(Pending::Usual)
            }
            Ok(set_up) => enqueue(&self.late, (received, Some(set_up))).map(Pending::Late),
            Err(Error::Unavailable(_)) => enqueue(&self.late, (received, None)).map(Pending::Late),
            Err(error) => Err(error),
        }
    }

    /// How many clicks, impressions and postbacks wait for a writer, now.
    pub fn waiting(&self) -> [usize; 3] {
        let capped = QUEUE - self.capped_clicks.capacity();
        [
            QUEUE - self.clicks.capacity() + capped,
            QUEUE - self.sightings.capacity(),
            QUEUE - self.postbacks.capacity(),
        ]
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

async fn submit<T, R>(queue: &mpsc::Sender<Queued<T, R>>, item: T) -> Result<R> {
    written(enqueue(queue, item)?).await
}

fn enqueue<T, R>(queue: &mpsc::Sender<Queued<T, R>>, item: T) -> Result<oneshot::Receiver<Result<R>>> {
    let (reply, answer) = reply();
    queue.try_send((item, reply)).map_err(|_| Error::Unavailable("the queue is full".into()))?;
    Ok(answer)
}

async fn written<R>(reply: oneshot::Receiver<Result<R>>) -> Result<R> {
    reply.await.map_err(|_| Error::Unavailable("the writer has stopped".into()))?
}

/// What the writers write with.
#[derive(Clone)]
struct Writer {
    store: Store,
    clock: Clock,
    aside: Aside,
    metrics: Arc<Metrics>,
}

/// The ways of a batch: methods of the writer. The quick one may be missing.
macro_rules! ways {
    ($writer:ident, $thorough:ident, $aside:ident) => {
        Ways { quick: batch::none, thorough: way!($writer, $thorough), aside: way!($writer, $aside) }
    };
    ($writer:ident, $quick:ident, $thorough:ident, $aside:ident) => {
        Ways {
            quick: quick_way!($writer, $quick),
            thorough: way!($writer, $thorough),
            aside: way!($writer, $aside),
        }
    };
}
use ways;

macro_rules! way {
    ($writer:ident, $method:ident) => {{
        let writer = $writer.clone();
        move |batch| {
            let writer = writer.clone();
            async move { writer.$method(batch).await }
        }
    }};
}
use way;

macro_rules! quick_way {
    ($writer:ident, $method:ident) => {{
        let writer = $writer.clone();
        move |batch, turn| {
            let writer = writer.clone();
            async move { writer.$method(batch, turn).await }
        }
    }};
}
use quick_way;

impl Writer {
    async fn quick_clicks(&self, batch: Arc<Vec<Click>>, _turn: Turn) -> Result<Vec<Option<()>>> {
        let (began, clock, clicks) = (Instant::now(), self.clock.clone(), batch.clone());
        let are_new = db_commit!(&self.store, |queries, conn| {
            queries::record_clicks::commit_new(conn, &clicks, || clock.new_id())
        })?;
        if are_new {
            self.metrics.click_batches.count(batch.len(), began.elapsed());
            batch.iter().for_each(|click| self.metrics.count_click(click.class));
        }
        Ok(vec![are_new.then_some(()); batch.len()])
    }

    async fn record_clicks(&self, batch: Arc<Vec<Click>>) -> Result<Vec<()>> {
        let (clock, clicks) = (self.clock.clone(), batch.clone());
        let commit = async {
            db_write!(&self.store, |queries, conn| {
                queries::record_clicks::record(conn, &clicks, || clock.new_id())
            })
        };
        self.metrics.click_batches.measure(batch.len(), commit).await?;
        batch.iter().for_each(|click| self.metrics.count_click(click.class));
        Ok(vec![(); batch.len()])
    }

    async fn record_capped_clicks(&self, batch: Arc<Vec<CappedClick>>) -> Result<Vec<Admission>> {
        let (clock, clicks) = (self.clock.clone(), batch.clone());
        let commit = async {
            db_write!(&self.store, |queries, conn| {
                queries::record_capped_clicks::record(conn, &clicks, || clock.new_id())
            })
        };
        let admissions = self.metrics.click_batches.measure(batch.len(), commit).await?;
        for (capped, admission) in batch.iter().zip(&admissions) {
            let is_admitted = matches!(admission, Admission::Admitted);
            self.metrics.count_click(if is_admitted { capped.click.class } else { ClickClass::Invalid });
        }
        Ok(admissions)
    }

    async fn record_sightings(&self, batch: Arc<Vec<Sighting>>) -> Result<Vec<()>> {
        let (clock, sightings) = (self.clock.clone(), batch.clone());
        let commit = async {
            db_write!(&self.store, |queries, conn| {
                queries::record_sightings::record(conn, &sightings, || clock.new_id())
            })
        };
        self.metrics.impression_batches.measure(batch.len(), commit).await?;
        for sighting in batch.iter() {
            if let Sighting::Impression(impression) = sighting {
                self.metrics.count_impression(impression.class);
            }
        }
        Ok(vec![(); batch.len()])
    }

    async fn quick_postbacks(&self, batch: Arc<Vec<Incoming>>, turn: Turn) -> Result<Vec<Option<Answer>>> {
        let began = Instant::now();
        let new = db_read!(&self.store, |queries, conn| queries::record_postbacks::judge_new(conn, &batch))?;
        turn.comes().await;
        let answers =
            db_commit!(&self.store, |queries, conn| queries::record_postbacks::commit_new(conn, new))?;
        let written = answers.iter().flatten().count();
        if written > 0 {
            self.metrics.postback_batches.count(written, began.elapsed());
        }
        Ok(answers)
    }

    async fn record_postbacks(&self, batch: Arc<Vec<Incoming>>) -> Result<Vec<Answer>> {
        let size = batch.len();
        let commit =
            async { db_write!(&self.store, |queries, conn| queries::record_postbacks::record(conn, &batch)) };
        self.metrics.postback_batches.measure(size, commit).await
    }

    /// Records postbacks that were to wait, if nothing waits any more before them: whoever drains and whoever appends
    /// take turns, so the spool does become empty under any load, and then stays so.
    async fn record_late(&self, batch: Arc<Vec<Late>>) -> Result<Vec<Result<Answer>>> {
        let _turn = self.aside.turn_or_patience().await;
        let known =
            batch.iter().cloned().map(|(received, set_up)| Some(Incoming { received, set_up: set_up? }));
        match known.collect::<Option<Vec<_>>>().filter(|_| self.aside.spool.is_empty()) {
            Some(batch) => {
                let answers = db_write!(&self.store, |queries, conn| {
                    queries::record_postbacks::record(conn, &batch)
                })?;
                Ok(answers.into_iter().map(Ok).collect())
            }
            None => Ok(self.aside.postbacks(batch.iter().map(|(received, _)| &**received).collect()).await),
        }
    }

    async fn spool_clicks(&self, batch: Arc<Vec<Click>>) -> Vec<Result<()>> {
        self.aside.clicks(&batch).await
    }

    async fn spool_capped_clicks(&self, batch: Arc<Vec<CappedClick>>) -> Vec<Result<Admission>> {
        let clicks: Vec<Click> = batch.iter().map(|capped| capped.click.clone()).collect();
        let spooled = self.aside.clicks(&clicks).await.into_iter();
        spooled.map(|outcome| outcome.map(|()| Admission::Admitted)).collect()
    }

    async fn spool_sightings(&self, batch: Arc<Vec<Sighting>>) -> Vec<Result<()>> {
        self.aside.sightings(&batch).await
    }

    async fn spool_postbacks(&self, batch: Arc<Vec<Incoming>>) -> Vec<Result<Answer>> {
        self.aside.postbacks(batch.iter().map(|incoming| &*incoming.received).collect()).await
    }

    async fn spool_late(&self, batch: Arc<Vec<Late>>) -> Vec<Result<Result<Answer>>> {
        let received = batch.iter().map(|(received, _)| &**received).collect();
        self.aside.postbacks(received).await.into_iter().map(Ok).collect()
    }
}
