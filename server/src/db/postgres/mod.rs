//! PostgreSQL: the connection through tokio-postgres and rustls, its pool, and the queries mounted against it.

use std::{sync::Arc, time::Duration};

use diesel::{
    BoxableExpression, Connection,
    connection::SimpleConnection,
    dsl::sql,
    sql_types::{Bool, Text},
};
use diesel_async::{AsyncPgConnection, async_connection_wrapper::AsyncConnectionWrapper};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{gate::Gate, pool::Pool};
use crate::error::{Error, Result, causes};

mod bulk;
pub mod changes;
mod locks;
mod own_runtime;
pub mod partitions;
#[expect(clippy::duplicate_mod, reason = "each backend checks the queries against its own connection")]
#[path = "../queries/mod.rs"]
mod queries;
use locks::{lock_conversions, lock_postbacks};
use own_runtime::OwnRuntime;
pub use queries::*;

/// The backend, for boxed queries.
pub type Db = diesel::pg::Pg;
/// The connection that queries are written against: synchronous, driven by whoever uses it.
pub type Conn = AsyncConnectionWrapper<AsyncPgConnection, OwnRuntime>;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/postgres");
const CONNECTIONS: usize = 10;
/// What the REST API may use of them. Writers use four, jobs and the cache the rest.
pub(in crate::db) const MANAGEMENT_CONNECTIONS: usize = 4;
/// How long a first attempt to connect may take.
const REACH_PATIENCE: Duration = Duration::from_secs(5);
/// "Committed" means on disk, whatever the server's default is. Nobody waits for a lock longer than anybody waits for
/// us: a transaction that hangs must not take one connection after the other.
const SET_UP: &str = "SET synchronous_commit = on; SET TIME ZONE 'UTC'; SET lock_timeout = '10s'";
/// Names the lock under which one process at a time changes the tables; any constant of our own will do.
const MIGRATION_LOCK: i64 = 0x7461_6c6c_7962_6163;

/// The pool.
pub fn pool(config: tokio_postgres::Config, tls: Arc<rustls::ClientConfig>, gate: Gate) -> Pool<Conn> {
    Pool::new(CONNECTIONS, gate, is_sound, move || {
        let opened = OwnRuntime::open(connect(&config, &tls)).map_err(unavailable)?;
        let mut conn = Conn::from(opened.map_err(unavailable)?);
        conn.batch_execute(SET_UP).map_err(unavailable)?;
        Ok(conn)
    })
}

async fn connect(
    config: &tokio_postgres::Config,
    tls: &Arc<rustls::ClientConfig>,
) -> diesel::ConnectionResult<AsyncPgConnection> {
    let tls = MakeRustlsConnect::new(rustls::ClientConfig::clone(tls));
    let (client, connection) =
        config.connect(tls).await.map_err(|error| diesel::ConnectionError::BadConnection(causes(&error)))?;
    AsyncPgConnection::try_from_client_and_connection(client, connection).await
}

/// Why a server is not reached.
pub enum Unreachable {
    /// It is away: trying again makes sense.
    Away(String),
    /// It is there and does not let us in: a setting is wrong.
    Refused(String),
}

/// Connects once, to find out whether the settings can be right.
pub async fn reach(
    config: &tokio_postgres::Config,
    tls: &Arc<rustls::ClientConfig>,
) -> Result<(), Unreachable> {
    let tls = MakeRustlsConnect::new(rustls::ClientConfig::clone(tls));
    match tokio::time::timeout(REACH_PATIENCE, config.connect(tls)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if is_refusal(&error) => Err(Unreachable::Refused(causes(&error))),
        Ok(Err(error)) => Err(Unreachable::Away(causes(&error))),
        Err(_) => Err(Unreachable::Away("it does not answer".into())),
    }
}

/// Whether name, password, database or certificate are wrong, rather than the server away.
fn is_refusal(error: &tokio_postgres::Error) -> bool {
    let code = error.code().map(|code| code.code());
    let is_ours = |code: &str| code.starts_with("28") || matches!(code, "3D000" | "42501");
    let text = causes(error);
    let words = ["invalid peer certificate", "password missing", "server does not support TLS"];
    code.is_some_and(is_ours) || words.iter().any(|words| text.contains(words))
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

/// Whether a postback named a goal so.
fn names_goal(
    name: &str,
) -> Box<dyn BoxableExpression<crate::db::schema::postbacks::table, Db, SqlType = Bool>> {
    Box::new(sql::<Bool>("CAST(postbacks.request AS JSON) ->> 'goal' = ").bind::<Text, _>(name.to_owned()))
}

/// Whether a conversion has a flag.
fn has_flag(
    flag: &str,
) -> Box<dyn BoxableExpression<crate::db::schema::conversions::table, Db, SqlType = Bool>> {
    Box::new(sql::<Bool>("conversions.flags ? ").bind::<Text, _>(flag.to_owned()))
}

/// The hour that a time lies in, in SQL.
fn start_of_hour(column: &str) -> String {
    format!("date_trunc('hour', {column})")
}

/// Applies the migrations that are missing; several processes at once wait for each other.
pub fn migrate(conn: &mut Conn) -> Result<Vec<String>> {
    conn.batch_execute(&format!("SET lock_timeout = 0; SELECT pg_advisory_lock({MIGRATION_LOCK})"))?;
    let applied = super::run_migrations(conn, MIGRATIONS);
    conn.batch_execute(&format!("SELECT pg_advisory_unlock({MIGRATION_LOCK}); {SET_UP}"))?;
    applied
}
