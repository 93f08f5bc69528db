//! Creatives: the banners, texts and videos of an advertiser.

use actix_web::{HttpResponse, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::named_in_path;
use crate::{
    db::{
        db_read, db_write,
        list::Listing,
        rows::setup::{Creative, CreativeChanges},
    },
    domain::{
        ids::{AdvertiserId, CreativeId, Id},
        setup::Status,
        time::Timestamp,
    },
    error::Result,
    http::{
        State,
        body::Body,
        caller::Caller,
        fields::{Fields, named, not_null, present, read},
        page::{ListName, Page, limit},
    },
};

/// A new creative.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"advertiser_id": "adv_01kayw5m8hfz2v6y0t3n7r9q4c", "name": "Banner 300x250"})))]
pub struct CreateCreative {
    /// The advertiser: its id, or `ext:` and your own.
    #[schema(required, value_type = String)]
    advertiser_id: Option<String>,
    /// A name for people, 1 to 200 characters.
    #[schema(required, value_type = String)]
    name: Option<String>,
    /// Your own id, unique among your creatives; use it as `ext:...` wherever its id is taken.
    external_id: Option<String>,
}

/// What to change about a creative; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Banner 300x250, red"})))]
pub struct UpdateCreative {
    /// A name for people.
    #[serde(default, deserialize_with = "not_null")]
    name: Option<String>,
    /// Your own id; null clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    external_id: Option<Option<String>>,
    /// Whether it takes part.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<Status>)]
    status: Option<String>,
}

/// A creative.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"id": "crt_01kayw5m8hfz2v6y0t3n7r9q4c", "advertiser_id": "adv_01kayw5m8hfz2v6y0t3n7r9q4c", "external_id": null, "name": "Banner 300x250", "status": "active", "created_at": "2026-11-22T10:00:00Z", "updated_at": "2026-11-22T10:00:00Z"})))]
pub struct CreativeView {
    /// Its id.
    id: CreativeId,
    /// Its advertiser.
    advertiser_id: AdvertiserId,
    /// Your own id.
    external_id: Option<String>,
    /// A name for people.
    name: String,
    /// Whether it takes part.
    status: Status,
    /// When it was made.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
}

impl From<Creative> for CreativeView {
    fn from(row: Creative) -> Self {
        Self {
            id: row.id,
            advertiser_id: row.advertiser_id,
            external_id: row.external_id,
            name: row.name,
            status: row.status,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Which creatives.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListCreatives {
    /// How many, 1 to 100; 25 by default.
    #[param(minimum = 1, maximum = 100, default = 25)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those with this status; without it, all that are not archived.
    #[param(value_type = Option<Status>)]
    status: Option<String>,
    /// Only those of this advertiser: its id, or `ext:` and your own.
    advertiser_id: Option<String>,
}

/// Creates a creative.
#[utoipa::path(tag = "Creatives", request_body = CreateCreative,
    responses((status = 201, description = "The new creative.", body = CreativeView)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "external_id_taken", "unsupported_media_type", "payload_too_large", "not_found"]))))]
#[post("/creatives")]
pub async fn create_creative(
    caller: Caller,
    Body(body): Body<CreateCreative>,
    state: web::Data<State>,
) -> Result<HttpResponse> {
    let mut fields = Fields::default();
    let advertiser = fields.required("/advertiser_id", body.advertiser_id, read::reference::<AdvertiserId>);
    let name = fields.required("/name", body.name, read::name);
    let external_id = fields.optional("/external_id", body.external_id, read::external_id);
    let now = state.clock.now();
    let id = state.clock.new_id();
    let (advertiser, name) = fields.finish(|| Some((advertiser?, name?)))?;
    let row = db_write!(&state.store, |queries, conn| {
        let advertiser =
            named(queries::advertisers::find(conn, &caller.partner, &advertiser)?, "/advertiser_id")?;
        let row = Creative {
            partner_id: caller.partner.id(),
            id,
            advertiser_id: advertiser.id,
            external_id,
            name,
            status: Status::Active,
            created_at: now,
            updated_at: now,
        };
        queries::creatives::insert(conn, &row).map(|()| row)
    })?;
    Ok(HttpResponse::Created().json(CreativeView::from(row)))
}

