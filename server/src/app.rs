//! Puts the house together: opens spool and database, starts the writers and the jobs, binds the addresses.

mod opening;

use std::{
    future::Future,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_web::dev::{Server, ServerHandle};
use tokio::{net::TcpSocket, task::JoinHandle};

use crate::{
    cache::{Cache, KeyUses, Snapshot},
    clock::Clock,
    config::{Config, ConfigError, DatabaseUrl},
    db::{Store, postgres, spool::Spool},
    error::Error,
    geo::Geo,
    http::{
        Counters, RateLimits, State,
        door::Door,
        metrics::{Sources, serve as serve_metrics},
        server::{Listeners, serve},
    },
    ingest::{Ingest, aside::Aside},
    jobs::{self, Drain, watch::Watch},
    metrics::Metrics,
    tls::Certificate,
};

pub use opening::{cannot_use, open_store};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 2_048;

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database cannot be used.
    #[error("DATABASE_URL (--database-url): {0}")]
    Database(#[from] Error),
    /// The listener could not be started.
    #[error("cannot start the server: {0}")]
    Io(#[from] std::io::Error),
}

/// A server that listens and does not answer yet.
pub struct App {
    /// Where plain HTTP is served.
    pub http: Option<SocketAddr>,
    /// Where HTTPS is served.
    pub https: Option<SocketAddr>,
    /// Where metrics are served.
    pub metrics: Option<SocketAddr>,
    /// What tracking links start with.
    pub public_url: String,
    /// The database, for what is not done over HTTP.
    pub store: Store,
    /// The certificate, for reading it again.
    pub certificate: Option<Arc<Certificate>>,
    /// Where addresses are, for reading its files again.
    pub geo: Arc<Geo>,
    server: Server,
    metrics_server: Option<Server>,
    is_stopping: Arc<AtomicBool>,
    spool: Spool,
    snapshot: Snapshot,
    /// What ends with the server.
    tasks: [JoinHandle<()>; 2],
}

/// How long before it stops the server says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notice(pub Duration);

impl Notice {
    /// Long enough for clients with a connection open to learn of it with their next answer.
    pub const USUAL: Self = Self(Duration::from_secs(2));
}

/// Opens, migrates, binds. Nothing is answered before [`App::run`]. A PostgreSQL that is away is waited for while the
/// server runs already.
pub async fn build(config: Config, clock: Clock) -> Result<App, StartError> {
    let geo = Arc::new(Geo::open(config.geo_database.as_deref(), config.isp_database.as_deref())?);
    let certificate = config.tls.as_ref().map(Certificate::open).transpose()?;
    let plain = config.listen.map(|address| bind("TALLYBACK_LISTEN (--listen)", address)).transpose()?;
    let secure =
        config.tls.as_ref().map(|tls| bind("TALLYBACK_TLS_LISTEN (--tls-listen)", tls.listen)).transpose()?;
    let told = config.metrics.map(|address| bind("TALLYBACK_METRICS (--metrics)", address)).transpose()?;
    let files = raise_open_files();
    let spool = opening::open_spool(&config.spool, &clock).await?;
    let store = Store::open(&config.database)?;
    let is_prepared = opening::prepare_or_wait(&store, &config, &clock).await?;
    let (http, https) = (local_address(&plain)?, local_address(&secure)?);
    let public_url = config.public_url.clone().unwrap_or_else(|| usual_public_url(http, https));
    if config.public_url.is_none()
        && [http, https].iter().flatten().any(|address| address.ip().is_unspecified())
    {
        tracing::warn!(
            "tracking links start with {public_url}, where nobody is: set TALLYBACK_PUBLIC_URL (--public-url)"
        );
    }

    jobs::start(&store, &clock);
    geo.clone().follow();
    let cache = Cache::new(store.clone(), clock.clone(), config.master_key.clone());
    let snapshot = Snapshot::new(&cache, config.spool.path.with_extension("known"));
    snapshot.load();
    follow_changes(&config.database, &cache);
    let aside = Aside::new(spool.clone(), clock.clone());
    let watch = Watch {
        store: store.clone(),
        clock: clock.clone(),
        master_key: config.master_key.clone(),
        aside: aside.clone(),
        drain: Drain::new(&store, &cache, &clock),
        is_prepared,
    };
    let tasks = [tokio::spawn(watch.run()), tokio::spawn(snapshot.clone().keep())];
    let key_uses = KeyUses::default();
    jobs::write_key_uses(&store, &key_uses);
    let is_stopping = Arc::new(AtomicBool::new(false));
    let metrics = Arc::new(Metrics::default());
    let ingest = Ingest::start(store.clone(), clock.clone(), aside, metrics.clone());
    let metrics_address = local_address(&told)?;
    let door = Arc::new(Door::new(config.limits, metrics.clone()));
    let counters: Arc<Counters> = Arc::default();
    let sources = Sources {
        metrics: metrics.clone(),
        ingest: ingest.clone(),
        door: door.clone(),
        counters: counters.clone(),
        spool: spool.clone(),
    };
    let told = told.map(|listener| serve_metrics(listener, sources)).transpose()?;
    let state = State {
        is_stopping: is_stopping.clone(),
        cache,
        key_uses,
        rate_limits: Arc::new(RateLimits::new(config.limits.reports_per_minute)),
        batches: Arc::default(),
        tails: Arc::default(),
        counters,
        store: store.clone().for_management(),
        whole_store: store.clone(),
        door,
        metrics,
        ingest,
        spool: spool.clone(),
        clock,
        master_key: config.master_key,
        geo: geo.clone(),
        trusted_proxies: config.trusted_proxies.into(),
        public_url: public_url.as_str().into(),
    };
    let listeners = Listeners { plain, secure: secure.zip(certificate.clone()) };
    let server = serve(state, config.workers, files, listeners)?;
    Ok(App {
        http,
        https,
        metrics: metrics_address,
        public_url,
        store,
        certificate,
        geo,
        server,
        metrics_server: told,
        is_stopping,
        spool,
        snapshot,
        tasks,
    })
}

impl App {
    /// Answers until `stop` completes. Then it says for a while that it is going, on every connection and to load
    /// balancers, and lets requests under way finish.
    pub async fn run(self, stop: impl Future<Output = Notice> + Send + 'static) -> std::io::Result<()> {
        let handle: ServerHandle = self.server.handle();
        let is_stopping = self.is_stopping;
        tokio::spawn(async move {
            let notice = stop.await;
            is_stopping.store(true, Ordering::SeqCst);
            tokio::time::sleep(notice.0).await;
            handle.stop(true).await;
        });
        let metrics = self.metrics_server.map(|server| {
            let handle = server.handle();
            tokio::spawn(server);
            handle
        });
        let outcome = self.server.await;
        if let Some(metrics) = metrics {
            metrics.stop(false).await;
        }
        self.tasks.iter().for_each(JoinHandle::abort);
        self.snapshot.save().await;
        self.spool.close().await;
        outcome
    }
}

/// Lets this process open as many files as the system allows it, and says how many that is: each connection needs two.
pub fn raise_open_files() -> u64 {
    const USUAL: u64 = 1_024;
    rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
        tracing::warn!(%error, "the number of open files stays as it is");
        rlimit::Resource::NOFILE.get_soft().unwrap_or(USUAL)
    })
}

/// Forgets what other processes on the same database change. A SQLite database has one process.
fn follow_changes(database: &DatabaseUrl, cache: &Cache) {
    if let DatabaseUrl::Postgres { config, tls } = database {
        let (config, tls, cache) = (config.as_ref().clone(), tls.clone(), cache.clone());
        tokio::spawn(postgres::changes::follow(config, tls, move |partner| cache.forget(partner)));
    }
}

fn bind(name: &str, address: SocketAddr) -> Result<TcpListener, StartError> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    let fault =
        |error: std::io::Error| ConfigError::new(name, format!("cannot listen on {address}: {error}"));
    Ok(listen().map_err(fault)?)
}

fn local_address(listener: &Option<TcpListener>) -> std::io::Result<Option<SocketAddr>> {
    listener.as_ref().map(TcpListener::local_addr).transpose()
}

fn usual_public_url(http: Option<SocketAddr>, https: Option<SocketAddr>) -> String {
    match (https, http) {
        (Some(address), _) => format!("https://{address}"),
        (None, Some(address)) => format!("http://{address}"),
        (None, None) => String::new(),
    }
}
