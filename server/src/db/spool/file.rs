//! The SQLite file: its tables, and the statements on them. What is in memory beside it, and what to do about
//! damage, is decided elsewhere.

use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use diesel::{
    connection::SimpleConnection,
    prelude::*,
    sql_types::{BigInt, Integer},
};

use super::{Result, SpoolError};

diesel::table! {
    entries (seq) { seq -> BigInt, kind -> Text, bytes -> Binary, checksum -> Binary, }
}
diesel::table! {
    quarantine (seq) { seq -> BigInt, kind -> Text, bytes -> Binary, checksum -> Binary, }
}
diesel::table! {
    removed (up_to) { up_to -> BigInt, }
}
diesel::table! {
    sqlite_sequence (name) { name -> Text, seq -> BigInt, }
}

/// Every row of `entries` lies between `removed.up_to` and SQLite's own sequence; what is missing there is lost.
/// The order of the tables must not change: the first page of an empty file stands in for that of a damaged one.
pub(super) const SCHEMA: &str = "
    PRAGMA page_size = 4096; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = FULL;
    BEGIN IMMEDIATE;
    CREATE TABLE entries (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, bytes BLOB NOT NULL, checksum BLOB NOT NULL
    ) STRICT;
    CREATE TABLE quarantine (
        seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, bytes BLOB NOT NULL, checksum BLOB NOT NULL
    ) STRICT;
    CREATE TABLE removed (up_to INTEGER NOT NULL) STRICT;
    INSERT INTO removed (up_to) VALUES (0);
    COMMIT;";
/// The size of a page: of the database, and of what a frame of the journal holds.
pub(super) const PAGE_BYTES: u64 = 4_096;
/// One process alone, so that what is counted in memory is true; without shared memory beside the file.
const SET_UP: &str = "PRAGMA busy_timeout = 5000; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; \
                      PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;";
/// Rows in one statement.
const ROWS_AT_ONCE: usize = 500;

/// A row of `entries` or of `quarantine`.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = entries, treat_none_as_default_value = false)]
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) kind: String,
    pub(super) bytes: Vec<u8>,
    pub(super) checksum: Vec<u8>,
}

impl Row {
    /// A row with its checksum.
    pub(super) fn new(seq: i64, kind: impl Into<String>, bytes: Vec<u8>) -> Self {
        let kind = kind.into();
        let checksum = checksum(seq, &kind, &bytes);
        Self { seq, kind, bytes, checksum }
    }

    /// Whether it is as it was written.
    pub(super) fn is_sound(&self) -> bool {
        self.checksum == checksum(self.seq, &self.kind, &self.bytes)
    }
}

fn checksum(seq: i64, kind: &str, bytes: &[u8]) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    for part in [&seq.to_be_bytes()[..], kind.as_bytes(), &[0], bytes] {
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}

/// A number of entries, and of their bytes.
#[derive(QueryableByName)]
pub(super) struct Extent {
    #[diesel(sql_type = BigInt)]
    pub(super) entries: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) bytes: i64,
}

/// What a checkpoint says about the journal.
#[derive(QueryableByName)]
struct Checkpoint {
    #[diesel(sql_type = Integer)]
    log: i32,
}

/// An open file.
pub(super) struct File(SqliteConnection);

