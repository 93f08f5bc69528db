//! What is done with the batches of each queue.

use std::{
    hash::Hash,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Late, aside::Aside, batch::Write, turns::Turn};
use crate::{
    clock::Clock,
    db::{
        Store, db_commit, db_read, db_write,
        gate::Role,
        received::{CappedClick, Incoming, Sighting},
        rows::records::Click,
    },
    domain::{answer::Answer, caps::Admission, visitor::ClickClass},
    error::Result,
    metrics::Metrics,
};

/// How long a batch may take before it goes to the spool.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the writers write with.
#[derive(Clone)]
pub(super) struct Writer {
    store: Store,
    /// The same database, for commits that are safe when [`Store::settled`] says so.
    in_haste: Store,
    clock: Clock,
    aside: Aside,
    metrics: Arc<Metrics>,
}

impl Writer {
    pub fn new(store: Store, clock: Clock, aside: Aside, metrics: Arc<Metrics>) -> Self {
        let store = store.with_patience(PATIENCE).with_role(Role::Watch);
        Self { in_haste: store.clone().in_haste(), store, clock, aside, metrics }
    }
}

/// Clicks.
#[derive(Clone)]
pub(super) struct Clicks(pub Writer);

impl Write for Clicks {
    type Item = Click;
    type Reply = ();

    const GATHERS: bool = true;

    async fn quick(&self, batch: Arc<Vec<Click>>, _turn: Turn) -> Result<Vec<Option<()>>> {
        let Writer { store, clock, metrics, .. } = &self.0;
        let (began, clock, clicks) = (Instant::now(), clock.clone(), batch.clone());
        let are_new = db_commit!(store, |queries, conn| {
            queries::record_clicks::commit_new(conn, &clicks, || clock.new_id())
        })?;
        if are_new {
            metrics.click_batches.count(batch.len(), began.elapsed());
            batch.iter().for_each(|click| metrics.count_click(click.class));
        }
        Ok(vec![are_new.then_some(()); batch.len()])
    }

    async fn thorough(&self, batch: Arc<Vec<Click>>) -> Result<Vec<()>> {
        let Writer { store, clock, metrics, .. } = &self.0;
        let (clock, clicks) = (clock.clone(), batch.clone());
        let commit = async {
            db_write!(store, |queries, conn| {
                queries::record_clicks::record(conn, &clicks, || clock.new_id())
            })
        };
        metrics.click_batches.measure(batch.len(), commit).await?;
        batch.iter().for_each(|click| metrics.count_click(click.class));
        Ok(vec![(); batch.len()])
    }

    async fn aside(&self, batch: Arc<Vec<Click>>) -> Vec<Result<()>> {
        self.0.aside.clicks(&batch).await
    }
}

/// Clicks on campaigns with caps.
#[derive(Clone)]
pub(super) struct CappedClicks(pub Writer);

impl Write for CappedClicks {
    type Item = CappedClick;
    type Reply = Admission;

    async fn thorough(&self, batch: Arc<Vec<CappedClick>>) -> Result<Vec<Admission>> {
        let Writer { store, clock, metrics, .. } = &self.0;
        let (clock, clicks) = (clock.clone(), batch.clone());
        let commit = async {
            db_write!(store, |queries, conn| {
                queries::record_capped_clicks::record(conn, &clicks, || clock.new_id())
            })
        };
        let admissions = metrics.click_batches.measure(batch.len(), commit).await?;
        for (capped, admission) in batch.iter().zip(&admissions) {
            let is_admitted = matches!(admission, Admission::Admitted);
            metrics.count_click(if is_admitted { capped.click.class } else { ClickClass::Invalid });
        }
        Ok(admissions)
    }

    async fn aside(&self, batch: Arc<Vec<CappedClick>>) -> Vec<Result<Admission>> {
        let clicks: Vec<Click> = batch.iter().map(|capped| capped.click.clone()).collect();
        let spooled = self.0.aside.clicks(&clicks).await.into_iter();
        spooled.map(|outcome| outcome.map(|()| Admission::Admitted)).collect()
    }
}

/// Impressions, and visits without consent.
#[derive(Clone)]
pub(super) struct Sightings(pub Writer);

impl Write for Sightings {
    type Item = Sighting;
    type Reply = ();

