//! The way into the spool: what a click or a postback is answered while the database cannot have it.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    sync::{Mutex, MutexGuard},
    time::{Duration, timeout},
};

use crate::{
    clock::Clock,
    db::{
        received::{Received, Sighting},
        rows::records::Click,
        spool::{Entry, Recovery, Result as SpoolResult, Spool, SpoolError},
    },
    domain::{
        answer::Answer,
        code::Code,
        matching,
        postback::{Intent, Report},
        refusal::Refusal,
        trace::Check,
    },
    error::{Error, Result},
};

/// How long an append gives way to the drain, which could otherwise run after it for ever.
const COURTESY: Duration = Duration::from_secs(1);

/// The way into the spool. Cheap to clone.
#[derive(Clone)]
pub struct Aside {
    /// The spool.
    pub spool: Spool,
    /// What could not even be spooled.
    pub losses: Arc<Losses>,
    clock: Clock,
    turn: Arc<Mutex<()>>,
}

/// What found no place anywhere, since the start.
#[derive(Default)]
pub struct Losses {
    /// Clicks that were redirected without a click id.
    pub untracked_clicks: AtomicU64,
    /// Postbacks that were answered 503, for their senders to try again.
    pub refused_postbacks: AtomicU64,
}

impl Aside {
    /// The way into a spool.
    pub fn new(spool: Spool, clock: Clock) -> Self {
        Self { spool, losses: Arc::default(), clock, turn: Arc::default() }
    }

    /// The right to drain for a while, taken in turns with those who append.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// The right to append, or to find that nothing waits any more; without it too, when draining takes long.
    pub async fn turn_or_patience(&self) -> Option<MutexGuard<'_, ()>> {
        timeout(COURTESY, self.turn.lock()).await.ok()
    }

    /// Spools clicks, all or none.
    pub async fn clicks(&self, clicks: &[Click]) -> Vec<Result<()>> {
        let entries = clicks.iter().map(|click| Entry::Click(Box::new(click.clone()))).collect();
        let spooled = self.append(entries).await;
        clicks.iter().map(|_| spooled.as_ref().map_err(no_room).copied()).collect()
    }

    /// Spools impressions, all or none. That somebody gave no consent cannot wait: it has no id by which its second
    /// coming could be told from another one's.
    pub async fn sightings(&self, sightings: &[Sighting]) -> Vec<Result<()>> {
        let entries = sightings.iter().filter_map(|sighting| match sighting {
            Sighting::Impression(impression) => Some(Entry::Impression(impression.clone())),
            Sighting::WithoutConsent(..) => None,
        });
        let spooled = self.append(entries.collect()).await;
        let answer = |sighting: &Sighting| match sighting {
            Sighting::Impression(_) => spooled.as_ref().map_err(no_room).copied(),
            Sighting::WithoutConsent(..) => Err(Error::Unavailable("the database is away".into())),
        };
        sightings.iter().map(answer).collect()
    }

    /// Spools postbacks, all or none, and says what to answer to each. What is refused already stays refused, and so is
    /// what can be refused without a look-up; its line of the log can wait, if its sender could sign.
    pub async fn postbacks(&self, postbacks: Vec<&Received>) -> Vec<Result<Answer>> {
        let postbacks: Vec<_> = postbacks.into_iter().map(refuse_what_is_not_ours).collect();
        let waiting = postbacks.iter().filter(|received| can_wait(received));
        let entries =
            waiting.map(|received| Entry::Postback(Box::new(received.clone().into_owned()))).collect();
        let spooled = self.append(entries).await;
        postbacks.iter().map(|received| self.answer(received, &spooled)).collect()
    }

    fn answer(&self, received: &Received, spooled: &SpoolResult<()>) -> Result<Answer> {
        let postback_id = Some(received.postback_id);
        match (&received.report, spooled) {
            (Err(refusal), Ok(())) => Ok(Answer { postback_id, ..Answer::refused(refusal.clone()) }),
            (Err(refusal), Err(_)) => Ok(Answer::refused(refusal.clone())),
            (Ok(Report { intent: Intent::Validate, .. }), _) => {
                Err(Error::Unavailable("a dry run needs the database".into()))
            }
            (Ok(_), Ok(())) => Ok(Answer::spooled(received.postback_id)),
            (Ok(_), Err(error)) => {
                self.losses.refused_postbacks.fetch_add(1, Ordering::Relaxed);
                Err(no_room(error))
            }
        }
    }

    async fn append(&self, entries: Vec<Entry>) -> SpoolResult<()> {
        if entries.is_empty() {
            return Ok(());
        }
        match self.spool.append(entries.clone()).await {
            Err(SpoolError::Damaged(why)) => {
                self.recover(&why).await?;
                self.spool.append(entries).await
            }
            outcome => outcome,
        }
    }

    /// Opens a spool anew that was damaged while it was open.
    pub async fn recover(&self, why: &str) -> SpoolResult<()> {
        tracing::error!(why, "the spool is damaged; it is opened anew");
        let recovery = self.spool.recover(self.clock.now()).await?;
        tell_recovery(&recovery);
        Ok(())
    }
}

/// A click id that is none of the partner's is known without the database.
fn refuse_what_is_not_ours(received: &Received) -> Cow<'_, Received> {
    let Received { report: Ok(_), click: Some(Err(error)), .. } = received else {
        return Cow::Borrowed(received);
    };
    let mut refused = received.clone();
    refused.report = Err(matching::not_ours(*error));
    refused.origin.refused_at = Some(Check::Source);
    Cow::Owned(refused)
}

/// Dry runs record nothing, and a stranger's report is nobody's.
fn can_wait(received: &Received) -> bool {
    received.may_count() || received.report.as_ref().is_err_and(|refusal| refusal.code.status() != 401)
}

fn no_room(error: &SpoolError) -> Error {
    tracing::debug!(%error, "nothing can be spooled");
    Refusal::of(Code::StorageFull).into()
}

/// Says what was found in the spool when it was opened; never silent about what is damaged.
pub fn tell_recovery(found: &Recovery) {
    let Recovery { kept, damaged, lost, set_aside } = found;
    let set_aside = set_aside.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    if !found.is_clean() {
        tracing::error!(kept, damaged, lost, set_aside, "the spool was damaged; what could be read is kept");
    } else if *kept > 0 {
        tracing::warn!(kept, "clicks and postbacks wait in the spool");
    }
}
