//! Advertisers: the companies whose conversions are tracked.

use actix_web::{HttpResponse, get, patch, post, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{audit_events::event, named_in_path};
use crate::{
    db::{
        db_read, db_write,
        list::Listing,
        rows::{
            accounts::AuditEvent,
            setup::{Advertiser, AdvertiserChanges},
        },
        sql_types::Json,
    },
    domain::{
        audit::AuditAction,
        currency::Currency,
        ids::{AdvertiserId, Id, PublisherId, Reference},
        setup::Status,
        signing::{SigningMode, StaticToken},
        text::ParameterName,
        time::Timestamp,
    },
    error::{Error, Result},
    http::{
        State,
        body::Body,
        caller::Caller,
        fields::{Fields, named, not_null, present, read},
        page::{ListName, Page, limit},
    },
};

/// The name of the click id on landing URLs, where an advertiser does not choose one.
const USUAL_CLICK_ID_PARAMETER: &str = "kcid";

/// Most publishers on a list of an advertiser.
const MOST_PUBLISHERS: usize = 1_000;

/// The ids of publishers by their names.
macro_rules! publishers_of {
    ($queries:ident, $conn:ident, $caller:ident, $names:expr, $pointer:literal) => {{
        let mut ids = Vec::new();
        for (index, name) in $names.iter().enumerate() {
            let found = $queries::publishers::find($conn, &$caller.partner, name)?;
            let id = named(found, &format!("{}/{index}", $pointer))?.id;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }};
}

/// A new advertiser.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Acme Shoes", "external_id": "acme", "deep_link_hosts": ["shop.example", "*.shop.example"]})))]
pub struct CreateAdvertiser {
    /// A name for people, 1 to 200 characters.
    #[schema(required, value_type = String)]
    name: Option<String>,
    /// Your own id, unique among your advertisers; use it as `ext:...` wherever an advertiser's id is taken.
    external_id: Option<String>,
    /// The parameter that carries the click id on landing URLs without a click-id macro; `kcid` by default.
    click_id_parameter: Option<String>,
    /// Hosts that `url=` of a tracking link may lead to; `*.` in front takes every subdomain.
    deep_link_hosts: Option<Vec<String>>,
    /// Where clicks go while link, campaign or advertiser is out of use, when neither link nor campaign says it.
    fallback_url: Option<String>,
    /// The currency that its conversions are in: amounts and sums in another one are converted with the rate of the day of
    /// the event (`/v1/currency-rates`). Without one, conversions are in the currency that they are reported in.
    #[schema(value_type = Option<Currency>)]
    currency: Option<String>,
    /// The only publishers that work for it: their ids, or `ext:` and your own. Without a list: all of yours.
    publisher_ids: Option<Vec<String>>,
    /// Publishers that do not work for it: reports that name them are refused, and conversions of their earlier clicks wait
    /// with the flag `publisher_blocked`.
    blocked_publisher_ids: Option<Vec<String>>,
    /// Whether signatures of postbacks are enforced; `enforce` by default.
    #[schema(value_type = Option<SigningMode>)]
    signing: Option<String>,
    /// Whether postbacks may come with a static token; `refused` by default.
    #[schema(value_type = Option<StaticToken>)]
    static_token: Option<String>,
}

/// What to change about an advertiser; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Acme Shoes Ltd", "status": "paused"})))]
pub struct UpdateAdvertiser {
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
    /// The parameter that carries the click id.
    #[serde(default, deserialize_with = "not_null")]
    click_id_parameter: Option<String>,
    /// Hosts that `url=` may lead to.
    #[serde(default, deserialize_with = "not_null")]
    deep_link_hosts: Option<Vec<String>>,
    /// Where clicks go while link, campaign or advertiser is out of use; null clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    fallback_url: Option<Option<String>>,
    /// The currency of its conversions from now on; null: the one they are reported in.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Currency>)]
    currency: Option<Option<String>>,
    /// The only publishers that work for it; null: all of yours.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>)]
    publisher_ids: Option<Option<Vec<String>>>,
    /// Publishers that do not work for it.
    #[serde(default, deserialize_with = "not_null")]
    blocked_publisher_ids: Option<Vec<String>>,
    /// Whether signatures of postbacks are enforced.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<SigningMode>)]
    signing: Option<String>,
    /// Whether postbacks may come with a static token.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<StaticToken>)]
    static_token: Option<String>,
}

/// An advertiser.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"id": "adv_01kayw5m8hfz2v6y0t3n7r9q4c", "external_id": "acme", "name": "Acme Shoes", "status": "active", "click_id_parameter": "kcid", "deep_link_hosts": ["shop.example"], "fallback_url": null, "currency": "EUR", "publisher_ids": null, "blocked_publisher_ids": [], "signing": "enforce", "static_token": "refused", "created_at": "2026-11-22T10:00:00Z", "updated_at": "2026-11-22T10:00:00Z"})))]
pub struct AdvertiserView {
    /// Its id.
    id: AdvertiserId,
    /// Your own id.
    external_id: Option<String>,
    /// A name for people.
    name: String,
    /// Whether it takes part.
    status: Status,
    /// The parameter that carries the click id on landing URLs.
    click_id_parameter: String,
    /// Hosts that `url=` may lead to.
    deep_link_hosts: Vec<String>,
    /// Where clicks go while link, campaign or advertiser is out of use.
    fallback_url: Option<String>,
    /// The currency of its conversions; null: the one they are reported in.
    currency: Option<Currency>,
    /// The only publishers that work for it; null: all of yours.
    publisher_ids: Option<Vec<PublisherId>>,
    /// Publishers that do not work for it.
    blocked_publisher_ids: Vec<PublisherId>,
    /// Whether signatures of postbacks are enforced.
    signing: SigningMode,
    /// Whether postbacks may come with a static token.
    static_token: StaticToken,
    /// When it was made.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
}

impl From<Advertiser> for AdvertiserView {
    fn from(row: Advertiser) -> Self {
        Self {
            id: row.id,
            external_id: row.external_id,
            name: row.name,
            status: row.status,
            click_id_parameter: row.click_id_parameter,
            deep_link_hosts: row.deep_link_hosts.0,
            fallback_url: row.fallback_url,
            currency: row.currency,
            publisher_ids: row.publisher_ids.map(|Json(listed)| listed),
            blocked_publisher_ids: row.blocked_publisher_ids.0,
            signing: row.signing,
            static_token: row.static_token,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Which advertisers.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListAdvertisers {
    /// How many, 1 to 100; 25 by default.
    #[param(minimum = 1, maximum = 100, default = 25)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those with this status; without it, all that are not archived.
    #[param(value_type = Option<Status>)]
    status: Option<String>,
}

/// Creates an advertiser.
#[utoipa::path(tag = "Advertisers", request_body = CreateAdvertiser,
    responses((status = 201, description = "The new advertiser.", body = AdvertiserView)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "external_id_taken", "not_found", "unsupported_media_type", "payload_too_large"]))))]
