//! The only place that knows diesel: tables, queries, transactions, on two databases from one query code.
//! Each file of `queries/` is mounted under `postgres` and under `sqlite`, against that backend's own connection.
//! No rule about conversions is decided here.

mod bulk_tables;
mod errors;
pub mod gate;
pub mod list;
mod pool;
pub mod postgres;
pub mod received;
pub mod rows;
pub mod schema;
pub mod scope;
pub mod spool;
pub mod sql_types;
pub mod sqlite;
mod write_ahead_log;

use std::time::Duration;

use gate::{Gate, Role};
use pool::Pool;
use write_ahead_log::WriteAheadLog;

use crate::{
    config::DatabaseUrl,
    domain::time::Timestamp,
    error::{Error, Result},
};

/// The open database. Cheap to clone.
#[derive(Clone)]
pub enum Store {
    /// PostgreSQL: one pool for everything.
    Postgres(Pool<postgres::Conn>),
    /// SQLite: one writer, several readers, and one beside them that tidies up.
    Sqlite {
        /// The only connection that writes.
        writer: Pool<sqlite::Conn>,
        /// Connections that read.
        readers: Pool<sqlite::Conn>,
        /// The connection that carries the write-ahead log over.
        checkpointer: Pool<sqlite::Conn>,
        /// The write-ahead log.
        log: WriteAheadLog,
    },
}

impl Store {
    /// Opens the database. Its tables may not be there yet: see [`Store::migrate`].
    pub fn open(url: &DatabaseUrl) -> Result<Self> {
        let gate = Gate::new();
        match url {
            DatabaseUrl::Postgres { config, tls } => {
                Ok(Self::Postgres(postgres::pool((**config).clone(), tls.clone(), gate)))
            }
            DatabaseUrl::Sqlite(path) => {
                let log = WriteAheadLog::of(path);
                Ok(Self::Sqlite {
                    writer: sqlite::writer(path.clone(), gate.clone()).with_log(log.clone()),
                    readers: sqlite::readers(path.clone(), gate.clone()),
                    checkpointer: sqlite::checkpointer(path.clone(), gate),
                    log,
                })
            }
        }
    }

    /// The same database, for somebody who waits longer, or less long.
    pub fn with_patience(self, patience: Duration) -> Self {
        match self {
            Self::Postgres(pool) => Self::Postgres(pool.with_patience(patience)),
            Self::Sqlite { writer, readers, checkpointer, log } => Self::Sqlite {
                writer: writer.with_patience(patience),
                readers: readers.with_patience(patience),
                checkpointer: checkpointer.with_patience(patience),
                log,
            },
        }
    }

    /// The same database, for the REST API: it may use a few connections only, so that reports do not hold up clicks.
    pub fn for_management(self) -> Self {
        match self {
            Self::Postgres(pool) => Self::Postgres(pool.with_share(postgres::MANAGEMENT_CONNECTIONS)),
            Self::Sqlite { writer, readers, checkpointer, log } => Self::Sqlite {
                writer,
                readers: readers.with_share(sqlite::MANAGEMENT_CONNECTIONS),
                checkpointer,
                log,
            },
        }
    }

    /// The same database, for somebody in another role.
    pub fn with_role(self, role: Role) -> Self {
        match self {
            Self::Postgres(pool) => Self::Postgres(pool.with_role(role)),
            Self::Sqlite { writer, readers, checkpointer, log } => Self::Sqlite {
                writer: writer.with_role(role),
                readers: readers.with_role(role),
                checkpointer: checkpointer.with_role(role),
                log,
            },
        }
    }

    /// The same database, for somebody who goes on before what was committed is safe, and sees to that with
    /// [`Store::settled`]. PostgreSQL's commits are safe at once.
    pub fn in_haste(self) -> Self {
        match self {
            Self::Postgres(pool) => Self::Postgres(pool),
            Self::Sqlite { writer, readers, checkpointer, log } => {
                Self::Sqlite { writer: writer.in_haste(), readers, checkpointer, log }
            }
        }
    }

    /// Returns when everything that was committed before is safe.
    pub async fn settled(&self) -> Result<()> {
        match self {
            Self::Postgres(_) => Ok(()),
            Self::Sqlite { writer, .. } => writer.settled().await,
        }
    }

    /// The gate before the database.
    pub fn gate(&self) -> &Gate {
        match self {
            Self::Postgres(pool) => pool.gate(),
            Self::Sqlite { writer, .. } => writer.gate(),
        }
    }

