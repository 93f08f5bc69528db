//! The writers that commit many requests at once. A click or a postback goes into a bounded queue with a place for
//! its reply; a writer takes whatever is queued and commits it in one transaction; only then is anybody answered.
//! There is no timer: a quiet server commits each request at once, a busy one commits more of them together.

mod batch;

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::{
    clock::Clock,
    db::{Store, db_write, received::Incoming, rows::records::Click},
    domain::{answer::Answer, visitor::ClickClass},
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

/// The way in for clicks and postbacks. Cheap to clone; the writers end when the last one is dropped.
#[derive(Clone)]
pub struct Ingest {
    clicks: mpsc::Sender<Queued<Click, ()>>,
    postbacks: mpsc::Sender<Queued<Incoming, Answer>>,
}

impl Ingest {
    /// Starts the writers on the current runtime.
    pub fn start(store: Store, clock: Clock, metrics: Arc<Metrics>) -> Self {
        let writers = if matches!(store, Store::Postgres(_)) { POSTGRES_WRITERS } else { 1 };
        let clicks = batch::start(writers, {
            let (store, clock, metrics) = (store.clone(), clock, metrics.clone());
            move |batch| measured_clicks(metrics.clone(), store.clone(), clock.clone(), batch)
        });
        let postbacks = batch::start(writers, move |batch| {
            let (store, metrics) = (store.clone(), metrics.clone());
            async move { metrics.postback_batches.measure(batch.len(), record_postbacks(store, batch)).await }
        });
        Self { clicks, postbacks }
    }

    /// Records a click; returns when it is committed.
    pub async fn record_click(&self, click: Click) -> Result<()> {
        submit(&self.clicks, click).await
    }

    /// Records a postback; returns its answer when it is committed.
    pub async fn record_postback(&self, incoming: Incoming) -> Result<Answer> {
        submit(&self.postbacks, incoming).await
    }

    /// How many clicks and how many postbacks wait for a writer, now.
    pub fn waiting(&self) -> [usize; 2] {
        [self.clicks.capacity(), self.postbacks.capacity()].map(|free| QUEUE - free)
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
    let of_class = |class| batch.iter().filter(|click| click.class == class).count() as u64;
    let by_class: Vec<_> = ClickClass::ALL.iter().map(|class| (*class, of_class(*class))).collect();
    let recorded = metrics.click_batches.measure(batch.len(), record_clicks(store, clock, batch)).await?;
    by_class.into_iter().for_each(|(class, clicks)| metrics.count_clicks(class, clicks));
    Ok(recorded)
}

async fn record_clicks(store: Store, clock: Clock, batch: Arc<Vec<Click>>) -> Result<Vec<()>> {
    let count = batch.len();
    db_write!(&store, |queries, conn| {
        queries::record_clicks::record(conn, &batch, || clock.new_id()).map(|()| vec![(); count])
    })
}

async fn record_postbacks(store: Store, batch: Arc<Vec<Incoming>>) -> Result<Vec<Answer>> {
    db_write!(&store, |queries, conn| queries::record_postbacks::record(conn, &batch))
}