#[post("/advertisers")]
pub async fn create_advertiser(
    caller: Caller,
    Body(body): Body<CreateAdvertiser>,
    state: web::Data<State>,
) -> Result<HttpResponse> {
    let mut fields = Fields::default();
    let name = fields.required("/name", body.name, read::name);
    let external_id = fields.optional("/external_id", body.external_id, read::external_id);
    let parameter = body.click_id_parameter.unwrap_or_else(|| USUAL_CLICK_ID_PARAMETER.to_owned());
    let parameter = fields.optional("/click_id_parameter", Some(parameter), click_id_parameter);
    let hosts =
        fields.optional("/deep_link_hosts", Some(body.deep_link_hosts.unwrap_or_default()), read::hosts);
    let fallback_url = fields.optional("/fallback_url", body.fallback_url, read::landing_url);
    let signing = body.signing.unwrap_or_else(|| SigningMode::Enforce.to_string());
    let signing =
        fields.optional("/signing", Some(signing), read::word(SigningMode::ALL, SigningMode::parse));
    let static_token = body.static_token.unwrap_or_else(|| StaticToken::Refused.to_string());
    let static_token = fields.optional(
        "/static_token",
        Some(static_token),
        read::word(StaticToken::ALL, StaticToken::parse),
    );
    let currency = fields.optional("/currency", body.currency, read::currency);
    let listed = body.publisher_ids.map(|names| read_publishers(&mut fields, "/publisher_ids", names));
    let blocked = read_publishers(
        &mut fields,
        "/blocked_publisher_ids",
        body.blocked_publisher_ids.unwrap_or_default(),
    );
    let now = state.clock.now();
    let mut row = fields.finish(|| {
        Some(Advertiser {
            partner_id: caller.partner.id(),
            id: state.clock.new_id(),
            external_id,
            name: name?,
            status: Status::Active,
            click_id_parameter: parameter?,
            deep_link_hosts: Json(hosts?),
            fallback_url,
            created_at: now,
            updated_at: now,
            currency,
            publisher_ids: None,
            blocked_publisher_ids: Json::default(),
            signing: signing?,
            static_token: static_token?,
        })
    })?;
    let weakened = row.signing != SigningMode::Enforce || row.static_token != StaticToken::Refused;
    let asked =
        weakened.then(|| signing_changed(&state, &caller, row.id, Some(row.signing), Some(row.static_token)));
    let row = db_write!(&state.store, |queries, conn| {
        row.publisher_ids = match &listed {
            Some(names) => Some(Json(publishers_of!(queries, conn, caller, names, "/publisher_ids"))),
            None => None,
        };
        row.blocked_publisher_ids =
            Json(publishers_of!(queries, conn, caller, blocked, "/blocked_publisher_ids"));
        queries::advertisers::insert(conn, &row)?;
        if let Some(asked) = &asked {
            queries::audit_events::insert(conn, asked)?;
        }
        Ok::<_, Error>(row)
    })?;
    Ok(HttpResponse::Created().json(AdvertiserView::from(row)))
}