    /// Brings the tables to the state this version needs. Safe to run from several processes at once.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        match self {
            Self::Postgres(pool) => pool.run(postgres::migrate).await,
            Self::Sqlite { writer, .. } => writer.run(sqlite::migrate).await,
        }
    }

    /// Makes the partitions of this month and of the months to come, where the database has partitions.
    pub async fn make_partitions(&self, now: Timestamp) -> Result<()> {
        match self {
            Self::Postgres(pool) => pool.run(move |conn| postgres::partitions::ensure(conn, now)).await,
            Self::Sqlite { .. } => Ok(()),
        }
    }
}

impl Store {
    /// Carries SQLite's write-ahead log over into the database, beside the writer; PostgreSQL sees to that by itself.
    pub async fn checkpoint(&self) -> Result<()> {
        match self {
            Self::Postgres(_) => Ok(()),
            Self::Sqlite { writer, checkpointer, .. } => {
                if checkpointer.run(sqlite::checkpoint).await? {
                    writer.run(sqlite::begin_log_anew).await?;
                }
                Ok(())
            }
        }
    }

    /// Makes SQLite's write-ahead log one that can be relied on again, after the disk has failed: by bringing everything
    /// that is in it into the database.
    pub async fn trust_log_again(&self) -> Result<()> {
        match self {
            Self::Sqlite { writer, log, .. } if log.check().is_err() => {
                let failures = log.failures();
                if !writer.clone().in_haste().run(sqlite::begin_log_anew).await? {
                    return Err(Error::Unavailable("somebody reads the write-ahead log".into()));
                }
                log.is_mended(failures);
                writer.settled().await
            }
            _ => Ok(()),
        }
    }
}

/// Runs one reading operation on a connection: `db_read!(store, |queries, conn| queries::goals::get(conn, ..))`.
/// The closure moves what it uses. This macro and [`db_commit!`] are the only places that look at which database it is.
macro_rules! db_read {
    ($store:expr, |$queries:ident, $conn:ident| $body:expr) => {
        match $store {
            $crate::db::Store::Postgres(pool) => {
                pool.run(move |$conn| {
                    use $crate::db::postgres as $queries;
                    $crate::db::lift($body)
                })
                .await
            }
            $crate::db::Store::Sqlite { readers, .. } => {
                readers
                    .run(move |$conn| {
                        use $crate::db::sqlite as $queries;
                        $crate::db::lift($body)
                    })
                    .await
            }
        }
    };
}
pub(crate) use db_read;

/// Runs one writing operation in one transaction: all of it is committed, or nothing.
macro_rules! db_write {
    ($store:expr, |$queries:ident, $conn:ident| $body:expr) => {
        $crate::db::db_commit!($store, |$queries, conn| {
            $queries::transaction(conn, move |$conn| $crate::db::lift($body))
        })
    };
}
pub(crate) use db_write;

/// Runs one writing operation that sees to its transactions itself.
macro_rules! db_commit {
    ($store:expr, |$queries:ident, $conn:ident| $body:expr) => {
        match $store {
            $crate::db::Store::Postgres(pool) => {
                pool.run(move |$conn| {
                    use $crate::db::postgres as $queries;
                    $crate::db::lift($body)
                })
                .await
            }
            $crate::db::Store::Sqlite { writer, .. } => {
                writer
                    .run(move |$conn| {
                        use $crate::db::sqlite as $queries;
                        $crate::db::lift($body)
                    })
                    .await
            }
        }
    };
}
pub(crate) use db_commit;

/// Runs what is missing of `migrations` and names what was run.
fn run_migrations<C, DB>(
    conn: &mut C,
    migrations: diesel_migrations::EmbeddedMigrations,
) -> Result<Vec<String>>
where
    DB: diesel::backend::Backend,
    C: diesel_migrations::MigrationHarness<DB>,
{
    let fault = |error| crate::error::Error::Internal(format!("migration failed: {error}"));
    let pending = conn.pending_migrations(migrations).map_err(fault)?;
    conn.run_migrations(&pending).map_err(fault)?;
    Ok(pending.iter().map(|migration| migration.name().to_string()).collect())
}

/// Gives the two results that operations have, diesel's and ours, one type.
pub(crate) fn lift<T, E>(result: Result<T, E>) -> Result<T>
where
    crate::error::Error: From<E>,
{
    result.map_err(crate::error::Error::from)
}
