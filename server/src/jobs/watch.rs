//! Watches over the database: finds out whether it is back, makes it ready, and brings it what waits in the spool.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use super::drain::Drain;
use crate::{
    clock::Clock,
    db::{Store, db_read, db_write, gate::Role},
    domain::master_key::MasterKey,
    error::{Error, Result},
    ingest::aside::Aside,
};

/// How often the database is asked while it is away.
const EVERY: Duration = Duration::from_millis(500);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the tables may take to be brought up to date.
const PREPARE_PATIENCE: Duration = Duration::from_secs(60);
/// How often losses are told, in ticks.
const TOLD_EVERY: u64 = 20;
/// How often the same failure is told, in failures.
const REMINDED_EVERY: u64 = 120;

/// Whether a database is ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prepared {
    /// It is, and it is up to date.
    Ready,
    /// It was made with another master key.
    OtherMasterKey,
}

/// Brings the tables up to date, and makes sure that the database was made with our master key.
pub async fn prepare(store: &Store, clock: &Clock, key: &MasterKey) -> Result<Prepared> {
    let store = store.clone().with_patience(PREPARE_PATIENCE).with_role(Role::Scout);
    for name in store.migrate().await? {
        tracing::info!(name, "migration applied");
    }
    store.make_partitions(clock.now()).await?;
    let ours = key.fingerprint();
    let expected = ours.clone();
    let stored =
        db_write!(&store, |queries, conn| queries::installation::master_key_fingerprint(conn, &ours))?;
    Ok(if stored == expected { Prepared::Ready } else { Prepared::OtherMasterKey })
}

/// Who watches.
pub struct Watch {
    /// The database.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
    /// The master key.
    pub master_key: Arc<MasterKey>,
    /// The spool.
    pub aside: Aside,
    /// How it is emptied.
    pub drain: Drain,
    /// Whether the database was found ready already.
    pub is_prepared: bool,
}

/// How often the database was asked in vain since it went.
#[derive(Default)]
struct Failures {
    /// It did not answer.
    away: u64,
    /// It answered, and cannot be used.
    unfit: u64,
}

impl Watch {
    /// Watches for ever.
    pub async fn run(mut self) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut told, mut failures) = ((0, 0), Failures::default());
        for tick in 0_u64.. {
            ticks.tick().await;
            if tick.is_multiple_of(TOLD_EVERY) {
                self.tell_losses(&mut told);
            }
            if self.store.gate().is_closed() {
                if let Err(error) = self.find_out().await {
                    self.tell_failure(&error, &mut failures);
                    continue;
                }
                failures = Failures::default();
                self.store.gate().open();
            }
            if !self.aside.spool.is_empty() {
                self.drain.run(&self.aside).await;
            }
        }
    }

    /// Fails while the database is not there, or not fit to be used.
    async fn find_out(&mut self) -> Result<()> {
        let store = self.store.clone().with_patience(PATIENCE).with_role(Role::Scout);
        db_read!(&store, |queries, conn| queries::health::ping(conn))?;
        store.trust_log_again().await?;
        if !self.is_prepared {
            match prepare(&self.store, &self.clock, &self.master_key).await? {
                Prepared::Ready => self.is_prepared = true,
                Prepared::OtherMasterKey => {
                    return Err(Error::Internal("this database was made with another master key".into()));
                }
            }
        }
        db_write!(&store, |queries, conn| queries::health::try_to_write(conn))
    }

    /// That the database is away was said when it went; that it is there and cannot be used is said at once. Both are
    /// said again from time to time.
    fn tell_failure(&self, error: &Error, failures: &mut Failures) {
        let spooled = self.aside.spool.depth().entries;
        match error {
            Error::Unavailable(why) => {
                failures.away += 1;
                if failures.away.is_multiple_of(REMINDED_EVERY) {
                    tracing::warn!(why, spooled, "the database is still away");
                }
            }
            error => {
                if failures.unfit.is_multiple_of(REMINDED_EVERY) {
                    tracing::error!(%error, spooled, "the database answers and cannot be used");
                }
                failures.unfit += 1;
            }
        }
    }

    /// Says how much found no place, when it has become more.
    fn tell_losses(&self, told: &mut (u64, u64)) {
        let losses = &self.aside.losses;
        let clicks = losses.untracked_clicks.load(Ordering::Relaxed);
        let postbacks = losses.refused_postbacks.load(Ordering::Relaxed);
        if (clicks, postbacks) != *told {
            *told = (clicks, postbacks);
            tracing::error!(
                untracked_clicks = clicks,
                refused_postbacks = postbacks,
                "no room in the spool: since the start, clicks went without an id and postbacks were answered 503"
            );
        }
    }
}