/// Returns a creative.
#[utoipa::path(tag = "Creatives", params(("id" = String, Path, description = "The creative's id, or `ext:` and your own.")),
    responses((status = 200, description = "The creative.", body = CreativeView)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[get("/creatives/{id}")]
pub async fn get_creative(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<CreativeView>> {
    let id = named_in_path(&id)?;
    let row = db_read!(&state.store, |queries, conn| queries::creatives::get(conn, &caller.partner, &id))?;
    Ok(web::Json(row.into()))
}

/// Lists creatives, newest first.
#[utoipa::path(tag = "Creatives", params(ListCreatives),
    responses((status = 200, description = "A page of creatives.", body = Page<CreativeView>)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "cursor_invalid", "not_found"]))))]
#[get("/creatives")]
pub async fn list_creatives(
    caller: Caller,
    query: web::Query<ListCreatives>,
    state: web::Data<State>,
) -> Result<web::Json<Page<CreativeView>>> {
    let query = query.into_inner();
    let list = ListName::new(&state, &caller.partner, "creatives", &(&query.status, &query.advertiser_id));
    let mut fields = Fields::default();
    let limit = fields.optional("limit", Some(query.limit), limit);
    let status = fields.optional("status", query.status, read::word(Status::ALL, Status::parse));
    let advertiser = fields.optional("advertiser_id", query.advertiser_id, read::reference::<AdvertiserId>);
    let limit = fields.finish(|| limit)?;
    let mut listing =
        Listing { after: list.read(query.cursor.as_deref())?, limit, status, ..Listing::default() };
    let rows = db_read!(&state.store, |queries, conn| {
        listing.advertiser_id = filter!(queries, conn, caller, advertiser, advertisers, "advertiser_id");
        queries::creatives::list(conn, &caller.partner, &listing)
    })?;
    Ok(web::Json(list.page(rows, limit, |row| *row.id.bytes(), CreativeView::from)))
}

/// Changes a creative. What is left out stays as it is.
#[utoipa::path(tag = "Creatives", params(("id" = String, Path, description = "The creative's id, or `ext:` and your own.")),
    request_body = UpdateCreative,
    responses((status = 200, description = "The creative as it is now.", body = CreativeView)),
    extensions(("x-codes" = json!(["malformed", "not_found", "validation_failed", "external_id_taken", "unsupported_media_type", "payload_too_large"]))))]
#[patch("/creatives/{id}")]
pub async fn update_creative(
    caller: Caller,
    id: web::Path<String>,
    Body(body): Body<UpdateCreative>,
    state: web::Data<State>,
) -> Result<web::Json<CreativeView>> {
    let id = named_in_path(&id)?;
    let mut fields = Fields::default();
    let changes = CreativeChanges {
        external_id: fields.change("/external_id", body.external_id, read::external_id),
        name: fields.optional("/name", body.name, read::name),
        status: fields.optional("/status", body.status, read::word(Status::ALL, Status::parse)),
        updated_at: state.clock.now(),
    };
    let changes = fields.finish(|| Some(changes))?;
    let row = db_write!(&state.store, |queries, conn| {
        let found = queries::creatives::get(conn, &caller.partner, &id)?;
        queries::creatives::update(conn, &caller.partner, found.id, &changes)
    })?;
    Ok(web::Json(row.into()))
}

/// Archives a creative. It takes no part any more and leaves the lists; nothing is deleted. Set `status` to
/// bring it back.
#[utoipa::path(tag = "Creatives", params(("id" = String, Path, description = "The creative's id, or `ext:` and your own.")),
    responses((status = 200, description = "The archived creative.", body = CreativeView)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[post("/creatives/{id}/archive")]
pub async fn archive_creative(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<CreativeView>> {
    let id = named_in_path(&id)?;
    let now = state.clock.now();
    let row = db_write!(&state.store, |queries, conn| queries::creatives::archive(
        conn,
        &caller.partner,
        &id,
        now
    ))?;
    Ok(web::Json(row.into()))
}
