//! Ways for a database to be away, and the database that they happen to.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use diesel::{SqliteConnection, connection::SimpleConnection};

use crate::{Cluster, Line, Proxy, TestDatabase};

/// A way for a database to be away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outage {
    /// The way to PostgreSQL misbehaves.
    Line(Line),
    /// PostgreSQL is stopped, all processes of it. The database needs a cluster of its own.
    Stopped,
    /// Another process keeps the SQLite file for itself.
    Locked,
    /// SQLite's write-ahead log cannot be brought to the disk.
    Unsynced,
}

impl Outage {
    /// The simplest one of a database.
    pub fn of(database: &TestDatabase) -> Self {
        if database.is_postgres() { Self::Line(Line::Refused) } else { Self::Locked }
    }

    /// Every one that can happen to a database beside others.
    pub fn all(database: &TestDatabase) -> Vec<Self> {
        if !database.is_postgres() {
            return vec![Self::Locked, Self::Unsynced];
        }
        [Line::Refused, Line::Hanging, Line::Reset, Line::Slow].map(Self::Line).to_vec()
    }
}

/// A database that can go away.
pub struct Frail {
    /// As the server reaches it.
    pub database: TestDatabase,
    proxy: Option<Proxy>,
    lock: Option<SqliteConnection>,
    log: Option<Hidden>,
    cluster: Option<Cluster>,
}

/// A file that is somewhere else, with a link in its place that leads nowhere.
struct Hidden {
    place: PathBuf,
    elsewhere: PathBuf,
}

impl Hidden {
    fn hide(place: PathBuf) -> Self {
        let elsewhere = place.with_extension("elsewhere");
        fs::rename(&place, &elsewhere).unwrap();
        symlink(&place, &place).unwrap();
        Self { place, elsewhere }
    }

    fn bring_back(self) {
        fs::rename(self.elsewhere, self.place).unwrap();
    }
}

impl Frail {
    /// A fresh database that is there.
    pub async fn create() -> Self {
        let mut database = TestDatabase::create().await;
        let mut proxy = None;
        if let Some(address) = database.postgres_address() {
            let started = Proxy::start(address.clone()).await;
            database.url = database.url.replace(&address, &started.address.to_string());
            proxy = Some(started);
        }
        Self { database, proxy, lock: None, log: None, cluster: None }
    }

    /// A fresh database in a PostgreSQL of its own.
    pub async fn alone() -> Self {
        let cluster = Cluster::start();
        let database = TestDatabase::create_on(&cluster.url).await;
        Self { database, proxy: None, lock: None, log: None, cluster: Some(cluster) }
    }

    /// Takes the database away.
    pub async fn begin(&mut self, outage: Outage) {
        match outage {
            Outage::Line(line) => self.proxy.as_ref().unwrap().set(line),
            Outage::Locked => {
                let mut lock = self.database.sqlite();
                lock.batch_execute("BEGIN IMMEDIATE").unwrap();
                self.lock = Some(lock);
            }
            Outage::Unsynced => {
                let path = self.database.url.strip_prefix("sqlite:").expect("a file");
                self.log = Some(Hidden::hide(format!("{path}-wal").into()));
            }
            Outage::Stopped => {
                let processes = self.database.db_processes().await;
                self.cluster.as_mut().expect("a cluster of its own").stop(processes);
            }
        }
    }

    /// Brings it back.
    pub async fn end(&mut self) {
        if let Some(proxy) = &self.proxy {
            proxy.set(Line::Good);
        }
        self.lock = None;
        if let Some(log) = self.log.take() {
            log.bring_back();
        }
        if let Some(cluster) = &mut self.cluster {
            cluster.go_on();
        }
    }
}
