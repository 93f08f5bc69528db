//! A fresh database for each test.

use std::sync::atomic::{AtomicU32, Ordering};

use tallyback_server::config::DatabaseUrl;
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// A database of one test: a SQLite file that goes with it, or a PostgreSQL database that goes with its server.
pub struct TestDatabase {
    /// What `DATABASE_URL` would say.
    pub url: String,
    /// A folder of the test's own.
    pub folder: TempDir,
}

impl TestDatabase {
    /// An empty database.
    pub async fn create() -> Self {
        let folder = TempDir::with_prefix("tallyback-test-").unwrap();
        let url = match std::env::var("TEST_DATABASE_URL") {
            Ok(server) => create_on(&server).await,
            Err(_) => format!("sqlite:{}", folder.path().join("test.db").display()),
        };
        Self { url, folder }
    }

    /// The same database, for another server on it.
    pub fn shared(&self) -> Self {
        Self { url: self.url.clone(), folder: TempDir::with_prefix("tallyback-test-").unwrap() }
    }

    /// True on PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres")
    }

    /// As the server's configuration has it.
    pub fn config(&self) -> DatabaseUrl {
        DatabaseUrl::parse(Some(&self.url), self.folder.path(), None).unwrap()
    }
}

async fn create_on(server: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let (client, connection) = tokio_postgres::connect(server, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    let (address, _) = server.rsplit_once('/').unwrap();
    format!("{address}/{name}")
}
