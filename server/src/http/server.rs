//! The server itself: the routes behind the door, on its listeners, with bounds for slow clients.

use std::{net::TcpListener, sync::Arc, thread::available_parallelism};

use actix_service::IntoServiceFactory;
use actix_web::{
    App, HttpServer,
    dev::Server,
    error::QueryPayloadError,
    middleware::from_fn,
    web::{self, Data},
};
use utoipa_actix_web::AppExt;

use super::{
    State, changes::forget_what_changed, connections, fallback, front::FrontFactory, openapi, routes,
};
use crate::{
    config::limits::connections_per_worker,
    domain::{code::Code, refusal::Refusal},
    error::Error,
    ingest::replies,
    tls::Certificate,
};

/// How long requests under way may take after the signal to stop, in seconds.
const SHUTDOWN_SECONDS: u64 = 20;

/// Where the server listens.
pub struct Listeners {
    /// For plain HTTP.
    pub plain: Option<TcpListener>,
    /// For HTTPS, and the certificate to show.
    pub secure: Option<(TcpListener, Arc<Certificate>)>,
}

/// Starts to listen. Nothing is answered before the server is awaited. `files` is how many the process may open.
pub fn serve(
    state: State,
    workers: Option<usize>,
    files: u64,
    listeners: Listeners,
) -> std::io::Result<Server> {
    let limits = state.door.limits;
    let metrics = state.metrics.clone();
    let state = Data::new(state);
    let methods = Data::new(fallback::Methods::of(&openapi::document()));
    let app = move || {
        replies::take_here();
        let app = App::new()
            .app_data(state.clone())
            .app_data(methods.clone())
            .app_data(web::QueryConfig::default().error_handler(|error, _| unreadable_query(&error)))
            .app_data(web::PathConfig::default().error_handler(|error, _| unreadable(&error)))
            .wrap(from_fn(forget_what_changed))
            .into_utoipa_app()
            .configure(routes::documented)
            .into_app()
            .configure(routes::undocumented)
            .default_service(web::to(fallback::no_route));
        FrontFactory { app: app.into_factory(), state: State::clone(&state) }
    };
    let workers = workers.unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
    let connections = connections_per_worker(files, workers);
    let mut server = HttpServer::new(app)
        .on_connect(move |io, data| connections::watch(io, data, limits.quiet, &metrics))
        .workers(workers)
        .max_connections(connections)
        // Handshakes that stall hold back nobody else: they are as many as there may be connections.
        .max_connection_rate(connections)
        .tls_handshake_timeout(limits.handshake)
        .client_request_timeout(limits.head)
        .keep_alive(limits.idle)
        .disable_signals()
        .shutdown_timeout(SHUTDOWN_SECONDS);
    if let Some(listener) = listeners.plain {
        server = server.listen(listener)?;
    }
    if let Some((listener, certificate)) = listeners.secure {
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
