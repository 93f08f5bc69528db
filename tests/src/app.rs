//! The server in this process.

use std::sync::Arc;

use tallyback_server::{
    app::{self, Notice},
    clock::{self, Clock},
    config::{Config, SpoolConfig},
    db::Store,
    domain::{master_key::MasterKey, text::Name, time::Timestamp},
    operator,
};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{Acme, Agency, TestDatabase};

/// A running server with a database of its own.
pub struct TestApp {
    /// Where it serves plain HTTP.
    pub base_url: String,
    /// Where it serves HTTPS.
    pub https_url: Option<String>,
    /// Its clock.
    pub clock: Clock,
    /// Its database, for what the operator does.
    pub store: Store,
    /// Its database's address and folder.
    pub database: TestDatabase,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl TestApp {
    /// A server with usual settings, on the machine's clock.
    pub async fn start() -> Self {
        Self::with(Clock::System, |_| {}).await
    }

    /// A server whose clock stands still, `seconds` from now, until the test moves it.
    pub async fn at(seconds: i64) -> Self {
        let micros = Clock::System.now().micros() + seconds * 1_000_000;
        Self::with(Clock::fixed(Timestamp::from_micros(micros)), |_| {}).await
    }

    /// A server with a clock and with changed settings.
    pub async fn with(clock: Clock, change: impl FnOnce(&mut Config)) -> Self {
        Self::on(TestDatabase::create().await, clock, change).await
    }

    /// A server on a database.
    pub async fn on(database: TestDatabase, clock: Clock, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            database: database.config(),
            master_key: Arc::new(master_key()),
            listen: Some(([127, 0, 0, 1], 0).into()),
            tls: None,
            public_url: None,
            trusted_proxies: Vec::new(),
            geo_database: None,
            isp_database: None,
            workers: Some(1),
            spool: SpoolConfig { path: database.folder.path().join("spool.db"), limit_bytes: 64 << 20 },
        };
        change(&mut config);
        let app = app::build(config, clock.clone()).await.unwrap();
        let base_url = app.http.map(|address| format!("http://{address}")).unwrap_or_default();
        let https_url = app.https.map(|address| format!("https://localhost:{}", address.port()));
        let store = app.store.clone();
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(app.run(async move {
            drop(stopped.await);
            Notice::default()
        }));
        Self { base_url, https_url, clock, store, database, stop, server }
    }

    /// A new partner with an API key.
    pub async fn agency(&self) -> Agency {
        let made = operator::create_partner(&self.store, &self.clock, &Name::parse("Agency").unwrap())
            .await
            .unwrap();
        Agency::new(&self.base_url, &made.id.to_string(), made.api_key.reveal())
    }

    /// A new partner with an advertiser that can convert.
    pub async fn acme(&self) -> Acme {
        Acme::set_up(self.agency().await).await
    }

    /// Stops as the operator would, and hands the database back.
    pub async fn stop(self) -> TestDatabase {
        self.stop.send(()).unwrap();
        self.server.await.unwrap().unwrap();
        self.database
    }
}

/// The master key of all tests: a database outlives its first server in some of them.
fn master_key() -> MasterKey {
    static TEXT: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let text = TEXT.get_or_init(|| MasterKey::from_bytes(clock::random()).to_text());
    MasterKey::parse(text).unwrap()
}
