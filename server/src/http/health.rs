//! Whether the process lives, and whether it can do its work.

use std::{sync::atomic::Ordering, time::Duration};

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::State;
use crate::{
    db::{db_read, gate::Role},
    domain::{code::Code, refusal::Refusal},
    error::Result,
};

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How the server is.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"status": "ok"})))]
pub struct Health {
    /// `ok`, or `degraded`: clicks and postbacks are taken, and something is not as it should be.
    status: &'static str,
    /// What is not as it should be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<&'static str>,
    /// How many clicks and postbacks wait for the database.
    #[serde(skip_serializing_if = "is_none")]
    spooled: u64,
}

fn is_none(number: &u64) -> bool {
    *number == 0
}

/// Says that the process lives. It asks nothing else, so that a slow database does not get the server restarted.
#[utoipa::path(tag = "Health", responses((status = 200, description = "It lives.", body = Health)), extensions(("x-codes" = json!([]))))]
#[get("/livez")]
pub async fn check_live() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok", reasons: Vec::new(), spooled: 0 })
}

/// Says that the server can take clicks and postbacks. `degraded` says that the database is away
/// (`database_unavailable`) or that some still wait for it (`spool_not_empty`). 503 only while the server is stopping.
#[utoipa::path(tag = "Health", responses((status = 200, description = "It can.", body = Health)), extensions(("x-codes" = json!(["unavailable"]))))]
#[get("/readyz")]
pub async fn check_ready(state: web::Data<State>) -> Result<web::Json<Health>> {
    if state.is_stopping.load(Ordering::Relaxed) {
        return Err(Refusal::new(Code::Unavailable, "The server is stopping.").into());
    }
    let store = state.whole_store.clone().with_patience(PATIENCE).with_role(Role::Watch);
    let answers = db_read!(&store, |queries, conn| queries::health::ping(conn)).is_ok();
    let spooled = state.spool.depth().entries;
    let found = [(!answers, "database_unavailable"), (spooled > 0, "spool_not_empty")];
    let reasons: Vec<_> = found.into_iter().filter_map(|(is_so, reason)| is_so.then_some(reason)).collect();
    let status = if reasons.is_empty() { "ok" } else { "degraded" };
    Ok(web::Json(Health { status, reasons, spooled }))
}
