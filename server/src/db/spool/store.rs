//! The spool behind its lock: the file, what is counted in memory beside it, and the limit.

use std::{
    fs::{self, TryLockError},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    Depth, ENTRY_OVERHEAD_BYTES, Entry, Oldest, Recovery, Result, SpoolError, Stored,
    file::{File, Row},
    payload, recovery,
};

use crate::domain::time::Timestamp;

/// An empty file that is larger is made small again.
const EMPTY_FILE_BYTES: u64 = 1024 * 1024;

/// What the name of the lock file ends with.
const LOCK: &str = ".lock";

/// The file and what is known about it.
pub(super) struct Store {
    path: PathBuf,
    limit_bytes: u64,
    /// Keeps other processes away as long as it is open, also while the file is being replaced. None once closed.
    lock: Option<fs::File>,
    /// None only where making a fresh one failed, and once closed.
    file: Option<File>,
    depth: Depth,
    /// The last number that was given.
    last: i64,
    /// Everything up to this number was removed, be it in the file or, while the disk is full, only here.
    taken: i64,
}

impl Store {
    /// Opens the file; see [`super::Spool::open`].
    pub(super) fn open(path: &Path, limit_bytes: u64, now: Timestamp) -> Result<(Self, Recovery)> {
        let (lock, told) = (Some(lock(path)?), told(path));
        let (path, depth) = (path.to_owned(), Depth::default());
        let mut store = Self { path, limit_bytes, lock, file: None, depth, last: 0, taken: 0 };
        let recovery = store.open_anew(now, told)?;
        Ok((store, recovery))
    }

    /// Opens the file anew.
    pub(super) fn recover(&mut self, now: Timestamp) -> Result<Recovery> {
        self.open_anew(now, Some(self.depth.entries))
    }

    /// Opens the file in which so many entries waited, as far as is known. How many are missing in a damaged one is
    /// known better so than by the file itself. What was known may be older than the file: it is no use if less waited
    /// than is there.
    fn open_anew(&mut self, now: Timestamp, waited: Option<u64>) -> Result<Recovery> {
        self.file = None;
        let is_gone = !self.path.exists();
        let (opened, mut recovery) = recovery::open(&self.path, now)?;
        self.file = Some(opened.file);
        (self.depth, self.last, self.taken) = (opened.depth, opened.last, opened.removed);
        let missing = waited.and_then(|waited| waited.checked_sub(recovery.kept + recovery.damaged));
        if let Some(missing) = missing.filter(|_| is_gone || recovery.set_aside.is_some()) {
            recovery.lost = missing;
        }
        Ok(recovery)
    }

    /// How much waits.
    pub(super) fn depth(&self) -> Depth {
        self.depth
    }

    /// Writes into the lock file how many entries wait, for whoever looks from outside: the file itself is ours alone.
    /// It is a hint, for which nothing waits and nothing fails.
    pub(super) fn tell_depth(&mut self) {
        if let Some(lock) = &self.lock {
            drop(lock.write_all_at(format!("{:<20}\n", self.depth.entries).as_bytes(), 0));
        }
    }

    /// Closes the file and lets others have it.
    pub(super) fn close(&mut self) {
        self.file = None;
        self.lock = None;
    }

    /// Appends all entries, or none.
    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<()> {
        let rows = self.rows(entries)?;
        let added = rows.iter().fold(Depth::default(), |depth, row| depth.plus(&size(row)));
        let depth = self.depth.plus(&added);
        if depth.bytes > self.limit_bytes {
            return Err(SpoolError::Full);
        }
        let file = self.file()?;
        file.atomically(|file| file.insert(&rows))?;
        file.checkpoint();
        self.last = rows.last().map_or(self.last, |row| row.seq);
        self.depth = depth;
        Ok(())
    }

    fn rows(&self, entries: &[Entry]) -> Result<Vec<Row>> {
        let numbers = self.last + 1..;
        let row = |(seq, entry)| {
            let (kind, bytes) =
                payload::write(entry).map_err(|error| SpoolError::Storage(error.to_string()))?;
            Ok(Row::new(seq, kind, bytes))
        };
        numbers.zip(entries).map(row).collect()
    }

    /// The oldest entries; what cannot be read goes into quarantine. Empty only when nothing waits.
    pub(super) fn oldest(&mut self, most: usize) -> Result<Oldest> {
        let mut oldest = Oldest::default();
        while oldest.entries.is_empty() {
            let taken = self.taken;
            let rows = self.file()?.after(taken, most.max(1))?;
            if rows.is_empty() {
                return Ok(oldest);
            }
            oldest.quarantined += self.sort_out(rows, &mut oldest.entries)?;
        }
        Ok(oldest)
    }

