//! Brings the database what waits in the spool, oldest first: clicks and impressions before the postbacks that may name them, then
//! out of the spool what the database has. Doing it twice does no harm.

use std::{future::Future, time::Duration};

use crate::{
    cache::Cache,
    clock::Clock,
    db::{
        Store, db_write,
        gate::Role,
        received::{Incoming, Received, Sighting},
        rows::records::Click,
        spool::{Entry, Oldest, SpoolError, Stored},
    },
    error::{Error, Result},
    ingest::aside::Aside,
};

/// Entries in one transaction.
const GROUP: usize = 500;
/// Groups in a turn. Between two turns at most one batch of 500 is appended: the spool becomes empty under any load.
const GROUPS: usize = 4;
/// How long a group may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often nothing at all may work before it is the entries' fault.
const MOST_FRUITLESS: u32 = 20;

/// How the spool is emptied.
pub struct Drain {
    store: Store,
    cache: Cache,
    clock: Clock,
    /// How often in a row no entry could be written, although the database answered.
    fruitless: u32,
}

/// What became of some items.
#[derive(Default)]
struct Written {
    /// How many were tried.
    tried: usize,
    /// The places of those that fail whatever is tried.
    failed: Vec<i64>,
}

impl Drain {
    /// Nothing is drained yet.
    pub fn new(store: &Store, cache: &Cache, clock: &Clock) -> Self {
        let store = store.clone().with_patience(PATIENCE).with_role(Role::Watch);
        Self { store, cache: cache.clone(), clock: clock.clone(), fruitless: 0 }
    }

    /// Drains until the spool is empty, or until something does not work.
    pub async fn run(&mut self, aside: &Aside) {
        let before = aside.spool.depth().entries;
        while !aside.spool.is_empty() {
            let _turn = aside.turn().await;
            for _ in 0..GROUPS {
                if let Err(error) = self.group(aside).await {
                    tracing::debug!(%error, "the spool cannot be drained now");
                    return;
                }
            }
        }
        tracing::info!(at_first = before, "the spool is drained");
    }

    async fn group(&mut self, aside: &Aside) -> Result<()> {
        let oldest = self.oldest(aside).await?;
        if oldest.quarantined > 0 {
            let entries = oldest.quarantined;
            tracing::error!(entries, "entries of the spool cannot be read; they are in its quarantine");
        }
        let Some(last) = oldest.entries.last().map(|stored| stored.seq) else { return Ok(()) };
        let written = self.write(oldest.entries).await?;
        self.judge(aside, written).await?;
        if let Err(error) = aside.spool.remove(last).await {
            tracing::warn!(%error, "entries stay in the spool's file, which the database has");
        }
        Ok(())
    }

    async fn oldest(&self, aside: &Aside) -> Result<Oldest> {
        match aside.spool.oldest(GROUP).await {
            Ok(oldest) => Ok(oldest),
            Err(SpoolError::Damaged(why)) => {
                aside.recover(&why).await.map_err(storage)?;
                aside.spool.oldest(GROUP).await.map_err(storage)
            }
            Err(error) => Err(storage(error)),
        }
    }

    /// Writes entries, each kind in one transaction if all goes well.
    async fn write(&self, entries: Vec<Stored>) -> Result<Written> {
        let (mut clicks, mut sightings, mut postbacks) = (Vec::new(), Vec::new(), Vec::new());
        for Stored { seq, entry } in entries {
            match entry {
                Entry::Click(click) => clicks.push((seq, *click)),
                Entry::Impression(impression) => sightings.push((seq, Sighting::Impression(impression))),
                Entry::Postback(received) => postbacks.push((seq, *received)),
            }
        }
        let clicks = halved(clicks, |batch| self.record_clicks(batch)).await?;
        let sightings = halved(sightings, |batch| self.record_sightings(batch)).await?;
        let postbacks = halved(postbacks, |batch| self.record_postbacks(batch)).await?;
        let failed = [clicks.failed, sightings.failed, postbacks.failed].concat();
        Ok(Written { tried: clicks.tried + sightings.tried + postbacks.tried, failed })
    }

    async fn record_clicks(&self, batch: Vec<Click>) -> Result<()> {
        let clock = self.clock.clone();
        db_write!(&self.store, |queries, conn| {
            queries::record_clicks::record(conn, &batch, || clock.new_id())
        })
    }

    async fn record_sightings(&self, batch: Vec<Sighting>) -> Result<()> {
        let clock = self.clock.clone();
        db_write!(&self.store, |queries, conn| {
            queries::record_sightings::record(conn, &batch, || clock.new_id())
        })
    }

    async fn record_postbacks(&self, batch: Vec<Received>) -> Result<()> {
        let mut incoming = Vec::with_capacity(batch.len());
        for received in batch {
            let set_up = self.cache.set_up_for(&received).await?;
            incoming.push(Incoming { received: Box::new(received), set_up });
        }
        db_write!(&self.store, |queries, conn| queries::replay::record(conn, incoming))
    }

    /// Puts away what fails, so that the rest can go on. Where everything fails it is more likely the database's
    /// fault, and nothing is put away before it has been tried for a while.
    async fn judge(&mut self, aside: &Aside, written: Written) -> Result<()> {
        let Written { tried, failed } = written;
        if failed.len() < tried {
            self.fruitless = 0;
        } else {
            self.fruitless += 1;
            if self.fruitless < MOST_FRUITLESS {
                return Err(Error::Internal("no entry of the spool can be written".into()));
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        tracing::error!(
            entries = failed.len(),
            "the database refuses entries of the spool; they are put into its quarantine"
        );
        aside.spool.quarantine(failed).await.map_err(storage)
    }
}

/// Writes items in order, in one transaction; if that fails for a reason of one of them, in halves, until it is found.
async fn halved<T, F>(items: Vec<(i64, T)>, commit: impl Fn(Vec<T>) -> F) -> Result<Written>
where
    T: Clone,
    F: Future<Output = Result<()>>,
{
    let mut written = Written { tried: items.len(), failed: Vec::new() };
    let mut waiting = vec![items];
    while let Some(mut batch) = waiting.pop() {
        if batch.is_empty() {
            continue;
        }
        match commit(batch.iter().map(|(_, item)| item.clone()).collect()).await {
            Ok(()) => {}
            Err(error @ (Error::Unavailable(_) | Error::Contended(_))) => return Err(error),
            Err(error) if batch.len() == 1 => {
                tracing::error!(%error, "an entry of the spool cannot be written");
                written.failed.extend(batch.iter().map(|(seq, _)| *seq));
            }
            Err(_) => {
                let second = batch.split_off(batch.len() / 2);
                waiting.extend([second, batch]);
            }
        }
    }
    Ok(written)
}

fn storage(error: SpoolError) -> Error {
    Error::Unavailable(format!("the spool: {error}"))
}
