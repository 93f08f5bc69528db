//! A bounded set of blocking connections. One thread hop per operation; an operation always runs to its end,
//! even when the request that asked for it has gone.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Semaphore, time::timeout};

use crate::error::{Error, Result};

type Open<C> = Box<dyn Fn() -> Result<C> + Send + Sync>;

/// How long anybody who serves a request waits for a connection, and then for the operation. An operation that is given up may still be
/// carried out: every write of ours may be repeated.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections of one kind, opened when they are needed, kept when they are sound.
pub struct Pool<C> {
    shared: Arc<Shared<C>>,
    patience: Duration,
    share: Option<Arc<Semaphore>>,
}

struct Shared<C> {
    open: Open<C>,
    is_sound: fn(&mut C) -> bool,
    idle: Mutex<Vec<C>>,
    permits: Arc<Semaphore>,
}

impl<C> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), patience: self.patience, share: self.share.clone() }
    }
}

impl<C: Send + 'static> Pool<C> {
    /// A pool of at most `size` connections.
    pub fn new(
        size: usize,
        is_sound: fn(&mut C) -> bool,
        open: impl Fn() -> Result<C> + Send + Sync + 'static,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(size));
        let shared = Shared { open: Box::new(open), is_sound, idle: Mutex::default(), permits };
        Self { shared: Arc::new(shared), patience: PATIENCE, share: None }
    }

    /// The same connections, for operations that may take longer than a request.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same connections, for those who may use at most `size` of them at once and leave the others to the rest.
    pub fn with_share(self, size: usize) -> Self {
        Self { share: Some(Arc::new(Semaphore::new(size))), ..self }
    }

    /// Runs `operation` on a connection, on a thread that may block.
    pub async fn run<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut C) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let closed = |_| Error::Unavailable("the pool is closed".into());
        let busy = |_| Error::Unavailable("no connection became free in time".into());
        let acquire = async |permits: &Arc<Semaphore>| {
            let permit = timeout(self.patience, permits.clone().acquire_owned());
            permit.await.map_err(busy)?.map_err(closed)
        };
        let share = match &self.share {
            Some(share) => Some(acquire(share).await?),
            None => None,
        };
        let permit = acquire(&self.shared.permits).await?;
        let shared = self.shared.clone();
        let run = move || {
            let _permits = (permit, share);
            let mut conn = match shared.take_idle() {
                Some(conn) => conn,
                None => (shared.open)()?,
            };
            let outcome = operation(&mut conn);
            match outcome {
                // The others were opened to the same server: whatever has ended this one has ended them.
                Err(Error::Unavailable(_)) => shared.lock_idle().clear(),
                _ if (shared.is_sound)(&mut conn) => shared.lock_idle().push(conn),
                _ => {}
            }
            outcome
        };
        let slow = |_| Error::Unavailable("the database does not answer in time".into());
        let outcome = timeout(self.patience, tokio::task::spawn_blocking(run)).await.map_err(slow)?;
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