/// That it was changed what an advertiser asks of its postbacks, for the audit log.
fn signing_changed(
    state: &State,
    caller: &Caller,
    id: AdvertiserId,
    signing: Option<SigningMode>,
    static_token: Option<StaticToken>,
) -> AuditEvent {
    let details = json!({"signing": signing, "static_token": static_token});
    event(state, caller, AuditAction::AdvertiserSigningChanged, id, details)
}

/// Reads names of publishers.
fn read_publishers(fields: &mut Fields, pointer: &str, names: Vec<String>) -> Vec<Reference<PublisherId>> {
    if names.len() > MOST_PUBLISHERS {
        fields.error(pointer, format!("at most {MOST_PUBLISHERS} are taken"));
    }
    let read = names.into_iter().enumerate().filter_map(|(index, name)| {
        fields.optional(&format!("{pointer}/{index}"), Some(name), read::reference::<PublisherId>)
    });
    read.collect()
}

fn click_id_parameter(text: String) -> Result<String, String> {
    ParameterName::parse(&text).map(|_| text)
}

/// Returns an advertiser.
#[utoipa::path(tag = "Advertisers", params(("id" = String, Path, description = "The advertiser's id, or `ext:` and your own.")),
    responses((status = 200, description = "The advertiser.", body = AdvertiserView)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[get("/advertisers/{id}")]
pub async fn get_advertiser(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<AdvertiserView>> {
    let id = named_in_path(&id)?;
    let row = db_read!(&state.store, |queries, conn| queries::advertisers::get(conn, &caller.partner, &id))?;
    Ok(web::Json(row.into()))
}

/// Lists advertisers, newest first.
#[utoipa::path(tag = "Advertisers", params(ListAdvertisers),
    responses((status = 200, description = "A page of advertisers.", body = Page<AdvertiserView>)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "cursor_invalid"]))))]
#[get("/advertisers")]
pub async fn list_advertisers(
    caller: Caller,
    query: web::Query<ListAdvertisers>,
    state: web::Data<State>,
) -> Result<web::Json<Page<AdvertiserView>>> {
    let query = query.into_inner();
    let list = ListName::new(&state, &caller.partner, "advertisers", &query.status);
    let mut fields = Fields::default();
    let limit = fields.optional("limit", Some(query.limit), limit);
    let status = fields.optional("status", query.status, read::word(Status::ALL, Status::parse));
    let limit = fields.finish(|| limit)?;
    let listing = Listing { after: list.read(query.cursor.as_deref())?, limit, status, ..Listing::default() };
    let rows =
        db_read!(&state.store, |queries, conn| queries::advertisers::list(conn, &caller.partner, &listing))?;
    Ok(web::Json(list.page(rows, limit, |row| *row.id.bytes(), AdvertiserView::from)))
}

