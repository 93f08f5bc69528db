//! The partner itself, as its API key sees it.

use actix_web::{get, patch, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    db::{
        db_read, db_write,
        rows::accounts::{Partner, PartnerChanges},
    },
    domain::{ids::PartnerId, time::Timestamp, visitor::IpStorage},
    error::Result,
    http::{
        State,
        body::Body,
        caller::Caller,
        fields::{Fields, not_null, read},
    },
};

/// What to change about the partner; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"ip_storage": "none"})))]
pub struct UpdatePartner {
    /// A name for people, 1 to 200 characters.
    #[serde(default, deserialize_with = "not_null")]
    name: Option<String>,
    /// How much of visitors' addresses is kept, from now on; what is stored stays as it is.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<IpStorage>)]
    ip_storage: Option<String>,
}

/// A partner.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"id": "prt_01kayw5m8hfz2v6y0t3n7r9q4c", "name": "My agency", "ip_storage": "truncated", "created_at": "2026-11-22T10:00:00Z"})))]
pub struct PartnerView {
    /// Its id.
    id: PartnerId,
    /// A name for people.
    name: String,
    /// How much of visitors' addresses is kept.
    ip_storage: IpStorage,
    /// When it was made.
    created_at: Timestamp,
}

impl From<Partner> for PartnerView {
    fn from(row: Partner) -> Self {
        Self { id: row.id, name: row.name, ip_storage: row.ip_storage, created_at: row.created_at }
    }
}

/// Returns the partner whose API key it is.
#[utoipa::path(tag = "Partner", responses((status = 200, description = "The partner.", body = PartnerView)),
    extensions(("x-codes" = json!([]))))]
#[get("/partner")]
pub async fn get_partner(caller: Caller, state: web::Data<State>) -> Result<web::Json<PartnerView>> {
    let row = db_read!(&state.store, |queries, conn| queries::partners::get(conn, &caller.partner))?;
    Ok(web::Json(row.into()))
}

/// Changes the partner. What is left out stays as it is.
#[utoipa::path(tag = "Partner", request_body = UpdatePartner,
    responses((status = 200, description = "The partner as it is now.", body = PartnerView)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "unsupported_media_type", "payload_too_large"]))))]
#[patch("/partner")]
pub async fn update_partner(
    caller: Caller,
    Body(body): Body<UpdatePartner>,
    state: web::Data<State>,
) -> Result<web::Json<PartnerView>> {
    let mut fields = Fields::default();
    let changes = PartnerChanges {
        name: fields.optional("/name", body.name, read::name),
        ip_storage: fields.optional(
            "/ip_storage",
            body.ip_storage,
            read::word(IpStorage::ALL, IpStorage::parse),
        ),
    };
    let changes = fields.finish(|| Some(changes))?;
    let row = db_write!(&state.store, |queries, conn| {
        queries::partners::update(conn, &caller.partner, &changes)
    })?;
    Ok(web::Json(row.into()))
}
