//! SQLite: the connection, one writer and several readers, and the queries mounted against it.

use std::path::PathBuf;

use diesel::{
    BoxableExpression, Connection, QueryResult, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    dsl::sql,
    sql_types::{Bool, Text},
};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use super::{gate::Gate, pool::Pool, scope::PartnerScope};
use crate::{
    domain::ids::{ConversionId, PostbackId},
    error::{Error, Result},
};

mod bulk;
#[path = "../queries/mod.rs"]
mod queries;
pub use queries::*;

/// The backend, for boxed queries.
pub type Db = diesel::sqlite::Sqlite;
/// The connection that queries are written against.
pub type Conn = SqliteConnection;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");
const READERS: usize = 4;
/// What the REST API may use of them. The cache reads, too.
pub(in crate::db) const MANAGEMENT_CONNECTIONS: usize = 3;
/// WAL with FULL is what "committed" means here: it survives a power cut. The writer's log is synced by whoever uses it.
const SET_UP: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                      PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;";

/// Pages of the write-ahead log beyond which the writer is asked to wait until the log can begin anew (64 MiB).
const LONGEST_LOG: i64 = 16_384;

/// The pool of one that writes. It keeps few pages in memory (KiB), for SQLite may look through all of them at each
/// commit (whenever it has put pages of an index in order): with 32 MiB that was two fifths of the writer's time. It
/// leaves checkpoints to a connection of their own: in the middle of its commits they would keep everybody waiting.
pub fn writer(path: PathBuf, gate: Gate) -> Pool<Conn> {
    let further = "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -4096; PRAGMA wal_autocheckpoint = 0";
    pool(path, 1, gate, further)
}

/// The pool of one that carries the write-ahead log over into the database.
pub fn checkpointer(path: PathBuf, gate: Gate) -> Pool<Conn> {
    pool(path, 1, gate, "")
}

#[derive(diesel::QueryableByName)]
struct Checkpoint {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    busy: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    log: i64,
}

/// Carries over what is committed, beside the writer. Says whether the log has grown long all the same.
pub fn checkpoint(conn: &mut Conn) -> Result<bool> {
    let passive: Checkpoint = diesel::sql_query("PRAGMA wal_checkpoint(PASSIVE)").get_result(conn)?;
    Ok(passive.log > LONGEST_LOG)
}

/// Begins the log anew. The writer does it between two batches: one that came upon somebody else's lock would sleep up
/// to a tenth of a second at a time. Nor does it wait for those who read for long: false, and it is to be asked again.
pub fn begin_log_anew(conn: &mut Conn) -> Result<bool> {
    conn.batch_execute("PRAGMA busy_timeout = 20")?;
    let begun: QueryResult<Checkpoint> = diesel::sql_query("PRAGMA wal_checkpoint(RESTART)").get_result(conn);
    // Whatever became of it, the next batch waits as long as ever.
    conn.batch_execute("PRAGMA busy_timeout = 5000")?;
    Ok(begun?.busy == 0)
}

/// The pool that reads.
pub fn readers(path: PathBuf, gate: Gate) -> Pool<Conn> {
    pool(path, READERS, gate, "")
}

fn pool(path: PathBuf, size: usize, gate: Gate, further: &'static str) -> Pool<Conn> {
    Pool::new(size, gate, |_| true, move || open(&path, further))
}

fn open(path: &std::path::Path, further: &str) -> Result<Conn> {
    let unavailable = |error: String| Error::Unavailable(format!("cannot open {}: {error}", path.display()));
    make_private(path).map_err(|error| unavailable(error.to_string()))?;
    let mut conn = SqliteConnection::establish(&path.to_string_lossy())
        .map_err(|error| unavailable(error.to_string()))?;
    for settings in [SET_UP, further] {
        conn.batch_execute(settings).map_err(|error| unavailable(error.to_string()))?;
    }
    Ok(conn)
}

/// Makes an empty file for its owner alone, unless it is there. One that is there is not so much as opened: whoever closes
/// a file gives up all locks that this process has on it, SQLite's as well, and then another process that looks at the
/// database would take it for its own, and remove the write-ahead log.
pub(in crate::db) fn make_private(path: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Runs an operation in one transaction that takes the write lock at once, so that it never has to be upgraded.
pub fn transaction<T>(conn: &mut Conn, operation: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
    conn.immediate_transaction(operation)
}

/// Runs a reading operation that sees one state of the database from beginning to end.
pub fn snapshot<T>(conn: &mut Conn, operation: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
    conn.transaction(operation)
}

/// Prepares a connection for statements that sort more than memory should hold.
fn spill(conn: &mut Conn) -> Result<()> {
    Ok(conn.batch_execute("PRAGMA temp_store = FILE")?)
}

/// Locks conversions: whoever writes has the whole database to itself.
fn lock_conversions(_: &mut Conn, _: &PartnerScope, _: &[ConversionId]) -> QueryResult<()> {
    Ok(())
}

/// Locks lines of the log, likewise.
fn lock_postbacks(_: &mut Conn, _: &PartnerScope, _: &[PostbackId]) -> QueryResult<()> {
    Ok(())
}

/// Whether a postback named a goal so.
fn names_goal(
    name: &str,
) -> Box<dyn BoxableExpression<crate::db::schema::postbacks::table, Db, SqlType = Bool>> {
    Box::new(sql::<Bool>("postbacks.request ->> 'goal' = ").bind::<Text, _>(name.to_owned()))
}

/// Whether a conversion has a flag.
fn has_flag(
    flag: &str,
) -> Box<dyn BoxableExpression<crate::db::schema::conversions::table, Db, SqlType = Bool>> {
    let query = "EXISTS (SELECT 1 FROM json_each(conversions.flags) WHERE value = ";
    Box::new(sql::<Bool>(query).bind::<Text, _>(flag.to_owned()).sql(")"))
}

/// The hour that a time lies in, in SQL. The remainder is made positive: SQLite rounds towards zero.
fn start_of_hour(column: &str) -> String {
    format!("{column} - ({column} % 3600000000 + 3600000000) % 3600000000")
}

/// Applies the migrations that are missing; several processes at once wait for each other.
pub fn migrate(conn: &mut Conn) -> Result<Vec<String>> {
    transaction(conn, |conn| super::run_migrations(conn, MIGRATIONS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: &str = "INSERT INTO kept VALUES (randomblob(1000000))";

    #[test]
    fn a_log_begins_anew_unless_somebody_reads() {
        let folder = tempfile::tempdir().unwrap();
        let (path, log) = (folder.path().join("test.db"), folder.path().join("test.db-wal"));
        let length = || std::fs::metadata(&log).unwrap().len();
        let mut conn = open(&path, "PRAGMA wal_autocheckpoint = 0").unwrap();
        conn.batch_execute("CREATE TABLE kept (bytes BLOB)").unwrap();
        conn.batch_execute(WRITE).unwrap();
        let once = length();
        begin_log_anew(&mut conn).unwrap();
        conn.batch_execute(WRITE).unwrap();
        assert_eq!(length(), once, "it is written over from its beginning");

        let mut reader = open(&path, "").unwrap();
        reader.batch_execute("BEGIN; SELECT count(*) FROM kept").unwrap();
        begin_log_anew(&mut conn).unwrap();
        conn.batch_execute(WRITE).unwrap();
        assert!(length() > once, "what the reader sees is still there");
        reader.batch_execute("SELECT count(*) FROM kept; COMMIT").unwrap();
    }
}