/// Changes an advertiser. What is left out stays as it is.
#[utoipa::path(tag = "Advertisers", params(("id" = String, Path, description = "The advertiser's id, or `ext:` and your own.")),
    request_body = UpdateAdvertiser,
    responses((status = 200, description = "The advertiser as it is now.", body = AdvertiserView)),
    extensions(("x-codes" = json!(["malformed", "not_found", "validation_failed", "external_id_taken", "unsupported_media_type", "payload_too_large"]))))]
#[patch("/advertisers/{id}")]
pub async fn update_advertiser(
    caller: Caller,
    id: web::Path<String>,
    Body(body): Body<UpdateAdvertiser>,
    state: web::Data<State>,
) -> Result<web::Json<AdvertiserView>> {
    let id = named_in_path(&id)?;
    let mut fields = Fields::default();
    let listed = body
        .publisher_ids
        .map(|names| names.map(|names| read_publishers(&mut fields, "/publisher_ids", names)));
    let blocked =
        body.blocked_publisher_ids.map(|names| read_publishers(&mut fields, "/blocked_publisher_ids", names));
    let changes = AdvertiserChanges {
        currency: fields.change("/currency", body.currency, read::currency),
        publisher_ids: None,
        blocked_publisher_ids: None,
        external_id: fields.change("/external_id", body.external_id, read::external_id),
        name: fields.optional("/name", body.name, read::name),
        status: fields.optional("/status", body.status, read::word(Status::ALL, Status::parse)),
        click_id_parameter: fields.optional(
            "/click_id_parameter",
            body.click_id_parameter,
            click_id_parameter,
        ),
        deep_link_hosts: fields.optional("/deep_link_hosts", body.deep_link_hosts, read::hosts).map(Json),
        fallback_url: fields.change("/fallback_url", body.fallback_url, read::landing_url),
        updated_at: state.clock.now(),
        signing: fields.optional("/signing", body.signing, read::word(SigningMode::ALL, SigningMode::parse)),
        static_token: fields.optional(
            "/static_token",
            body.static_token,
            read::word(StaticToken::ALL, StaticToken::parse),
        ),
    };
    let for_audit = state.clone();
    let mut changes = fields.finish(|| Some(changes))?;
    let row = db_write!(&state.store, |queries, conn| {
        let found = queries::advertisers::get(conn, &caller.partner, &id)?;
        if changes.signing.is_some() || changes.static_token.is_some() {
            let changed =
                signing_changed(&for_audit, &caller, found.id, changes.signing, changes.static_token);
            queries::audit_events::insert(conn, &changed)?;
        }
        changes.publisher_ids = match &listed {
            Some(Some(names)) => {
                Some(Some(Json(publishers_of!(queries, conn, caller, names, "/publisher_ids"))))
            }
            Some(None) => Some(None),
            None => None,
        };
        if let Some(names) = &blocked {
            changes.blocked_publisher_ids =
                Some(Json(publishers_of!(queries, conn, caller, names, "/blocked_publisher_ids")));
        }
        queries::advertisers::update(conn, &caller.partner, found.id, &changes)
    })?;
    Ok(web::Json(row.into()))
}

/// Archives an advertiser. It takes no part any more and leaves the lists; nothing is deleted. Set `status` to
/// bring it back.
#[utoipa::path(tag = "Advertisers", params(("id" = String, Path, description = "The advertiser's id, or `ext:` and your own.")),
    responses((status = 200, description = "The archived advertiser.", body = AdvertiserView)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[post("/advertisers/{id}/archive")]
pub async fn archive_advertiser(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<AdvertiserView>> {
    let id = named_in_path(&id)?;
    let now = state.clock.now();
    let row = db_write!(&state.store, |queries, conn| queries::advertisers::archive(
        conn,
        &caller.partner,
        &id,
        now
    ))?;
    Ok(web::Json(row.into()))
}
