//! The metrics, on an address of their own.

use std::{net::TcpListener, sync::Arc};

use actix_web::{
    App, HttpResponse, HttpServer, ResponseError,
    dev::Server,
    web::{self, Data},
};

use super::{Counters, door::Door};
use crate::{
    db::spool::Spool,
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
    /// Of which visits nothing is kept.
    pub counters: Arc<Counters>,
    /// Where clicks and postbacks wait for the database.
    pub spool: Spool,
}

/// Serves the metrics, and nothing else, until it is dropped.
pub fn serve(listener: TcpListener, sources: Sources) -> std::io::Result<Server> {
    let sources = Data::new(sources);
    let app = move || App::new().app_data(sources.clone()).route("/metrics", web::get().to(tell));
    Ok(HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}

async fn tell(sources: Data<Sources>) -> HttpResponse {
    let counters = &sources.counters;
    let now = Now {
        waiting: sources.ingest.waiting(),
        in_flight: sources.door.in_flight(),
        unrecorded: [counters.unknown_links(), counters.consent_refusals(), counters.untracked_visits()],
        spooled: usize::try_from(sources.spool.depth().entries).unwrap_or(usize::MAX),
    };
    match sources.metrics.text(now) {
        Ok(text) => HttpResponse::Ok().content_type(MEDIA_TYPE).body(text),
        Err(error) => Error::Internal(error.to_string()).error_response(),
    }
}
