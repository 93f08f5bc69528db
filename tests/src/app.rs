//! The server in this process.

use std::{sync::Arc, time::Duration};

use tallyback_server::{
    app::{self, Notice},
    clock::{self, Clock},
    config::{Config, Limits, SpoolConfig},
    db::Store,
    domain::{master_key::MasterKey, text::Name, time::Timestamp},
    operator,
};
use tokio::{sync::oneshot, task::JoinHandle, time::sleep};

use crate::{Acme, Agency, TestDatabase, client};

/// A running server with a database of its own.
pub struct TestApp {
    /// Where it serves plain HTTP.
    pub base_url: String,
    /// Where it serves HTTPS.
    pub https_url: Option<String>,
    /// Where it tells its metrics.
    pub metrics_url: String,
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
            metrics: Some(([127, 0, 0, 1], 0).into()),
            isp_database: None,
            workers: Some(1),
            limits: Limits::default(),
            spool: SpoolConfig { path: database.folder.path().join("spool.db"), limit_bytes: 64 << 20 },
        };
        change(&mut config);
        let app = app::build(config, clock.clone()).await.unwrap();
        let base_url = app.http.map(|address| format!("http://{address}")).unwrap_or_default();
        let https_url = app.https.map(|address| format!("https://localhost:{}", address.port()));
        let metrics_url = app.metrics.map(|address| format!("http://{address}/metrics")).unwrap_or_default();
        let store = app.store.clone();
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(app.run(async move {
            drop(stopped.await);
            Notice::default()
        }));
        Self { base_url, https_url, metrics_url, clock, store, database, stop, server }
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

    /// The value of a metric, by its name and labels as they are told; 0 if it is not told.
    pub async fn metric(&self, name: &str) -> f64 {
        let told = client().get(&self.metrics_url).send().await.unwrap().text().await.unwrap();
        let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Waits until a metric has a value.
    pub async fn metric_is(&self, name: &str, value: usize) {
        for _ in 0..400 {
            if self.metric(name).await == value as f64 {
                return;
            }
            sleep(Duration::from_millis(25)).await;
        }
        panic!("{name} is {} and not {value}", self.metric(name).await);
    }

    /// Stops as the operator would, and hands the database back.
    pub async fn stop(self) -> TestDatabase {
        self.stop.send(()).unwrap();
        self.server.await.unwrap().unwrap();
        self.database
    }
}

/// The master key of all tests: a database outlives its first server in some of them.
pub fn master_key() -> MasterKey {
    static TEXT: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let text = TEXT.get_or_init(|| MasterKey::from_bytes(clock::random()).to_text());
    MasterKey::parse(text).unwrap()
}
