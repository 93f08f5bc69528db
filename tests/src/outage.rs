//! Ways for a database to be away, and the database that they happen to.

use diesel::{SqliteConnection, connection::SimpleConnection};
use tokio::process::Command;

use crate::{Line, Proxy, TestDatabase};

/// A way for a database to be away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outage {
    /// The way to PostgreSQL misbehaves.
    Line(Line),
    /// The processes of PostgreSQL that serve this database are stopped.
    Stopped,
    /// Another process keeps the SQLite file for itself.
    Locked,
}

impl Outage {
    /// The simplest one of a database.
    pub fn of(database: &TestDatabase) -> Self {
        if database.is_postgres() { Self::Line(Line::Refused) } else { Self::Locked }
    }

    /// Every one of a database.
    pub fn all(database: &TestDatabase) -> Vec<Self> {
        if !database.is_postgres() {
            return vec![Self::Locked];
        }
        let lines = [Line::Refused, Line::Hanging, Line::Reset, Line::Slow].map(Self::Line);
        [&lines[..], &[Self::Stopped]].concat()
    }
}

/// A database that can go away.
pub struct Frail {
    /// As the server reaches it.
    pub database: TestDatabase,
    proxy: Option<Proxy>,
    lock: Option<SqliteConnection>,
    stopped: Vec<i64>,
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
        Self { database, proxy, lock: None, stopped: Vec::new() }
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
            Outage::Stopped => {
                self.stopped = self.database.db_servants().await;
                signal("STOP", &self.stopped).await;
            }
        }
    }

    /// Brings it back.
    pub async fn end(&mut self) {
        if let Some(proxy) = &self.proxy {
            proxy.set(Line::Good);
        }
        self.lock = None;
        signal("CONT", &std::mem::take(&mut self.stopped)).await;
    }
}

async fn signal(name: &str, processes: &[i64]) {
    for process in processes {
        let sent = Command::new("kill").args(["-s", name, &process.to_string()]).status().await.unwrap();
        assert!(sent.success(), "{name} {process}");
    }
}
