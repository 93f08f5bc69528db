//! A bounded set of blocking connections. One thread hop per operation; an operation always runs to its end,
//! even when the request that asked for it has gone.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Semaphore, time::timeout};

use super::{
    gate::{Gate, Role},
    write_ahead_log::WriteAheadLog,
};
use crate::error::{Error, Result};

type Open<C> = Box<dyn Fn() -> Result<C> + Send + Sync>;

/// How long anybody who serves a request waits for a connection and the operation together. An operation that is
/// given up may still be carried out: every write of ours may be repeated.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections of one kind, opened when they are needed, kept when they are sound.
pub struct Pool<C> {
    shared: Arc<Shared<C>>,
    patience: Duration,
    share: Option<Arc<Semaphore>>,
    role: Role,
    /// Where commits are safe only when this is synced.
    log: Option<WriteAheadLog>,
    is_hasty: bool,
}

struct Shared<C> {
    gate: Gate,
    open: Open<C>,
    is_sound: fn(&mut C) -> bool,
    idle: Mutex<Vec<C>>,
    permits: Arc<Semaphore>,
}

impl<C> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            patience: self.patience,
            share: self.share.clone(),
            role: self.role,
            log: self.log.clone(),
            is_hasty: self.is_hasty,
        }
    }
}

impl<C: Send + 'static> Pool<C> {
    /// A pool of at most `size` connections, behind a gate.
    pub fn new(
        size: usize,
        gate: Gate,
        is_sound: fn(&mut C) -> bool,
        open: impl Fn() -> Result<C> + Send + Sync + 'static,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(size));
        let shared = Shared { gate, open: Box::new(open), is_sound, idle: Mutex::default(), permits };
        let shared = Arc::new(shared);
        Self { shared, patience: PATIENCE, share: None, role: Role::Usual, log: None, is_hasty: false }
    }

    /// The same connections, whose commits are safe only when a log is synced.
    pub fn with_log(self, log: WriteAheadLog) -> Self {
        Self { log: Some(log), ..self }
    }

    /// The same connections, for somebody who goes on before what was committed is safe, and sees to that with
    /// [`Pool::settled`].
    pub fn in_haste(self) -> Self {
        Self { is_hasty: true, ..self }
    }

    /// The same connections, for operations that may take longer than a request.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same connections, for those who may use at most `size` of them at once and leave the others to the rest.
    pub fn with_share(self, size: usize) -> Self {
        Self { share: Some(Arc::new(Semaphore::new(size))), ..self }
    }

    /// The same connections, for somebody in another role.
    pub fn with_role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// The gate before the database.
    pub fn gate(&self) -> &Gate {
        &self.shared.gate
    }

    /// Runs `operation` on a connection, on a thread that may block. While the database is away it fails at once.
    pub async fn run<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut C) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.role != Role::Scout && self.gate().is_closed() {
            return Err(Error::Unavailable("the database is away".into()));
        }
        if let (Some(log), false) = (&self.log, self.role == Role::Scout) {
            log.check()?;
        }
        self.in_time(self.run_in_turn(operation)).await
    }

    /// Returns when everything that was committed before is safe.
    pub async fn settled(&self) -> Result<()> {
        match &self.log {
            Some(log) => self.in_time(log.sync_aside()).await,
            None => Ok(()),
        }
    }

    async fn in_time<T>(&self, operation: impl Future<Output = Result<T>>) -> Result<T> {
        let outcome = timeout(self.patience, operation).await;
        let outcome = outcome.unwrap_or_else(|_| {
            // What hangs for one may hang for the next.
            self.shared.lock_idle().clear();
            Err(Error::Unavailable("the database does not answer in time".into()))
        });
        if let (Role::Watch, Err(Error::Unavailable(why))) = (self.role, &outcome) {
            self.gate().close(why);
        }
        outcome
    }

    async fn run_in_turn<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut C) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let closed = |_| Error::Unavailable("the pool is closed".into());
        let share = match &self.share {
            Some(share) => Some(share.clone().acquire_owned().await.map_err(closed)?),
            None => None,
        };
        let permit = self.shared.permits.clone().acquire_owned().await.map_err(closed)?;
        let (shared, log) = (self.shared.clone(), self.log.clone().filter(|_| !self.is_hasty));
        let run = move || {
            let _permits = (permit, share);
            let mut conn = match shared.take_idle() {
                Some(conn) => conn,
                None => (shared.open)()?,
            };
            let outcome = operation(&mut conn).and_then(|done| match log {
                // Whoever has asked: nobody may write on what is not safe.
                Some(log) => log.sync().map(|()| done).inspect_err(|why| shared.gate.close(&why.to_string())),
                None => Ok(done),
            });
            match outcome {
                // The others were opened to the same server: whatever has ended this one has ended them.
                Err(Error::Unavailable(_)) => shared.lock_idle().clear(),
                _ if (shared.is_sound)(&mut conn) => shared.lock_idle().push(conn),
                _ => {}
            }
            outcome
        };
        let outcome = tokio::task::spawn_blocking(run).await;
        outcome.map_err(|error| Error::Internal(error.to_string()))?
    }
}

impl<C> Shared<C> {
    fn take_idle(&self) -> Option<C> {
        self.lock_idle().pop()
    }

    fn lock_idle(&self) -> std::sync::MutexGuard<'_, Vec<C>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