impl File {
    /// Opens a file that is there, for this process alone.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, SET_UP)
    }

    /// Opens a file with other settings.
    pub(super) fn open_with(path: &Path, set_up: &str) -> Result<Self> {
        let storage = |error: String| SpoolError::Storage(format!("cannot open {}: {error}", path.display()));
        crate::db::sqlite::make_private(path).map_err(|error| storage(error.to_string()))?;
        let conn = SqliteConnection::establish(&path.to_string_lossy())
            .map_err(|error| storage(error.to_string()))?;
        let mut file = Self(conn);
        file.execute(set_up)?;
        Ok(file)
    }

    /// Executes statements.
    pub(super) fn execute(&mut self, sql: &str) -> Result<()> {
        Ok(self.0.batch_execute(sql)?)
    }

    /// Runs changes in one transaction: all of them, or none. Not diesel's own, which gives a connection up for lost
    /// when SQLite has rolled back by itself, as it does on a full disk.
    pub(super) fn atomically<T>(&mut self, changes: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.execute("BEGIN IMMEDIATE")?;
        let outcome = changes(self).and_then(|value| self.execute("COMMIT").map(|()| value));
        if outcome.is_err() {
            // There may be nothing to roll back any more, which is the same.
            let _ = self.execute("ROLLBACK");
        }
        outcome
    }

    /// Moves what the journal holds into the file itself, so that neither depends on the other. Where that fails
    /// nothing is lost: the journal is as durable.
    pub(super) fn checkpoint(&mut self) {
        let _ = self.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// How many frames of the journal SQLite takes as whole.
    pub(super) fn journal_frames(&mut self) -> Result<u64> {
        let state: Checkpoint =
            diesel::sql_query("PRAGMA wal_checkpoint(PASSIVE)").get_result(&mut self.0)?;
        Ok(u64::try_from(state.log).unwrap_or_default())
    }

    /// Writes rows into `entries`, in the transaction it is called in.
    pub(super) fn insert(&mut self, rows: &[Row]) -> Result<()> {
        for rows in rows.chunks(ROWS_AT_ONCE) {
            diesel::insert_into(entries::table).values(rows).execute(&mut self.0)?;
        }
        Ok(())
    }

    /// Writes a row into `quarantine`, in the transaction it is called in.
    pub(super) fn insert_quarantined(&mut self, row: &Row) -> Result<()> {
        use quarantine::*;
        let values = (seq.eq(row.seq), kind.eq(&row.kind), bytes.eq(&row.bytes), checksum.eq(&row.checksum));
        Ok(diesel::insert_into(table).values(values).execute(&mut self.0).map(drop)?)
    }

    /// Moves rows from `entries` to `quarantine`.
    pub(super) fn quarantine(&mut self, rows: &[Row]) -> Result<()> {
        self.atomically(|file| {
            rows.iter().try_for_each(|row| {
                file.insert_quarantined(row)?;
                let moved = entries::table.filter(entries::seq.eq(row.seq));
                Ok(diesel::delete(moved).execute(&mut file.0).map(drop)?)
            })
        })?;
        self.checkpoint();
        Ok(())
    }

    /// Entries after this one, in order.
    pub(super) fn after(&mut self, seq: i64, most: usize) -> Result<Vec<Row>> {
        let rows = entries::table.filter(entries::seq.gt(seq)).order(entries::seq);
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        Ok(rows.limit(most).select(Row::as_select()).load(&mut self.0)?)
    }

    /// The entry with this number.
    pub(super) fn find(&mut self, seq: i64) -> Result<Option<Row>> {
        let row = entries::table.filter(entries::seq.eq(seq));
        Ok(row.select(Row::as_select()).first(&mut self.0).optional()?)
    }

    /// How many entries lie after one and up to another.
    pub(super) fn extent(&mut self, after: i64, up_to: i64) -> Result<Extent> {
        let sql = "SELECT count(*) AS entries, coalesce(sum(length(bytes)), 0) AS bytes FROM entries \
                   WHERE seq > ? AND seq <= ?";
        let query = diesel::sql_query(sql).bind::<BigInt, _>(after).bind::<BigInt, _>(up_to);
        Ok(query.get_result(&mut self.0)?)
    }

    /// Deletes entries up to this one, and keeps in mind that they are not missing.
    pub(super) fn remove(&mut self, up_to: i64) -> Result<()> {
        self.atomically(|file| {
            diesel::delete(entries::table.filter(entries::seq.le(up_to))).execute(&mut file.0)?;
            file.set_removed(up_to)
        })?;
        self.checkpoint();
        Ok(())
    }

    /// Says that everything up to this number was removed.
    pub(super) fn set_removed(&mut self, up_to: i64) -> Result<()> {
        Ok(diesel::update(removed::table).set(removed::up_to.eq(up_to)).execute(&mut self.0).map(drop)?)
    }

    /// Up to where entries were removed.
    pub(super) fn removed(&mut self) -> Result<i64> {
        Ok(removed::table.select(removed::up_to).first(&mut self.0)?)
    }

    /// The last number that an entry was given.
    pub(super) fn sequence(&mut self) -> Result<Option<i64>> {
        let row = sqlite_sequence::table.filter(sqlite_sequence::name.eq("entries"));
        Ok(row.select(sqlite_sequence::seq).first(&mut self.0).optional()?)
    }

    /// The last number that was given.
    pub(super) fn last(&mut self) -> Result<i64> {
        let quarantined: Option<i64> =
            quarantine::table.select(diesel::dsl::max(quarantine::seq)).first(&mut self.0)?;
        let given = [self.sequence()?, quarantined, Some(self.removed()?)];
        Ok(given.into_iter().flatten().max().unwrap_or_default())
    }

    /// How many of the numbers after this one are in quarantine.
    pub(super) fn quarantined_after(&mut self, seq: i64) -> Result<i64> {
        Ok(quarantine::table.filter(quarantine::seq.gt(seq)).count().get_result(&mut self.0)?)
    }

    /// Whether it can be written; nothing is changed.
    pub(super) fn try_to_write(&mut self) -> Result<()> {
        self.execute("BEGIN IMMEDIATE; UPDATE removed SET up_to = up_to; ROLLBACK")
    }

    /// Whether SQLite finds the file sound.
    pub(super) fn check(&mut self) -> Result<()> {
        #[derive(QueryableByName)]
        struct Line {
            #[diesel(sql_type = diesel::sql_types::Text)]
            quick_check: String,
        }
        let line: Line = diesel::sql_query("PRAGMA quick_check(1)").get_result(&mut self.0)?;
        if line.quick_check == "ok" { Ok(()) } else { Err(SpoolError::Damaged(line.quick_check)) }
    }

    /// Gives the space of removed entries back to the disk.
    pub(super) fn shrink(&mut self) -> Result<()> {
        self.execute("VACUUM")?;
        self.checkpoint();
        Ok(())
    }
}

impl From<diesel::result::Error> for SpoolError {
    fn from(error: diesel::result::Error) -> Self {
        let text = error.to_string();
        let is = |words: &[&str]| words.iter().any(|words| text.contains(words));
        if is(&["database is locked"]) {
            return Self::InUse;
        }
        let of_the_disk = ["disk is full", "disk I/O error", "unable to open", "out of memory", "readonly"];
        if is(&of_the_disk) { Self::Storage(text) } else { Self::Damaged(text) }
    }
}
