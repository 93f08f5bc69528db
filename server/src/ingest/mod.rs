//! The writers that commit many requests at once. A click or a postback goes into a bounded queue with a place for
//! its reply; a writer takes whatever is queued and commits it in one transaction; only then is anybody answered.
//! There is no timer: a quiet server commits each request at once, a busy one commits more of them together.

mod batch;

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::{
    clock::Clock,
    db::{
        Store, db_write,
        received::{CappedClick, Incoming, Sighting},
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

type Reply<R> = oneshot::Sender<Result<R>>;
type Queued<T, R> = (T, Reply<R>);

/// The way in for clicks, impressions and postbacks. Cheap to clone; the writers end when the last one is dropped.
#[derive(Clone)]
pub struct Ingest {
    clicks: mpsc::Sender<Queued<Click, ()>>,
    capped_clicks: mpsc::Sender<Queued<CappedClick, Admission>>,
    sightings: mpsc::Sender<Queued<Sighting, ()>>,
    postbacks: mpsc::Sender<Queued<Incoming, Answer>>,
}

impl Ingest {
    /// Starts the writers on the current runtime.
    pub fn start(store: Store, clock: Clock, metrics: Arc<Metrics>) -> Self {
        let writers = if matches!(store, Store::Postgres(_)) { POSTGRES_WRITERS } else { 1 };
        let clicks = batch::start(writers, {
            let (store, clock, metrics) = (store.clone(), clock.clone(), metrics.clone());
            move |batch| measured_clicks(metrics.clone(), store.clone(), clock.clone(), batch)
        });
        // One writer: it would only wait for another one at the counts.
        let capped_clicks = batch::start(1, {
            let (store, clock, metrics) = (store.clone(), clock.clone(), metrics.clone());
            move |batch| measured_capped_clicks(metrics.clone(), store.clone(), clock.clone(), batch)
        });
        let sightings = batch::start(writers, {
            let (store, clock) = (store.clone(), clock);
            move |batch| record_sightings(store.clone(), clock.clone(), batch)
        });
        let postbacks = batch::start(writers, move |batch| {
            let (store, metrics) = (store.clone(), metrics.clone());
            async move { metrics.postback_batches.measure(batch.len(), record_postbacks(store, batch)).await }
        });
        Self { clicks, capped_clicks, sightings, postbacks }
    }

    /// Records a click; returns when it is committed.
    pub async fn record_click(&self, click: Click) -> Result<()> {
        submit(&self.clicks, click).await
    }

    /// Records a click of a person on a campaign with caps; says whether the campaign takes it when it is committed.
    pub async fn record_capped_click(&self, click: CappedClick) -> Result<Admission> {
        submit(&self.capped_clicks, click).await
    }

    /// Records an impression, or that there was no consent; returns when it is committed.
    pub async fn record_sighting(&self, sighting: Sighting) -> Result<()> {
        submit(&self.sightings, sighting).await
    }

    /// Records a postback; returns its answer when it is committed.
    pub async fn record_postback(&self, incoming: Incoming) -> Result<Answer> {
        submit(&self.postbacks, incoming).await
    }

    /// How many clicks and how many postbacks wait for a writer, now.
    pub fn waiting(&self) -> [usize; 2] {
        let capped = QUEUE - self.capped_clicks.capacity();
        [QUEUE - self.clicks.capacity() + capped, QUEUE - self.postbacks.capacity()]
    }
}

async fn submit<T, R>(queue: &mpsc::Sender<Queued<T, R>>, item: T) -> Result<R> {
    let (reply, answer) = oneshot::channel();
    queue.try_send((item, reply)).map_err(|_| Error::Unavailable("the queue is full".into()))?;
    answer.await.map_err(|_| Error::Unavailable("the writer has stopped".into()))?
}

async fn measured_clicks(
    metrics: Arc<Metrics>,
    store: Store,
    clock: Clock,
    batch: Arc<Vec<Click>>,
) -> Result<Vec<()>> {
    let commit = record_clicks(store, clock, batch.clone());
    let recorded = metrics.click_batches.measure(batch.len(), commit).await?;
    batch.iter().for_each(|click| metrics.count_click(click.class));
    Ok(recorded)
}

async fn measured_capped_clicks(
    metrics: Arc<Metrics>,
    store: Store,
    clock: Clock,
    batch: Arc<Vec<CappedClick>>,
) -> Result<Vec<Admission>> {
    let commit = record_capped_clicks(store, clock, batch.clone());
    let admissions = metrics.click_batches.measure(batch.len(), commit).await?;
    for (capped, admission) in batch.iter().zip(&admissions) {
        let is_admitted = matches!(admission, Admission::Admitted);
        metrics.count_click(if is_admitted { capped.click.class } else { ClickClass::Invalid });
    }
    Ok(admissions)
}

async fn record_clicks(store: Store, clock: Clock, batch: Arc<Vec<Click>>) -> Result<Vec<()>> {
    let count = batch.len();
    db_write!(&store, |queries, conn| {
        queries::record_clicks::record(conn, &batch, || clock.new_id()).map(|()| vec![(); count])
    })
}

async fn record_capped_clicks(
    store: Store,
    clock: Clock,
    batch: Arc<Vec<CappedClick>>,
) -> Result<Vec<Admission>> {
    db_write!(&store, |queries, conn| {
        queries::record_capped_clicks::record(conn, &batch, || clock.new_id())
    })
}

async fn record_sightings(store: Store, clock: Clock, batch: Arc<Vec<Sighting>>) -> Result<Vec<()>> {
    let count = batch.len();
    db_write!(&store, |queries, conn| {
        queries::record_sightings::record(conn, &batch, || clock.new_id()).map(|()| vec![(); count])
    })
}

async fn record_postbacks(store: Store, batch: Arc<Vec<Incoming>>) -> Result<Vec<Answer>> {
    db_write!(&store, |queries, conn| queries::record_postbacks::record(conn, &batch))
}