    async fn thorough(&self, batch: Arc<Vec<Sighting>>) -> Result<Vec<()>> {
        let Writer { store, clock, metrics, .. } = &self.0;
        let (clock, sightings) = (clock.clone(), batch.clone());
        let commit = async {
            db_write!(store, |queries, conn| {
                queries::record_sightings::record(conn, &sightings, || clock.new_id())
            })
        };
        metrics.impression_batches.measure(batch.len(), commit).await?;
        for sighting in batch.iter() {
            if let Sighting::Impression(impression) = sighting {
                metrics.count_impression(impression.class);
            }
        }
        Ok(vec![(); batch.len()])
    }

    async fn aside(&self, batch: Arc<Vec<Sighting>>) -> Vec<Result<()>> {
        self.0.aside.sightings(&batch).await
    }
}

/// Postbacks.
#[derive(Clone)]
pub(super) struct Postbacks(pub Writer);

impl Write for Postbacks {
    type Item = Incoming;
    type Reply = Answer;

    /// Its click and its order: nothing else makes two reports one conversion, but customers, who take the thorough way.
    fn subjects(incoming: &Incoming) -> impl Iterator<Item = impl Hash> {
        let received = &incoming.received;
        let order = received.report.as_ref().ok().and_then(|report| report.order_id.as_deref());
        let order = order.map(|order| (received.scope.id(), None, Some(order)));
        let click = received.click.and_then(Result::ok).map(|click| (received.scope.id(), Some(click), None));
        click.into_iter().chain(order)
    }

    async fn quick(&self, batch: Arc<Vec<Incoming>>, turn: Turn) -> Result<Vec<Option<Answer>>> {
        let (Writer { store, in_haste, metrics, .. }, began) = (&self.0, Instant::now());
        let new = db_read!(store, |queries, conn| queries::record_postbacks::judge_new(conn, &batch))?;
        turn.is_clear().await;
        let answers = db_commit!(in_haste, |queries, conn| queries::record_postbacks::commit_new(conn, new))?;
        let written = answers.iter().flatten().count();
        if written > 0 {
            metrics.postback_batches.count(written, began.elapsed());
        }
        Ok(answers)
    }

    async fn settled(&self) -> Result<()> {
        self.0.store.settled().await
    }

    async fn thorough(&self, batch: Arc<Vec<Incoming>>) -> Result<Vec<Answer>> {
        let (Writer { store, metrics, .. }, size) = (&self.0, batch.len());
        let commit =
            async { db_write!(store, |queries, conn| queries::record_postbacks::record(conn, &batch)) };
        metrics.postback_batches.measure(size, commit).await
    }

    async fn aside(&self, batch: Arc<Vec<Incoming>>) -> Vec<Result<Answer>> {
        self.0.aside.postbacks(batch.iter().map(|incoming| &*incoming.received).collect()).await
    }
}

/// Postbacks that were to wait.
#[derive(Clone)]
pub(super) struct LatePostbacks(pub Writer);

impl Write for LatePostbacks {
    type Item = Late;
    type Reply = Result<Answer>;

    /// Records them, if nothing waits any more before them: whoever drains and whoever appends take turns, so the spool
    /// does become empty under any load, and then stays so.
    async fn thorough(&self, batch: Arc<Vec<Late>>) -> Result<Vec<Result<Answer>>> {
        let Writer { store, aside, .. } = &self.0;
        let _turn = aside.turn_or_patience().await;
        let known =
            batch.iter().cloned().map(|(received, set_up)| Some(Incoming { received, set_up: set_up? }));
        match known.collect::<Option<Vec<_>>>().filter(|_| aside.spool.is_empty()) {
            Some(batch) => {
                let answers =
                    db_write!(store, |queries, conn| queries::record_postbacks::record(conn, &batch))?;
                Ok(answers.into_iter().map(Ok).collect())
            }
            None => Ok(aside.postbacks(batch.iter().map(|(received, _)| &**received).collect()).await),
        }
    }

    async fn aside(&self, batch: Arc<Vec<Late>>) -> Vec<Result<Result<Answer>>> {
        let received = batch.iter().map(|(received, _)| &**received).collect();
        self.0.aside.postbacks(received).await.into_iter().map(Ok).collect()
    }
}
