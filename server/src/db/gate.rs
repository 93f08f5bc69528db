//! Whether the database is there, as far as is known: asked before anybody waits for it. Whoever writes clicks and
//! postbacks closes the gate when the database does not answer; whoever finds it back opens it.

use std::sync::Arc;

use tokio::sync::watch;

/// The gate before the database. Cheap to clone.
#[derive(Clone)]
pub struct Gate(Arc<watch::Sender<bool>>);

/// Who asks the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Asks while the gate is open.
    Usual,
    /// The same, and closes it when the database is unavailable or too slow.
    Watch,
    /// Asks although it is closed: to find out whether the database is back.
    Scout,
}

impl Gate {
    /// An open gate.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// True while the database is away.
    pub fn is_closed(&self) -> bool {
        *self.0.borrow()
    }

    /// The database is away; said once in the log.
    pub fn close(&self, why: &str) {
        if !self.0.send_replace(true) {
            tracing::error!(why, "the database is away; clicks and postbacks go to the spool");
        }
    }

    /// The database is back.
    pub fn open(&self) {
        if self.0.send_replace(false) {
            tracing::info!("the database is back");
        }
    }

    /// Completes when the gate is closed the next time.
    pub async fn closing(&self) {
        let mut changes = self.0.subscribe();
        while changes.changed().await.is_ok() && !*changes.borrow_and_update() {}
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
