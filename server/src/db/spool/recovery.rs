//! Opening the file: a sound one as it is; of a damaged one what can be read goes into a fresh file, in order, and
//! the damaged one is moved aside. Nothing is deleted that may hold an entry.

use std::{
    fs, io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    Depth, Recovery, Result, SpoolError,
    file::{File, PAGE_BYTES, Row, SCHEMA},
    salvage,
};
use crate::domain::time::Timestamp;

/// What SQLite keeps beside a file. Left behind, it would be applied to the next file of the same name.
const SIDES: [&str; 3] = ["-wal", "-shm", "-journal"];
/// What is being made: a fresh file, and the copy of a damaged one.
const NEW: &str = ".new";
const COPY: &str = ".salvage";
/// What a header of the journal, and of each of its frames, takes.
const JOURNAL_HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: u64 = 24;
/// Rows that are read at once.
const ROWS_AT_ONCE: usize = 200;

/// A sound file.
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) depth: Depth,
    pub(super) last: i64,
    pub(super) removed: i64,
}

/// Opens the file, or makes it.
pub(super) fn open(path: &Path, now: Timestamp) -> Result<(Opened, Recovery)> {
    let journal = beside(path, "-wal");
    [NEW, COPY].iter().try_for_each(|suffix| delete(&beside(path, suffix))).map_err(storage)?;
    if !path.exists() && !journal.exists() {
        make(path, 0)?;
    }
    let examined = match path.exists() {
        true => examine(path, now),
        false => Err(SpoolError::Damaged("the file is gone, its journal is there".into())),
    };
    match examined {
        Err(SpoolError::Damaged(_)) => recover(path, now),
        examined => examined,
    }
}

/// Opens a file that is known to be sound, or makes one in which everything up to `removed` was removed.
pub(super) fn open_or_make(path: &Path, removed: i64) -> Result<File> {
    if !path.exists() {
        make(path, removed)?;
    }
    File::open(path)
}

/// Deletes the file, journal first: a file without its journal is older, a journal without its file looks like damage.
pub(super) fn delete(path: &Path) -> io::Result<()> {
    SIDES.iter().chain(&[""]).try_for_each(|suffix| delete_if_there(&beside(path, suffix)))
}

/// Makes an empty file where there is none, under another name first: a file that is there is always whole.
fn make(path: &Path, removed: i64) -> Result<()> {
    let fresh = beside(path, NEW);
    make_at(&fresh)?.set_removed(removed)?;
    delete(path).map_err(storage)?;
    put_in_place(&fresh, path).map_err(storage)
}

fn make_at(fresh: &Path) -> Result<File> {
    delete(fresh).map_err(storage)?;
    File::open_with(fresh, SCHEMA)
}

