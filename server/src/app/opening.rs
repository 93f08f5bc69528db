//! Opens what keeps things: the spool, and the database, or what stands in for it while it is away.

use super::StartError;
use crate::{
    clock::Clock,
    config::{Config, ConfigError, DatabaseUrl, SpoolConfig},
    db::{
        Store,
        postgres::{self, Unreachable},
        spool::{Spool, SpoolError},
    },
    domain::master_key::MasterKey,
    error::Error,
    ingest::aside::tell_recovery,
    jobs::watch::{Prepared, prepare},
};

/// Opens the spool; before the database, which it has to stand in for.
pub(super) async fn open_spool(config: &SpoolConfig, clock: &Clock) -> Result<Spool, ConfigError> {
    let (SpoolConfig { path, limit_bytes }, now) = (config.clone(), clock.now());
    let opened = tokio::task::spawn_blocking(move || Spool::open(path, limit_bytes, now)).await;
    let opened = opened.unwrap_or_else(|error| Err(SpoolError::Storage(error.to_string())));
    let (spool, recovery) = opened.map_err(|error| {
        let path = config.path.display();
        let problem = match error {
            SpoolError::InUse => {
                format!("another server uses {path}; each needs a file, or a data directory, of its own")
            }
            error => format!("{path}: {error}"),
        };
        ConfigError::new("TALLYBACK_SPOOL (--spool)", problem)
    })?;
    tell_recovery(&recovery);
    Ok(spool)
}

/// Opens the database, brings its tables up to date, and makes sure that it was made with our master key.
pub async fn open_store(
    database: &DatabaseUrl,
    master_key: &MasterKey,
    clock: &Clock,
) -> Result<Store, StartError> {
    let store = Store::open(database)?;
    prepare_now(&store, database, master_key, clock).await?;
    Ok(store)
}

async fn prepare_now(
    store: &Store,
    database: &DatabaseUrl,
    master_key: &MasterKey,
    clock: &Clock,
) -> Result<(), StartError> {
    let prepared = prepare(store, clock, master_key).await;
    match prepared.map_err(|error| cannot_use(database, error))? {
        Prepared::Ready => Ok(()),
        Prepared::OtherMasterKey => {
            let problem = "this database was made with another master key; with this one, click ids and \
                           signing keys are lost";
            Err(ConfigError::new("TALLYBACK_MASTER_KEY (or TALLYBACK_MASTER_KEY_FILE)", problem).into())
        }
    }
}

/// Makes the database ready, or closes the gate before a PostgreSQL that is away; false then.
pub(super) async fn prepare_or_wait(
    store: &Store,
    config: &Config,
    clock: &Clock,
) -> Result<bool, StartError> {
    let DatabaseUrl::Postgres { config: server, tls } = &config.database else {
        return prepare_now(store, &config.database, &config.master_key, clock).await.map(|()| true);
    };
    let away = match postgres::reach(server, tls).await {
        Err(Unreachable::Refused(why)) => {
            return Err(ConfigError::new("DATABASE_URL (--database-url)", why).into());
        }
        Err(Unreachable::Away(why)) => why,
        Ok(()) => match prepare_now(store, &config.database, &config.master_key, clock).await {
            Err(StartError::Database(Error::Unavailable(why))) => why,
            prepared => return prepared.map(|()| true),
        },
    };
    store.gate().close(&format!("cannot connect to PostgreSQL: {away}"));
    Ok(false)
}

/// A file that cannot be opened is a wrong setting; a server that is away is not.
pub fn cannot_use(database: &DatabaseUrl, error: Error) -> StartError {
    match (database, error) {
        (DatabaseUrl::Sqlite(_), Error::Unavailable(why)) => {
            ConfigError::new("DATABASE_URL (--database-url)", why).into()
        }
        (_, error) => StartError::Database(error),
    }
}