    /// Reads rows; says how many went into quarantine.
    fn sort_out(&mut self, rows: Vec<Row>, entries: &mut Vec<Stored>) -> Result<u64> {
        let mut damaged = Vec::new();
        for row in rows {
            match Some(&row).filter(|row| row.is_sound()).and_then(|row| payload::read(&row.kind, &row.bytes))
            {
                Some(entry) => entries.push(Stored { seq: row.seq, entry }),
                None => damaged.push(row),
            }
        }
        if !damaged.is_empty() {
            self.put_away(&damaged)?;
        }
        Ok(damaged.len() as u64)
    }

    /// Moves entries into quarantine; numbers that have none are passed over.
    pub(super) fn quarantine(&mut self, seqs: &[i64]) -> Result<()> {
        let taken = self.taken;
        let file = self.file()?;
        let waiting = seqs.iter().filter(|seq| **seq > taken);
        let rows = waiting.filter_map(|seq| file.find(*seq).transpose()).collect::<Result<Vec<_>>>()?;
        self.put_away(&rows)
    }

    fn put_away(&mut self, rows: &[Row]) -> Result<()> {
        self.file()?.quarantine(rows)?;
        self.depth = rows.iter().fold(self.depth, |depth, row| depth.minus(&size(row)));
        Ok(())
    }

    /// Removes entries up to this one.
    pub(super) fn remove(&mut self, up_to: i64) -> Result<()> {
        let (taken, up_to) = (self.taken, up_to.min(self.last));
        if up_to <= taken {
            return Ok(());
        }
        let extent = self.file()?.extent(taken, up_to)?;
        let (entries, bytes) = (extent.entries.unsigned_abs(), extent.bytes.unsigned_abs());
        self.depth = self.depth.minus(&Depth { entries, bytes: bytes + entries * ENTRY_OVERHEAD_BYTES });
        self.taken = up_to;
        let removed = self.file()?.remove(up_to);
        if self.depth.entries == 0 { self.shrink(removed) } else { removed }
    }

    /// Gives the space of an empty file back. On a full disk even a deletion needs space that may not be there; a
    /// fresh file needs less than the old one gives free.
    fn shrink(&mut self, removed: Result<()>) -> Result<()> {
        let is_small = fs::metadata(&self.path).is_ok_and(|file| file.len() <= EMPTY_FILE_BYTES);
        let outcome = match removed {
            Ok(()) if is_small => return Ok(()),
            Ok(()) => self.file()?.shrink(),
            failed => failed,
        };
        outcome.or_else(|error| if self.start_over()? { Ok(()) } else { Err(error) })
    }

    /// Replaces a file in which nothing waits by a fresh one; not if it keeps something in quarantine.
    fn start_over(&mut self) -> Result<bool> {
        if self.file()?.quarantined_after(0)? > 0 {
            return Ok(false);
        }
        self.file = None;
        recovery::delete(&self.path).map_err(|error| SpoolError::Storage(error.to_string()))?;
        self.file().map(|_| true)
    }

    fn file(&mut self) -> Result<&mut File> {
        if self.lock.is_none() {
            return Err(SpoolError::Storage("it is closed".into()));
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => recovery::open_or_make(&self.path, self.last)?,
        };
        Ok(self.file.insert(file))
    }
}

#[cfg(test)]
impl Store {
    /// Does something to the open file.
    pub(super) fn execute(&mut self, sql: &str) {
        self.file().unwrap().execute(sql).unwrap();
    }
}

impl Depth {
    fn plus(self, other: &Depth) -> Self {
        Self { entries: self.entries + other.entries, bytes: self.bytes + other.bytes }
    }

    fn minus(self, other: &Depth) -> Self {
        let (entries, bytes) = (other.entries, other.bytes);
        Self { entries: self.entries.saturating_sub(entries), bytes: self.bytes.saturating_sub(bytes) }
    }

    /// With one more row.
    pub(super) fn and(self, row: &Row) -> Self {
        self.plus(&size(row))
    }
}

/// How many entries wait in a file, as its lock file says. None where it says nothing.
pub(super) fn told(path: &Path) -> Option<u64> {
    fs::read_to_string(recovery::beside(path, LOCK)).ok()?.trim().parse().ok()
}

fn lock(path: &Path) -> Result<fs::File> {
    let storage = |error: std::io::Error| {
        SpoolError::Storage(format!("cannot open {} and its lock: {error}", path.display()))
    };
    let path = recovery::beside(path, LOCK);
    crate::db::sqlite::make_private(&path).map_err(storage)?;
    let lock = fs::OpenOptions::new().write(true).open(&path).map_err(storage)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(SpoolError::InUse),
        Err(TryLockError::Error(error)) => Err(storage(error)),
    }
}

fn size(row: &Row) -> Depth {
    Depth { entries: 1, bytes: row.bytes.len() as u64 + ENTRY_OVERHEAD_BYTES }
}
