//! The metrics, on an address of their own.

use std::{net::TcpListener, sync::Arc};

use actix_web::{
    App, HttpResponse, HttpServer, ResponseError,
    dev::Server,
    web::{self, Data},
};

use crate::{
    error::Error,
    ingest::Ingest,
    metrics::{MEDIA_TYPE, Metrics},
};

/// Where what is told comes from.
struct Sources {
    metrics: Arc<Metrics>,
    ingest: Ingest,
}

/// Serves the metrics, and nothing else, until it is dropped.
pub fn serve(listener: TcpListener, metrics: Arc<Metrics>, ingest: Ingest) -> std::io::Result<Server> {
    let sources = Data::new(Sources { metrics, ingest });
    let app = move || App::new().app_data(sources.clone()).route("/metrics", web::get().to(tell));
    Ok(HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}

async fn tell(sources: Data<Sources>) -> HttpResponse {
    match sources.metrics.text(sources.ingest.waiting()) {
        Ok(text) => HttpResponse::Ok().content_type(MEDIA_TYPE).body(text),
        Err(error) => Error::Internal(error.to_string()).error_response(),
    }
}
