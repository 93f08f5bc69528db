//! Publishers: who sends the traffic.

use actix_web::{HttpResponse, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::named_in_path;
use crate::{
    db::{
        db_read, db_write,
        list::Listing,
        rows::setup::{Publisher, PublisherChanges},
    },
    domain::{
        ids::{Id, PublisherId},
        setup::Status,
        time::Timestamp,
    },
    error::Result,
    http::{
        State,
        body::Body,
        caller::Caller,
        fields::{Fields, not_null, present, read},
        page::{ListName, Page, limit},
    },
};

/// A new publisher.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Blog Network", "external_id": "blog-7"})))]
pub struct CreatePublisher {
    /// A name for people, 1 to 200 characters.
    #[schema(required, value_type = String)]
    name: Option<String>,
    /// Your own id, unique among your publishers; use it as `ext:...` wherever its id is taken.
    external_id: Option<String>,
}

/// What to change about a publisher; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"status": "paused"})))]
pub struct UpdatePublisher {
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

/// A publisher.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"id": "pub_01kayw5m8hfz2v6y0t3n7r9q4c", "external_id": "blog-7", "name": "Blog Network", "status": "active", "created_at": "2026-11-22T10:00:00Z", "updated_at": "2026-11-22T10:00:00Z"})))]
pub struct PublisherView {
    /// Its id.
    id: PublisherId,
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

impl From<Publisher> for PublisherView {
    fn from(row: Publisher) -> Self {
        Self {
            id: row.id,
            external_id: row.external_id,
            name: row.name,
            status: row.status,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Which publishers.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListPublishers {
    /// How many, 1 to 100; 25 by default.
    #[param(minimum = 1, maximum = 100, default = 25)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those with this status; without it, all that are not archived.
    #[param(value_type = Option<Status>)]
    status: Option<String>,
}

/// Creates a publisher.
#[utoipa::path(tag = "Publishers", request_body = CreatePublisher,
    responses((status = 201, description = "The new publisher.", body = PublisherView)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "external_id_taken", "unsupported_media_type", "payload_too_large"]))))]
#[post("/publishers")]
pub async fn create_publisher(
    caller: Caller,
    Body(body): Body<CreatePublisher>,
    state: web::Data<State>,
) -> Result<HttpResponse> {
    let mut fields = Fields::default();
    let name = fields.required("/name", body.name, read::name);
    let external_id = fields.optional("/external_id", body.external_id, read::external_id);
    let now = state.clock.now();
    let row = fields.finish(|| {
        Some(Publisher {
            partner_id: caller.partner.id(),
            id: state.clock.new_id(),
            external_id,
            name: name?,
            status: Status::Active,
            created_at: now,
            updated_at: now,
        })
    })?;
    let inserted = row.clone();
    db_write!(&state.store, |queries, conn| queries::publishers::insert(conn, &inserted))?;
    Ok(HttpResponse::Created().json(PublisherView::from(row)))
}

/// Returns a publisher.
#[utoipa::path(tag = "Publishers", params(("id" = String, Path, description = "The publisher's id, or `ext:` and your own.")),
    responses((status = 200, description = "The publisher.", body = PublisherView)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[get("/publishers/{id}")]
pub async fn get_publisher(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<PublisherView>> {
    let id = named_in_path(&id)?;
    let row = db_read!(&state.store, |queries, conn| queries::publishers::get(conn, &caller.partner, &id))?;
    Ok(web::Json(row.into()))
}

/// Lists publishers, newest first.
#[utoipa::path(tag = "Publishers", params(ListPublishers),
    responses((status = 200, description = "A page of publishers.", body = Page<PublisherView>)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "cursor_invalid"]))))]
#[get("/publishers")]
pub async fn list_publishers(
    caller: Caller,
    query: web::Query<ListPublishers>,
    state: web::Data<State>,
) -> Result<web::Json<Page<PublisherView>>> {
    let query = query.into_inner();
    let list = ListName::new(&state, &caller.partner, "publishers", &query.status);
    let mut fields = Fields::default();
    let limit = fields.optional("limit", Some(query.limit), limit);
    let status = fields.optional("status", query.status, read::word(Status::ALL, Status::parse));
    let limit = fields.finish(|| limit)?;
    let listing = Listing { after: list.read(query.cursor.as_deref())?, limit, status, ..Listing::default() };
    let rows =
        db_read!(&state.store, |queries, conn| queries::publishers::list(conn, &caller.partner, &listing))?;
    Ok(web::Json(list.page(rows, limit, |row| *row.id.bytes(), PublisherView::from)))
}

/// Changes a publisher. What is left out stays as it is.
#[utoipa::path(tag = "Publishers", params(("id" = String, Path, description = "The publisher's id, or `ext:` and your own.")),
    request_body = UpdatePublisher,
    responses((status = 200, description = "The publisher as it is now.", body = PublisherView)),
    extensions(("x-codes" = json!(["malformed", "not_found", "validation_failed", "external_id_taken", "unsupported_media_type", "payload_too_large"]))))]
#[patch("/publishers/{id}")]
pub async fn update_publisher(
    caller: Caller,
    id: web::Path<String>,
    Body(body): Body<UpdatePublisher>,
    state: web::Data<State>,
) -> Result<web::Json<PublisherView>> {
    let id = named_in_path(&id)?;
    let mut fields = Fields::default();
    let changes = PublisherChanges {
        external_id: fields.change("/external_id", body.external_id, read::external_id),
        name: fields.optional("/name", body.name, read::name),
        status: fields.optional("/status", body.status, read::word(Status::ALL, Status::parse)),
        updated_at: state.clock.now(),
    };
    let changes = fields.finish(|| Some(changes))?;
    let row = db_write!(&state.store, |queries, conn| {
        let found = queries::publishers::get(conn, &caller.partner, &id)?;
        queries::publishers::update(conn, &caller.partner, found.id, &changes)
    })?;
    Ok(web::Json(row.into()))
}

/// Archives a publisher. It takes no part any more and leaves the lists; nothing is deleted. Set `status` to
/// bring it back.
#[utoipa::path(tag = "Publishers", params(("id" = String, Path, description = "The publisher's id, or `ext:` and your own.")),
    responses((status = 200, description = "The archived publisher.", body = PublisherView)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[post("/publishers/{id}/archive")]
pub async fn archive_publisher(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<PublisherView>> {
    let id = named_in_path(&id)?;
    let now = state.clock.now();
    let row = db_write!(&state.store, |queries, conn| queries::publishers::archive(
        conn,
        &caller.partner,
        &id,
        now
    ))?;
    Ok(web::Json(row.into()))
}
