//! Reading what can be read of a damaged file, entry by entry.

use std::path::Path;

use super::{
    Result,
    file::{File, Row},
    recovery::beside,
};

/// SQLite reads what it finds instead of refusing the whole file.
const SET_UP: &str = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA writable_schema = ON;";
/// No entry is smaller on disk: its checksum alone has 32 bytes.
const SMALLEST_ROW_BYTES: u64 = 40;
const ROWS_AT_ONCE: usize = 100;

/// What was found beside the entries that were kept.
#[derive(Default)]
pub(super) struct Salvaged {
    /// Entries that do not fit their checksum.
    pub(super) damaged: u64,
    /// Entries that are known to be missing.
    pub(super) lost: u64,
}

/// Copies the entries of a damaged file into a fresh one, in one transaction: sound ones to wait, others into
/// quarantine.
pub(super) fn copy(damaged: &Path, fresh: &mut File) -> Result<Salvaged> {
    let Ok(file) = File::open_with(damaged, SET_UP) else { return Ok(Salvaged::default()) };
    let mut reader = Reader::new(file, most_rows(damaged));
    let (mut given, mut damaged) = (0, 0);
    fresh.atomically(|fresh| {
        while let Some(row) = reader.next() {
            given += 1;
            if row.is_sound() {
                fresh.insert(&[Row::new(given, row.kind, row.bytes)])?;
            } else {
                damaged += 1;
                fresh.insert_quarantined(&Row { seq: given, ..row })?;
            }
        }
        Ok(())
    })?;
    Ok(Salvaged { damaged, lost: reader.lost() })
}

/// How many entries the file and its journal can hold at most: numbers beyond that are damaged themselves.
fn most_rows(path: &Path) -> u64 {
    let bytes: u64 = ["", "-wal"]
        .iter()
        .filter_map(|suffix| beside(path, suffix).metadata().ok())
        .map(|file| file.len())
        .sum();
    bytes / SMALLEST_ROW_BYTES
}

/// Goes through the entries in order. Where the way is blocked, it asks for each number until one answers.
struct Reader {
    file: File,
    most: u64,
    /// Numbers that may still be asked for one by one.
    questions: u64,
    removed: i64,
    last: Option<i64>,
    at: Option<i64>,
    rows: std::vec::IntoIter<Row>,
    first_seen: Option<i64>,
    seen: u64,
    quarantined: u64,
}

impl Reader {
    fn new(mut file: File, most: u64) -> Self {
        let last = file.sequence().ok().flatten();
        let removed =
            file.removed().ok().filter(|removed| *removed >= 0 && last.is_none_or(|last| *removed <= last));
        let removed = removed.unwrap_or_default();
        let quarantined = file.quarantined_after(removed).unwrap_or_default().unsigned_abs();
        let rows = Vec::new().into_iter();
        let (at, first_seen) = (None, None);
        Self { file, most, questions: most, removed, last, at, rows, first_seen, seen: 0, quarantined }
    }

    fn next(&mut self) -> Option<Row> {
        if self.rows.len() == 0 {
            self.rows = self.more().into_iter();
        }
        let row = self.rows.next()?;
        self.at = Some(row.seq);
        self.first_seen.get_or_insert(row.seq);
        self.seen += 1;
        Some(row)
    }

    fn more(&mut self) -> Vec<Row> {
        let at = self.at.unwrap_or(i64::MIN);
        let Ok(rows) = self.file.after(at, ROWS_AT_ONCE) else { return self.ask() };
        let is_end = rows.is_empty();
        let trusted: Vec<_> = rows.into_iter().scan(at, trusted).collect();
        if trusted.is_empty() && !is_end { self.ask() } else { trusted }
    }

    /// The next entry that can be reached by its number.
    fn ask(&mut self) -> Vec<Row> {
        let from = self.at.unwrap_or(self.removed).saturating_add(1);
        let furthest = from.saturating_add_unsigned(self.questions);
        let to = self.last.filter(|last| *last <= furthest).unwrap_or(furthest);
        let mut answers = (from..=to).filter_map(|seq| {
            self.questions = self.questions.saturating_sub(1);
            self.file.find(seq).ok().flatten().filter(|row| row.seq == seq)
        });
        answers.next().into_iter().collect()
    }

    /// Numbers that were given and have no entry.
    fn lost(&self) -> u64 {
        let known = |from: i64, to: Option<i64>| {
            let count = to.and_then(|to| to.checked_sub(from)).and_then(|count| u64::try_from(count).ok());
            count.filter(|count| *count <= self.most).unwrap_or_default()
        };
        let given = known(self.removed, self.last);
        let spanned = self.first_seen.map_or(0, |first| known(first.saturating_sub(1), self.at));
        given.max(spanned).saturating_sub(self.seen + self.quarantined)
    }
}

/// The rows up to the first one whose number may be damaged: it would lead astray.
fn trusted(before: &mut i64, row: Row) -> Option<Row> {
    let is_next = before.checked_add(1) == Some(row.seq);
    let is_trusted = is_next || row.seq > *before && row.is_sound();
    *before = row.seq;
    is_trusted.then_some(row)
}
