//! A fresh database for each test.

use std::sync::atomic::{AtomicU32, Ordering};

use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    sql_query,
    sql_types::{BigInt, Binary},
};
use tallyback_server::config::DatabaseUrl;
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// A database of one test: a SQLite file that goes with it, or a PostgreSQL database that goes with its server.
pub struct TestDatabase {
    /// What `DATABASE_URL` would say.
    pub url: String,
    /// The same, whatever happens to the way there.
    direct_url: String,
    /// A folder of the test's own.
    pub folder: TempDir,
}

impl TestDatabase {
    /// An empty database.
    pub async fn create() -> Self {
        if let Ok(server) = std::env::var("TEST_DATABASE_URL") {
            return Self::create_on(&server).await;
        }
        let folder = TempDir::with_prefix("tallyback-test-").unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        Self { direct_url: url.clone(), url, folder }
    }

    /// An empty database on a PostgreSQL.
    pub async fn create_on(server: &str) -> Self {
        let folder = TempDir::with_prefix("tallyback-test-").unwrap();
        let url = create_on(server).await;
        Self { direct_url: url.clone(), url, folder }
    }

    /// The same database, for another server on it.
    pub fn shared(&self) -> Self {
        let folder = TempDir::with_prefix("tallyback-test-").unwrap();
        Self { url: self.url.clone(), direct_url: self.direct_url.clone(), folder }
    }

    /// True on PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres")
    }

    /// Host and port of PostgreSQL.
    pub fn postgres_address(&self) -> Option<String> {
        let (_, after) = self.direct_url.strip_prefix("postgres")?.rsplit_once('@')?;
        after.split('/').next().map(str::to_owned)
    }

    /// As the server's configuration has it.
    pub fn config(&self) -> DatabaseUrl {
        DatabaseUrl::parse(Some(&self.url), self.folder.path(), None).unwrap()
    }
}

/// A transaction that others wait for. It is rolled back with its connection.
pub enum Held {
    /// On SQLite.
    Sqlite(SqliteConnection),
    /// On PostgreSQL.
    Postgres(tokio_postgres::Client),
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

/// Past the server, straight into the tables.
impl TestDatabase {
    /// Changes something, as an accident would.
    pub async fn db_execute(&self, statement: &str) {
        if self.is_postgres() {
            self.postgres().await.batch_execute(statement).await.unwrap();
        } else {
            self.sqlite().batch_execute(statement).unwrap();
        }
    }

    /// The number that a query yields.
    pub async fn db_number(&self, query: &str) -> i64 {
        if self.is_postgres() {
            return self.postgres().await.query_one(query, &[]).await.unwrap().get(0);
        }
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = BigInt)]
            number: i64,
        }
        let query = format!("SELECT ({query}) AS number");
        sql_query(query).get_result::<Row>(&mut self.sqlite()).unwrap().number
    }

    /// The ids that a query of one column `id` yields, as they are stored.
    pub async fn db_ids(&self, query: &str) -> Vec<[u8; 16]> {
        let rows: Vec<Vec<u8>> = if self.is_postgres() {
            let query = format!("SELECT uuid_send(id) FROM ({query}) AS ids");
            let rows = self.postgres().await.query(&query, &[]).await.unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        } else {
            #[derive(QueryableByName)]
            struct Row {
                #[diesel(sql_type = Binary)]
                id: Vec<u8>,
            }
            let rows = sql_query(query).load::<Row>(&mut self.sqlite()).unwrap();
            rows.into_iter().map(|row| row.id).collect()
        };
        rows.into_iter().map(|id| id.try_into().unwrap()).collect()
    }

    /// An id as a literal of SQL.
    pub fn db_literal(&self, id: &[u8; 16]) -> String {
        let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        if self.is_postgres() { format!("'{hex}'::uuid") } else { format!("x'{hex}'") }
    }

    /// Keeps everybody else from writing postbacks, until it is dropped.
    pub async fn db_hold(&self) -> Held {
        if self.is_postgres() {
            let client = self.postgres().await;
            client.batch_execute("BEGIN; LOCK TABLE postbacks IN EXCLUSIVE MODE").await.unwrap();
            return Held::Postgres(client);
        }
        let mut conn = self.sqlite();
        conn.batch_execute("BEGIN IMMEDIATE").unwrap();
        Held::Sqlite(conn)
    }

    /// All processes of this database's PostgreSQL, the first one first.
    pub async fn db_processes(&self) -> Vec<i64> {
        let query = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::bigint UNION ALL \
                     SELECT pid::bigint FROM pg_stat_activity WHERE pid <> pg_backend_pid()";
        let rows = self.postgres().await.query(query, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn postgres(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.direct_url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    pub(crate) fn sqlite(&self) -> SqliteConnection {
        let mut conn = SqliteConnection::establish(self.url.trim_start_matches("sqlite:")).unwrap();
        conn.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
        conn
    }
}
