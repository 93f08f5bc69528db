//! The metrics, on an address of their own.

use std::{net::TcpListener, sync::Arc};

use actix_web::{
    App, HttpResponse, HttpServer, ResponseError,
    dev::Server,
    web::{self, Data},
};

use super::door::Door;
use crate::{
    error::Error,
    ingest::Ingest,
    metrics::{MEDIA_TYPE, Metrics, Now},
};

/// Where what is told comes from.
pub struct Sources {
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who waits.
    pub ingest: Ingest,
    /// Who is in.
    pub door: Arc<Door>,
}

/// Serves the metrics, and nothing else, until it is dropped.
pub fn serve(listener: TcpListener, sources: Sources) -> std::io::Result<Server> {
    let sources = Data::new(sources);
    let app = move || App::new().app_data(sources.clone()).route("/metrics", web::get().to(tell));
    Ok(HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}

async fn tell(sources: Data<Sources>) -> HttpResponse {
    let now = Now { waiting: sources.ingest.waiting(), in_flight: sources.door.in_flight() };
    match sources.metrics.text(now) {
        Ok(text) => HttpResponse::Ok().content_type(MEDIA_TYPE).body(text),
        Err(error) => Error::Internal(error.to_string()).error_response(),
    }
}
