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

use actix_web::{
    App as ActixApp, HttpServer,
    dev::{Server, ServerHandle},
    error::QueryPayloadError,
    middleware::{DefaultHeaders, from_fn},
    web::{self, Data},
};
use tokio::{net::TcpSocket, task::JoinHandle};
use utoipa_actix_web::AppExt;

use crate::{
    cache::{Cache, Snapshot},
    clock::Clock,
    config::{Config, ConfigError, DatabaseUrl},
    db::{Store, postgres, spool::Spool},
    domain::{code::Code, refusal::Refusal},
    error::Error,
    geo::Geo,
    http::{State, fallback, forget_what_changed, openapi, routes, say_when_stopping, with_request_id},
    ingest::{Ingest, aside::Aside},
    jobs::{self, Drain, watch::Watch},
    tls::Certificate,
};

pub use opening::{cannot_use, open_store};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 2_048;
/// How long requests under way may take after the signal to stop, in seconds.
const SHUTDOWN_SECONDS: u64 = 20;

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
    /// What tracking links start with.
    pub public_url: String,
    /// The database, for what is not done over HTTP.
    pub store: Store,
    /// The certificate, for reading it again.
    pub certificate: Option<Arc<Certificate>>,
    /// Where addresses are, for reading its files again.
    pub geo: Arc<Geo>,
    server: Server,
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
    let is_stopping = Arc::new(AtomicBool::new(false));
    let state = State {
        is_stopping: is_stopping.clone(),
        cache,
        counters: Arc::default(),
        store: store.clone(),
        ingest: Ingest::start(store.clone(), clock.clone(), aside),
        spool: spool.clone(),
        clock,
        master_key: config.master_key,
        geo: geo.clone(),
        trusted_proxies: config.trusted_proxies.into(),
        public_url: public_url.as_str().into(),
    };
    let server = serve(state, config.workers, plain, secure.zip(certificate.clone()))?;
    Ok(App { http, https, public_url, store, certificate, geo, server, is_stopping, spool, snapshot, tasks })
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
        let outcome = self.server.await;
        self.tasks.iter().for_each(JoinHandle::abort);
        self.snapshot.save().await;
        self.spool.close().await;
        outcome
    }
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

fn serve(
    state: State,
    workers: Option<usize>,
    plain: Option<TcpListener>,
    secure: Option<(TcpListener, Arc<Certificate>)>,
) -> std::io::Result<Server> {
    let state = Data::new(state);
    let methods = Data::new(fallback::Methods::of(&openapi::document()));
    let mut server = HttpServer::new(move || {
        ActixApp::new()
            .app_data(state.clone())
            .app_data(methods.clone())
            .app_data(web::QueryConfig::default().error_handler(|error, _| unreadable_query(&error)))
            .app_data(web::PathConfig::default().error_handler(|error, _| unreadable(&error)))
            .wrap(DefaultHeaders::new().add(("x-content-type-options", "nosniff")))
            .wrap(from_fn(forget_what_changed))
            .wrap(from_fn(say_when_stopping))
            .wrap(from_fn(with_request_id))
            .into_utoipa_app()
            .configure(routes::documented)
            .into_app()
            .configure(routes::undocumented)
            .default_service(web::to(fallback::no_route))
    })
    .disable_signals()
    .shutdown_timeout(SHUTDOWN_SECONDS);
    if let Some(workers) = workers {
        server = server.workers(workers);
    }
    if let Some(listener) = plain {
        server = server.listen(listener)?;
    }
    if let Some((listener, certificate)) = secure {
        server = server.listen_rustls_0_23(listener, certificate.server_config())?;
    }
    Ok(server.run())
}

fn unreadable_query(error: &QueryPayloadError) -> actix_web::Error {
    match error {
        QueryPayloadError::Deserialize(fault) => unreadable(fault),
        other => unreadable(other),
    }
}

fn unreadable(error: &impl std::fmt::Display) -> actix_web::Error {
    Error::from(Refusal::new(Code::Malformed, format!("The request cannot be read: {error}."))).into()
}
