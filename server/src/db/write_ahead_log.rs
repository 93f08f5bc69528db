//! When what is committed to SQLite is safe from a power cut: when its write-ahead log has arrived on the disk. SQLite
//! would see to that itself, in the middle of each commit; so somebody who is in haste can write the next one meanwhile.

use std::{
    fs::File,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::error::{Error, Result};

/// A write-ahead log, as a file. Cheap to clone.
#[derive(Clone)]
pub struct WriteAheadLog {
    path: Arc<PathBuf>,
    /// Set when the disk has failed: what is in the log may look as if it were safe, and is not.
    is_doubtful: Arc<AtomicBool>,
}

impl WriteAheadLog {
    /// The log of a database, in the file beside it.
    pub fn of(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Self { path: Arc::new(path.into()), is_doubtful: Arc::default() }
    }

    /// Makes everything safe that was committed before. Blocks the thread.
    pub fn sync(&self) -> Result<()> {
        let unavailable = |why: &dyn std::fmt::Display| {
            Error::Unavailable(format!("the write-ahead log cannot be synced: {why}"))
        };
        if let Err(error) = sync(&self.path) {
            self.is_doubtful.store(true, Ordering::SeqCst);
            return Err(unavailable(&error));
        }
        if self.is_doubtful() { Err(unavailable(&"it has failed, and has to begin anew")) } else { Ok(()) }
    }

    /// True since the disk has failed, until the log is begun anew.
    pub fn is_doubtful(&self) -> bool {
        self.is_doubtful.load(Ordering::SeqCst)
    }

    /// Everything that was in the log is in the database.
    pub fn has_begun_anew(&self) {
        self.is_doubtful.store(false, Ordering::SeqCst);
    }
}

/// It is opened each time, so that it is always the one that SQLite writes to. Where there is none, everything is in the
/// database.
fn sync(path: &Path) -> io::Result<()> {
    match File::open(path) {
        Ok(log) => log.sync_data(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn what_the_disk_has_refused_once_is_not_believed_again() {
        let folder = tempfile::tempdir().unwrap();
        let (database, path) = (folder.path().join("test.db"), folder.path().join("test.db-wal"));
        let log = WriteAheadLog::of(&database);
        log.sync().expect("where there is no log, nothing has to be synced");
        fs::write(&path, "frames").unwrap();
        log.sync().unwrap();

        fs::remove_file(&path).unwrap();
        symlink(&path, &path).unwrap();
        let is_unavailable = || matches!(log.sync(), Err(Error::Unavailable(_)));
        assert!(is_unavailable() && log.is_doubtful());
        fs::remove_file(&path).unwrap();
        fs::write(&path, "frames").unwrap();
        assert!(is_unavailable(), "the system may have forgotten what it could not write");
        log.has_begun_anew();
        log.sync().unwrap();
    }
}
