//! The spool: where clicks, impressions and postbacks wait on disk while the database is away, hanging or full. A small SQLite
//! file of its own. An append is durable when it returns; what was appended comes out in order, and is removed once
//! the database has it. Whether something is spooled, and how it is replayed, is not decided here.
//!
//! One process at a time has the file: a second one is refused with [`SpoolError::InUse`].

mod file;
mod payload;
mod recovery;
mod salvage;
mod store;

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod payload_tests;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    received::Received,
    rows::records::{Click, Impression},
};
use crate::domain::time::Timestamp;
use store::Store;

/// What an entry takes on disk beside its bytes, roughly: sequence number, kind, checksum, share of the page.
pub const ENTRY_OVERHEAD_BYTES: u64 = 100;

/// Something that waits for the database.
#[derive(Clone, PartialEq, Debug)]
pub enum Entry {
    /// A click.
    Click(Box<Click>),
    /// An impression.
    Impression(Box<Impression>),
    /// A postback that has been authenticated and read. One that was refused already is written as exactly: its
    /// line of the log still has to be made. What a stranger sent (401) should be answered and not be spooled.
    Postback(Box<Received>),
}

/// An entry of the spool.
#[derive(Clone, PartialEq, Debug)]
pub struct Stored {
    /// Its place in the order. Grows, with gaps only where entries were quarantined.
    pub seq: i64,
    /// What waits.
    pub entry: Entry,
}

/// The oldest entries.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Oldest {
    /// In the order in which they were appended.
    pub entries: Vec<Stored>,
    /// How many stood between them whose checksum does not fit, or whose form this version does not know. They have
    /// been moved to the table `quarantine` of the file: report them.
    pub quarantined: u64,
}

/// How much waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Depth {
    /// Entries.
    pub entries: u64,
    /// Their bytes, with [`ENTRY_OVERHEAD_BYTES`] for each.
    pub bytes: u64,
}

/// What was found when the spool was opened.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovery {
    /// Entries that wait.
    pub kept: u64,
    /// Entries that are there and do not fit their checksum. They are in the table `quarantine`.
    pub damaged: u64,
    /// Entries that are known to be missing: from how many the lock file says have waited, and where it says nothing,
    /// from the numbers of those that are there. A journal that was cut exactly at the end of a transaction shows
    /// nothing; it holds something alone only when the disk was full.
    pub lost: u64,
    /// Where the damaged file is (with `-wal` and `-shm` beside it), or what is left of it.
    pub set_aside: Option<PathBuf>,
}

impl Recovery {
    /// Whether nothing was wrong.
    pub fn is_clean(&self) -> bool {
        self.damaged == 0 && self.lost == 0 && self.set_aside.is_none()
    }
}

/// Why the spool did not do something.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SpoolError {
    /// It holds as much as it may. Nothing was appended.
    #[error("the spool is full")]
    Full,
    /// Another process has the file.
    #[error("another process uses the spool")]
    InUse,
    /// The disk is full or fails. Nothing was appended; it may work again at any time.
    #[error("the spool cannot be written or read: {0}")]
    Storage(String),
    /// The file was damaged while it was open: [`Spool::recover`].
    #[error("the spool is damaged: {0}")]
    Damaged(String),
}

/// The result of an operation on the spool.
pub type Result<T, E = SpoolError> = std::result::Result<T, E>;

/// The open spool. Cheap to clone.
#[derive(Clone)]
pub struct Spool(Arc<Shared>);

struct Shared {
    store: Mutex<Store>,
    /// Apart from the store, so that nobody waits for the disk to learn it.
    depth: Mutex<Depth>,
}

impl Spool {
    /// Opens the file, or makes it, for its owner alone. Blocks. What can be read of a damaged one is kept, in a
    /// fresh file; the damaged one is moved aside, under a name with the time `now`.
    ///
    /// # Errors
    /// [`SpoolError::InUse`], and [`SpoolError::Storage`] where the folder cannot be written or the disk fails.
    pub fn open(path: impl AsRef<Path>, limit_bytes: u64, now: Timestamp) -> Result<(Self, Recovery)> {
        let (mut store, recovery) = Store::open(path.as_ref(), limit_bytes, now)?;
        store.tell_depth();
        let depth = Mutex::new(store.depth());
        Ok((Self(Arc::new(Shared { store: Mutex::new(store), depth })), recovery))
    }

    /// Appends all entries, in one transaction: durable when it returns. On an error none of them is there, but for
    /// a disk that fails at the very last step; so what is appended again may come out twice.
    pub async fn append(&self, entries: Vec<Entry>) -> Result<()> {
        self.run(move |store| store.append(&entries)).await
    }

    /// The oldest entries, at most `most`. Empty only when nothing waits. They stay until they are removed.
    pub async fn oldest(&self, most: usize) -> Result<Oldest> {
        self.run(move |store| store.oldest(most)).await
    }

    /// Removes every entry up to this one: the database has them.
    ///
    /// # Errors
    /// On a full disk they may stay in the file until a later removal. [`Spool::oldest`] does not return them again,
    /// but the next start does.
    pub async fn remove(&self, up_to: i64) -> Result<()> {
        self.run(move |store| store.remove(up_to)).await
    }

    /// Moves entries to the table `quarantine` of the file, where they stay: those that the database refuses each time,
    /// and that would block all others.
    pub async fn quarantine(&self, seqs: Vec<i64>) -> Result<()> {
        self.run(move |store| store.quarantine(&seqs)).await
    }

    /// Opens the file anew, as at a start, and keeps what can be read.
    pub async fn recover(&self, now: Timestamp) -> Result<Recovery> {
        self.run(move |store| store.recover(now)).await
    }

    /// Closes the file and lets others have it; nothing can be done with it here any more.
    pub async fn close(&self) {
        let shared = self.0.clone();
        let closed = tokio::task::spawn_blocking(move || lock(&shared.store).close()).await;
        closed.unwrap_or_default();
    }

    /// How many entries wait in a file, as whoever had it open last has said. Opens nothing.
    pub fn waiting_in(path: &Path) -> Option<u64> {
        store::told(path)
    }

    /// How much waits. Never touches the disk.
    pub fn depth(&self) -> Depth {
        *lock(&self.0.depth)
    }

    /// Whether nothing waits. Never touches the disk.
    pub fn is_empty(&self) -> bool {
        self.depth().entries == 0
    }

    /// Runs an operation on a thread that may block; it runs to its end even when nobody waits for it any more.
    async fn run<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let shared = self.0.clone();
        let run = move || {
            let mut store = lock(&shared.store);
            let outcome = operation(&mut store);
            *lock(&shared.depth) = store.depth();
            store.tell_depth();
            outcome
        };
        let ended = tokio::task::spawn_blocking(run).await;
        ended.unwrap_or_else(|error| Err(SpoolError::Storage(error.to_string())))
    }
}

/// Nothing is left half-done in memory by a panic: the file is the truth.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