fn put_in_place(fresh: &Path, path: &Path) -> io::Result<()> {
    fs::rename(fresh, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Checks the file, its journal and every entry.
fn examine(path: &Path, now: Timestamp) -> Result<(Opened, Recovery)> {
    let journal = beside(path, "-wal");
    let frames = length(&journal).map_or(0, frames);
    if length(path) < Some(PAGE_BYTES) {
        // SQLite would make a database of it, and what is set aside should be what was found.
        return Err(SpoolError::Damaged("the file is shorter than its first page".into()));
    }
    let mut file = File::open(path)?;
    file.check()?;
    can_be_written(&mut file)?;
    let mut recovery = Recovery::default();
    if file.journal_frames()? < frames {
        // A kill in the middle of an append leaves this too; what was appended there was not answered yet.
        let aside = aside(path, now);
        fs::copy(&journal, beside(&aside, "-wal")).map_err(storage)?;
        recovery.set_aside = Some(aside);
    }
    let (removed, last) = (file.removed()?, file.last()?);
    let depth = count(&mut file)?;
    if last.checked_sub(removed) != Some(depth.entries as i64 + file.quarantined_after(removed)?) {
        return Err(SpoolError::Damaged("entries are missing".into()));
    }
    file.checkpoint();
    recovery.kept = depth.entries;
    Ok((Opened { file, depth, last, removed }, recovery))
}

/// SQLite opens a file for reading only when it takes its format for a later one: its first page is damaged.
fn can_be_written(file: &mut File) -> Result<()> {
    file.try_to_write().map_err(|error| match error {
        SpoolError::Storage(text) if text.contains("readonly") => SpoolError::Damaged(text),
        other => other,
    })
}

fn length(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|file| file.len())
}

/// Frames in a journal of so many bytes, begun ones included.
fn frames(bytes: u64) -> u64 {
    match bytes {
        0 => 0,
        _ => bytes.saturating_sub(JOURNAL_HEADER_BYTES).div_ceil(FRAME_HEADER_BYTES + PAGE_BYTES).max(1),
    }
}

/// Adds up what waits, and checks it.
fn count(file: &mut File) -> Result<Depth> {
    let (mut depth, mut at) = (Depth::default(), i64::MIN);
    loop {
        let rows = file.after(at, ROWS_AT_ONCE)?;
        let Some(last) = rows.last() else { return Ok(depth) };
        if last.seq <= at || !rows.iter().all(Row::is_sound) {
            return Err(SpoolError::Damaged("an entry does not fit its checksum".into()));
        }
        at = last.seq;
        depth = rows.iter().fold(depth, Depth::and);
    }
}

/// Copies what can be read into a fresh file, which then takes the damaged one's place.
fn recover(path: &Path, now: Timestamp) -> Result<(Opened, Recovery)> {
    let (fresh, copy) = (beside(path, NEW), beside(path, COPY));
    let mut file = make_at(&fresh)?;
    copy_damaged(path, &copy, &fresh).map_err(storage)?;
    let salvaged = salvage::copy(&copy, &mut file)?;
    drop(file);
    let aside = set_aside(path, now).map_err(storage)?;
    put_in_place(&fresh, path).and_then(|()| delete(&copy)).map_err(storage)?;
    let (opened, examined) = examine(path, now)?;
    let (kept, damaged, lost) = (examined.kept, salvaged.damaged, salvaged.lost);
    Ok((opened, Recovery { kept, damaged, lost, set_aside: Some(aside) }))
}

/// Copies the damaged file, and gives the copy a first page that is whole: header and schema are the same in all.
fn copy_damaged(path: &Path, copy: &Path, fresh: &Path) -> io::Result<()> {
    delete(copy)?;
    for suffix in ["", "-wal"] {
        copy_if_there(&beside(path, suffix), &beside(copy, suffix))?;
    }
    let mut page = vec![0; PAGE_BYTES as usize];
    fs::File::open(fresh)?.read_exact_at(&mut page, 0)?;
    crate::db::sqlite::make_private(copy)?;
    let copy = fs::OpenOptions::new().write(true).open(copy)?;
    let pages = u32::try_from(copy.metadata()?.len().div_ceil(PAGE_BYTES).max(1)).unwrap_or(u32::MAX);
    // The format with a write-ahead log, and the number of pages: https://www.sqlite.org/fileformat2.html, 1.3
    page[18..20].fill(2);
    page[28..32].copy_from_slice(&pages.to_be_bytes());
    copy.write_all_at(&page, 0)
}

/// Gives the damaged file its other name. It keeps its own until the fresh one takes it; its journal does not, or it
/// would be applied to the fresh one.
fn set_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let aside = aside(path, now);
    for suffix in SIDES.iter().chain(&[""]) {
        let (old, new) = (beside(path, suffix), beside(&aside, suffix));
        if old.exists() {
            fs::hard_link(&old, &new).or_else(|_| fs::copy(&old, &new).map(drop))?;
        }
    }
    SIDES.iter().try_for_each(|suffix| delete_if_there(&beside(path, suffix)))?;
    Ok(aside)
}

/// A name with the time that nothing has yet.
fn aside(path: &Path, now: Timestamp) -> PathBuf {
    let stamp = now.to_string().replace(['-', ':'], "");
    let named = |number: u32| match number {
        1 => beside(path, &format!(".damaged-{stamp}")),
        more => beside(path, &format!(".damaged-{stamp}-{more}")),
    };
    let is_free = |name: &PathBuf| SIDES.iter().chain(&[""]).all(|suffix| !beside(name, suffix).exists());
    (1..).map(named).find(is_free).unwrap_or_else(|| named(1))
}

fn copy_if_there(from: &Path, to: &Path) -> io::Result<()> {
    if from.exists() { fs::copy(from, to).map(drop) } else { Ok(()) }
}

fn delete_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The path with something after it.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn storage(error: io::Error) -> SpoolError {
    SpoolError::Storage(error.to_string())
}
