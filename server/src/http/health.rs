//! Whether the process lives, and whether it can do its work.

use std::sync::atomic::Ordering;

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::State;
use crate::{
    db::db_read,
    domain::{code::Code, refusal::Refusal},
    error::Result,
};

/// How the server is.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"status": "ok"})))]
pub struct Health {
    /// `ok`.
    status: &'static str,
}

/// Says that the process lives. It asks nothing else, so that a slow database does not get the server restarted.
#[utoipa::path(tag = "Health", responses((status = 200, description = "It lives.", body = Health)), extensions(("x-codes" = json!([]))))]
#[get("/livez")]
pub async fn check_live() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

/// Says that the server can do its work: the database answers.
#[utoipa::path(tag = "Health", responses((status = 200, description = "It can.", body = Health)), extensions(("x-codes" = json!(["unavailable"]))))]
#[get("/readyz")]
pub async fn check_ready(state: web::Data<State>) -> Result<web::Json<Health>> {
    if state.is_stopping.load(Ordering::Relaxed) {
        return Err(Refusal::new(Code::Unavailable, "The server is stopping.").into());
    }
    db_read!(&state.whole_store, |queries, conn| queries::health::ping(conn))?;
    Ok(web::Json(Health { status: "ok" }))
}
