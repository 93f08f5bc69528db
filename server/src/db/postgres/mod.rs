//! PostgreSQL: the connection through tokio-postgres and rustls, its pool, and the queries mounted against it.

use std::sync::Arc;

use diesel::{Connection, connection::SimpleConnection};
use diesel_async::{AsyncPgConnection, async_connection_wrapper::AsyncConnectionWrapper};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use tokio::runtime::Handle;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::pool::Pool;
use crate::error::{Error, Result, causes};

mod bulk;
pub mod changes;
pub mod partitions;
#[expect(clippy::duplicate_mod, reason = "each backend checks the queries against its own connection")]
#[path = "../queries/mod.rs"]
mod queries;
pub use queries::*;

/// The backend, for boxed queries.
pub type Db = diesel::pg::Pg;
/// The connection that queries are written against: synchronous, driven by the runtime that opened the store.
pub type Conn = AsyncConnectionWrapper<AsyncPgConnection>;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/postgres");
const CONNECTIONS: usize = 10;
/// What the REST API may use of them. Writers use four, jobs and the cache the rest.
pub(in crate::db) const MANAGEMENT_CONNECTIONS: usize = 4;
/// "Committed" means on disk, whatever the server's default is.
const SET_UP: &str = "SET synchronous_commit = on; SET TIME ZONE 'UTC'";
/// Names the lock under which one process at a time changes the tables; any constant of our own will do.
const MIGRATION_LOCK: i64 = 0x7461_6c6c_7962_6163;

/// The pool. Must be called on the runtime that will drive the connections.
pub fn pool(config: tokio_postgres::Config, tls: Arc<rustls::ClientConfig>) -> Pool<Conn> {
    let home = Handle::current();
    Pool::new(CONNECTIONS, is_sound, move || {
        let _entered = home.enter();
        let mut conn = home.block_on(connect(&config, &tls)).map_err(unavailable)?;
        conn.batch_execute(SET_UP).map_err(unavailable)?;
        Ok(conn)
    })
}

async fn connect(
    config: &tokio_postgres::Config,
    tls: &Arc<rustls::ClientConfig>,
) -> diesel::ConnectionResult<Conn> {
    let tls = MakeRustlsConnect::new(rustls::ClientConfig::clone(tls));
    let (client, connection) =
        config.connect(tls).await.map_err(|error| diesel::ConnectionError::BadConnection(causes(&error)))?;
    Ok(Conn::from(AsyncPgConnection::try_from_client_and_connection(client, connection).await?))
}

fn unavailable(error: impl std::fmt::Display) -> Error {
    Error::Unavailable(format!("cannot connect to PostgreSQL: {error}"))
}

fn is_sound(conn: &mut Conn) -> bool {
    use diesel::connection::TransactionManager;
    !<<Conn as Connection>::TransactionManager as TransactionManager<Conn>>::is_broken_transaction_manager(
        conn,
    )
}

/// Runs an operation in one transaction.
pub fn transaction<T>(conn: &mut Conn, operation: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
    conn.transaction(operation)
}

/// Runs a reading operation that sees one state of the database from beginning to end.
pub fn snapshot<T>(conn: &mut Conn, operation: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
    conn.transaction(|conn| {
        conn.batch_execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")?;
        operation(conn)
    })
}

/// Prepares a connection for statements that sort more than memory should hold: PostgreSQL does so by itself.
fn spill(_: &mut Conn) -> Result<()> {
    Ok(())
}

/// The hour that a time lies in, in SQL.
fn start_of_hour(column: &str) -> String {
    format!("date_trunc('hour', {column})")
}

/// Applies the migrations that are missing; several processes at once wait for each other.
pub fn migrate(conn: &mut Conn) -> Result<Vec<String>> {
    conn.batch_execute(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})"))?;
    let applied = super::run_migrations(conn, MIGRATIONS);
    conn.batch_execute(&format!("SELECT pg_advisory_unlock({MIGRATION_LOCK})"))?;
    applied
}
