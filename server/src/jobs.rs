//! What happens without a request: folding totals, settling holds, making partitions. Each job goes through the
//! partners one by one, and what fails for one does not keep it from the others; doing it twice, or from two processes, does no harm.
//! `watch` looks after the database and the spool.

mod drain;
pub mod watch;

pub use drain::Drain;

use std::{future::Future, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use crate::{
    cache::KeyUses,
    clock::Clock,
    db::{Store, db_read, db_write, received::Occasion, scope::PartnerScope},
    error::{Error, Result},
};

const FOLD_EVERY: Duration = Duration::from_secs(1);
const CHECKPOINT_EVERY: Duration = Duration::from_millis(250);
const SETTLE_EVERY: Duration = Duration::from_secs(5);
const USES_EVERY: Duration = Duration::from_secs(60);
const PARTITIONS_EVERY: Duration = Duration::from_secs(6 * 3_600);

/// Starts all jobs on the current runtime; they end with it.
pub fn start(store: &Store, clock: &Clock) {
    let (for_fold, for_holds, for_partitions) = (store.clone(), store.clone(), store.clone());
    let (now, at) = (clock.clone(), clock.clone());
    every("fold totals", FOLD_EVERY, store, move || fold_totals(for_fold.clone()));
    let for_checkpoints = store.clone();
    every("checkpoint", CHECKPOINT_EVERY, store, move || {
        let store = for_checkpoints.clone();
        async move { store.checkpoint().await }
    });
    every("settle holds", SETTLE_EVERY, store, move || settle_holds(for_holds.clone(), now.clone()));
    every("make partitions", PARTITIONS_EVERY, store, move || {
        make_partitions(for_partitions.clone(), at.clone())
    });
}

/// Writes down now and then when keys were last used.
pub fn write_key_uses(store: &Store, uses: &KeyUses) {
    let (for_uses, uses) = (store.clone(), uses.clone());
    every("write uses of keys", USES_EVERY, store, move || write_uses(for_uses.clone(), uses.clone()));
}

async fn write_uses(store: Store, uses: KeyUses) -> Result<()> {
    for (key, used) in uses.unwritten() {
        db_write!(&store, |queries, conn| {
            queries::signing_keys::set_last_used(conn, &used.scope, key, used.at)
        })?;
        uses.written(key, used.at);
    }
    Ok(())
}

fn every<F>(name: &'static str, period: Duration, store: &Store, job: impl Fn() -> F + Send + 'static)
where
    F: Future<Output = Result<()>> + Send,
{
    let gate = store.gate().clone();
    tokio::spawn(async move {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if gate.is_closed() {
                continue;
            }
            if let Err(error) = job().await {
                tracing::warn!(job = name, %error, "a job failed and will be tried again");
            }
        }
    });
}

async fn partners(store: &Store) -> Result<Vec<PartnerScope>> {
    db_read!(store, |queries, conn| queries::partners::scopes(conn))
}

/// Folds what has been added to the totals into the hours. Public for tests.
pub async fn fold_totals(store: Store) -> Result<()> {
    let mut outcome = Ok(());
    for scope in partners(&store).await? {
        outcome = outcome.and(fold_partner(&store, scope).await);
    }
    outcome
}

async fn fold_partner(store: &Store, scope: PartnerScope) -> Result<()> {
    while let Some(folding) = db_read!(store, |queries, conn| queries::totals::oldest(conn, &scope))? {
        let folded = db_write!(store, |queries, conn| queries::totals::fold(conn, &scope, &folding));
        match folded {
            // The other process goes on.
            Err(Error::Contended(_)) => return Ok(()),
            outcome => outcome?,
        }
    }
    Ok(())
}

/// Settles every hold that has ended. Public for the operator's tools and for tests with a clock of their own.
pub async fn settle_holds(store: Store, clock: Clock) -> Result<()> {
    let mut outcome = Ok(());
    for scope in partners(&store).await? {
        outcome = outcome.and(settle_partner(&store, &clock, scope).await);
    }
    outcome
}

async fn settle_partner(store: &Store, clock: &Clock, scope: PartnerScope) -> Result<()> {
    loop {
        let clock = clock.clone();
        let settled = db_write!(store, |queries, conn| {
            let occasion = Occasion { now: clock.now(), delta_id: clock.new_id(), new_id: || clock.new_id() };
            queries::settle_holds::settle(conn, &scope, &occasion)
        })?;
        if settled == 0 {
            return Ok(());
        }
    }
}

/// Makes the partitions of the months to come, where the database has partitions.
pub async fn make_partitions(store: Store, clock: Clock) -> Result<()> {
    store.make_partitions(clock.now()).await
}
