//! Signing keys: what postbacks are signed with. A secret is shown once, when the key is made.

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::id_in_path;
use crate::{
    clock,
    db::{db_read, db_write, list::Listing, rows::accounts::SigningKey, sql_types::Json},
    domain::{
        ids::{AdvertiserId, Id, KeyId, Reference},
        scopes::Scope,
        signature::SigningSecret,
        time::Timestamp,
    },
    error::{Error, Result},
    http::{
        State,
        body::Body,
        caller::Caller,
        fields::{Fields, named, read},
        page::{ListName, Page, limit},
    },
};

/// A new signing key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Shop back end", "advertiser_ids": ["adv_01kayw5m8hfz2v6y0t3n7r9q4c"]})))]
pub struct CreateSigningKey {
    /// A name for people, 1 to 200 characters.
    #[schema(required, value_type = String)]
    name: Option<String>,
    /// The advertisers it speaks for: ids, or `ext:` and your own. Empty or absent: all of yours.
    advertiser_ids: Option<Vec<String>>,
    /// What it may do; `conversions:write` alone by default.
    #[schema(value_type = Option<Vec<Scope>>)]
    scopes: Option<Vec<String>>,
}

/// A signing key.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"id": "key_01kayw5m8hfz2v6y0t3n7r9q4c", "name": "Shop back end", "advertiser_ids": ["adv_01kayw5m8hfz2v6y0t3n7r9q4c"], "scopes": ["conversions:write"], "created_at": "2026-11-22T10:00:00Z", "revoked_at": null})))]
pub struct SigningKeyView {
    /// Its id: what `X-Key-Id` says.
    id: KeyId,
    /// A name for people.
    name: String,
    /// The advertisers it speaks for; empty: all of yours.
    advertiser_ids: Vec<AdvertiserId>,
    /// What it may do.
    #[schema(value_type = Vec<Scope>)]
    scopes: Vec<String>,
    /// When it was made.
    created_at: Timestamp,
    /// When it was revoked; null while it is live.
    revoked_at: Option<Timestamp>,
}

/// A signing key with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"id": "key_01kayw5m8hfz2v6y0t3n7r9q4c", "name": "Shop back end", "advertiser_ids": [], "scopes": ["conversions:write"], "created_at": "2026-11-22T10:00:00Z", "revoked_at": null, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="})))]
pub struct NewSigningKeyView {
    /// The key.
    #[serde(flatten)]
    key: SigningKeyView,
    /// The secret to sign with. It cannot be shown again.
    secret: String,
}

impl From<SigningKey> for SigningKeyView {
    fn from(row: SigningKey) -> Self {
        Self {
            id: row.id,
            name: row.name,
            advertiser_ids: row.advertiser_ids.0,
            scopes: row.scopes.0,
            created_at: row.created_at,
            revoked_at: row.revoked_at,
        }
    }
}

/// Which signing keys.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListSigningKeys {
    /// How many, 1 to 100; 25 by default.
    #[param(minimum = 1, maximum = 100, default = 25)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Creates a signing key. The answer holds its secret: the only time it is shown.
#[utoipa::path(tag = "Signing keys", request_body = CreateSigningKey,
    responses((status = 201, description = "The new key, with its secret.", body = NewSigningKeyView)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "not_found", "unsupported_media_type", "payload_too_large"]))))]
#[post("/signing-keys")]
pub async fn create_signing_key(
    caller: Caller,
    Body(body): Body<CreateSigningKey>,
    state: web::Data<State>,
) -> Result<HttpResponse> {
    let mut fields = Fields::default();
    let name = fields.required("/name", body.name, read::name);
    let scopes = body.scopes.unwrap_or_else(|| vec![Scope::ConversionsWrite.to_string()]);
    let scopes = fields.optional("/scopes", Some(scopes), read_scopes);
    let advertisers = body.advertiser_ids.unwrap_or_default();
    let advertisers = fields.optional("/advertiser_ids", Some(advertisers), read_advertisers);
    let (name, scopes, advertisers) = fields.finish(|| Some((name?, scopes?, advertisers?)))?;

    let secret = SigningSecret::from_bytes(&clock::random::<32>())
        .ok_or_else(|| Error::Internal("32 bytes are no secret".into()))?;
    let id: KeyId = state.clock.new_id();
    let mut row = SigningKey {
        partner_id: caller.partner.id(),
        id,
        name,
        secret_sealed: secret.seal(&state.master_key, caller.partner.id(), id, clock::random()),
        scopes: Json(scopes),
        advertiser_ids: Json(Vec::new()),
        created_at: state.clock.now(),
        revoked_at: None,
    };
    let row = db_write!(&state.store, |queries, conn| {
        for (position, name) in advertisers.iter().enumerate() {
            let advertiser = queries::advertisers::find(conn, &caller.partner, name)?;
            row.advertiser_ids.0.push(named(advertiser, &format!("/advertiser_ids/{position}"))?.id);
        }
        queries::signing_keys::insert(conn, &row)?;
        Ok::<_, Error>(row)
    })?;
    Ok(HttpResponse::Created().json(NewSigningKeyView { key: row.into(), secret: secret.reveal() }))
}

fn read_scopes(words: Vec<String>) -> Result<Vec<String>, String> {
    if words.is_empty() {
        return Err("must name at least one scope".to_owned());
    }
    words
        .into_iter()
        .map(|word| read::word(Scope::ALL, Scope::parse)(word).map(|scope| scope.to_string()))
        .collect()
}

fn read_advertisers(names: Vec<String>) -> Result<Vec<Reference<AdvertiserId>>, String> {
    names.iter().map(|name| Reference::parse(name)).collect()
}

/// Lists signing keys, newest first, revoked ones included. Secrets are not shown.
#[utoipa::path(tag = "Signing keys", params(ListSigningKeys),
    responses((status = 200, description = "A page of signing keys.", body = Page<SigningKeyView>)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "cursor_invalid"]))))]
#[get("/signing-keys")]
pub async fn list_signing_keys(
    caller: Caller,
    query: web::Query<ListSigningKeys>,
    state: web::Data<State>,
) -> Result<web::Json<Page<SigningKeyView>>> {
    let list = ListName::new(&state, &caller.partner, "signing_keys", &());
    let mut fields = Fields::default();
    let limit = fields.optional("limit", Some(query.limit), limit);
    let limit = fields.finish(|| limit)?;
    let listing = Listing { after: list.read(query.cursor.as_deref())?, limit, ..Listing::default() };
    let rows =
        db_read!(&state.store, |queries, conn| queries::signing_keys::list(conn, &caller.partner, &listing))?;
    Ok(web::Json(list.page(rows, limit, |row| *row.id.bytes(), SigningKeyView::from)))
}

/// Revokes a signing key. What it signs is refused from now on. Revoking it again changes nothing.
#[utoipa::path(tag = "Signing keys", params(("id" = String, Path, description = "The key's id.")),
    responses((status = 200, description = "The revoked key.", body = SigningKeyView)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[post("/signing-keys/{id}/revoke")]
pub async fn revoke_signing_key(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<SigningKeyView>> {
    let id = id_in_path(&id)?;
    let now = state.clock.now();
    let row = db_write!(&state.store, |queries, conn| {
        queries::signing_keys::revoke(conn, &caller.partner, id, now)
    })?;
    Ok(web::Json(row.into()))
}
