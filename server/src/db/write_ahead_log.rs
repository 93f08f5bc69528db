//! When what is committed to SQLite is safe from a power cut: when its write-ahead log has arrived on the disk. SQLite
//! would see to that itself, in the middle of each commit; so somebody who is in haste can write the next one meanwhile.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::task::spawn_blocking;

use crate::error::{Error, Result};

/// A write-ahead log, as a file. Cheap to clone.
#[derive(Clone)]
pub struct WriteAheadLog(Arc<Shared>);

struct Shared {
    database: PathBuf,
    /// The log, open: the system tells of a failure only those who had the file open before.
    open: Mutex<Option<File>>,
    /// How often the disk has failed, and how many of these times nothing hangs on any more.
    failures: AtomicU64,
    mended: AtomicU64,
    /// How many have asked for a sync aside, and how many of them have theirs.
    asked: AtomicU64,
    synced: tokio::sync::Mutex<u64>,
}

impl WriteAheadLog {
    /// The log of a database.
    pub fn of(database: &Path) -> Self {
        Self(Arc::new(Shared {
            database: database.to_owned(),
            open: Mutex::default(),
            failures: AtomicU64::new(0),
            mended: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            synced: tokio::sync::Mutex::default(),
        }))
    }

    /// Makes everything safe that was committed before. Blocks the thread.
    pub fn sync(&self) -> Result<()> {
        if let Err(error) = self.0.sync() {
            self.0.failures.fetch_add(1, Ordering::SeqCst);
            return Err(Error::Unavailable(format!("the write-ahead log cannot be synced: {error}")));
        }
        self.check()
    }

    /// The same beside whoever writes, once for all who have come since the last time.
    pub async fn sync_aside(&self) -> Result<()> {
        let asked = self.0.asked.fetch_add(1, Ordering::SeqCst);
        let mut synced = self.0.synced.lock().await;
        if *synced <= asked {
            let (log, covered) = (self.clone(), self.0.asked.load(Ordering::SeqCst));
            let outcome = spawn_blocking(move || log.sync()).await;
            outcome.map_err(|error| Error::Internal(error.to_string()))??;
            *synced = covered;
        }
        Ok(())
    }

    /// Fails since the disk has, until the log was begun anew: what is in it may look as if it were safe, and not be.
    pub fn check(&self) -> Result<()> {
        if self.failures() == self.0.mended.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(Error::Unavailable("the write-ahead log has failed, and has to begin anew".into()))
    }

    /// How often the disk has failed.
    pub fn failures(&self) -> u64 {
        self.0.failures.load(Ordering::SeqCst)
    }

    /// Everything is in the database that was in the log when the disk had failed so often.
    pub fn is_mended(&self, failures: u64) {
        self.0.mended.store(failures, Ordering::SeqCst);
    }
}

impl Shared {
    fn sync(&self) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // SQLite follows links to the database, and has the log beside it for as long as anybody has it open.
        let mut path = fs::canonicalize(&self.database)?.into_os_string();
        path.push("-wal");
        let (path, id) = (PathBuf::from(path), |data: fs::Metadata| (data.dev(), data.ino()));
        let is_same = match &*open {
            Some(log) => id(log.metadata()?) == id(fs::metadata(&path)?),
            None => false,
        };
        if !is_same {
            *open = Some(File::open(path)?);
        }
        open.as_ref().map_or(Ok(()), File::sync_data)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_the_disk_has_refused_once_is_not_believed_again() {
        let folder = tempfile::tempdir().unwrap();
        let [database, link, path] =
            ["test.db", "link.db", "test.db-wal"].map(|name| folder.path().join(name));
        fs::write(&database, "").unwrap();
        symlink(&database, &link).unwrap();
        let log = WriteAheadLog::of(&link);
        let is_unavailable = || matches!(log.sync(), Err(Error::Unavailable(_)));
        assert!(is_unavailable(), "there is no log");
        fs::write(&path, "frames").unwrap();
        assert!(is_unavailable(), "the system may have forgotten what it could not write");
        let failures = log.failures();
        log.is_mended(failures);
        log.sync().unwrap();

        fs::rename(&path, folder.path().join("elsewhere")).unwrap();
        assert!(is_unavailable());
        fs::write(&path, "frames").unwrap();
        log.is_mended(failures);
        assert!(is_unavailable(), "it has failed again since");
        log.is_mended(log.failures());
        log.sync().unwrap();
    }

    #[tokio::test]
    async fn who_asks_while_others_sync_is_synced_with_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("test.db");
        fs::write(&database, "").unwrap();
        fs::write(folder.path().join("test.db-wal"), "frames").unwrap();
        let log = WriteAheadLog::of(&database);
        let under_way = log.0.synced.lock().await;
        let waiting: Vec<_> = (0..9)
            .map(|_| log.clone())
            .map(|log| tokio::spawn(async move { log.sync_aside().await }))
            .collect();
        while log.0.asked.load(Ordering::SeqCst) < 9 {
            tokio::task::yield_now().await;
        }
        drop(under_way);
        for waiting in waiting {
            waiting.await.unwrap().unwrap();
        }
        assert_eq!(*log.0.synced.lock().await, 9, "once for all of them");
    }
}
