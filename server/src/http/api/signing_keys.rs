//! Signing keys and tokens: what postbacks prove themselves with. A secret is shown once, when the key is made.

use std::net::IpAddr;

use actix_web::{HttpResponse, get, patch, post, web};
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::{
    audit_events::event,
    id_in_path,
    signing_key_views::{
        CreateSigningKey, NewSigningKeyView, RotateSigningKey, RotatedSigningKeyView, SigningKeyView,
        UpdateSigningKey,
    },
};
use crate::{
    clock,
    db::{
        db_read, db_write,
        list::Listing,
        rows::accounts::{SigningKey, SigningKeyChanges},
        sql_types::Json,
    },
    domain::{
        api_key::TokenText,
        audit::AuditAction,
        code::Code,
        ids::{AdvertiserId, Id, KeyId, Reference},
        refusal::Refusal,
        scopes::Scope,
        signature::SigningSecret,
        signing::KeyKind,
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

/// How long a key that was rotated goes on working, in seconds.
const USUAL_GRACE_SECONDS: i64 = 48 * 3_600;
const LONGEST_GRACE_SECONDS: i64 = 30 * 86_400;
const MOST_ALLOWED_IPS: usize = 100;

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

/// Creates a signing key or a static token. The answer holds its secret: the only time it is shown.
#[utoipa::path(tag = "Signing keys", request_body = CreateSigningKey,
    responses((status = 201, description = "The new key, with its secret.", body = NewSigningKeyView)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "not_found", "unsupported_media_type", "payload_too_large"]))))]
#[post("/signing-keys")]
pub async fn create_signing_key(
    caller: Caller,
    Body(body): Body<CreateSigningKey>,
    state: web::Data<State>,
) -> Result<HttpResponse> {
    let now = state.clock.now();
    let mut fields = Fields::default();
    let name = fields.required("/name", body.name, read::name);
    let kind = body.kind.unwrap_or_else(|| KeyKind::Signature.to_string());
    let kind = fields.optional("/kind", Some(kind), read::word(KeyKind::ALL, KeyKind::parse));
    let scopes = body.scopes.unwrap_or_else(|| vec![Scope::ConversionsWrite.to_string()]);
    let scopes = fields.optional("/scopes", Some(scopes), read_scopes);
    let advertisers = body.advertiser_ids.unwrap_or_default();
    let advertisers = fields.optional("/advertiser_ids", Some(advertisers), read_advertisers);
    let allowed_ips = fields.optional("/allowed_ips", Some(body.allowed_ips.unwrap_or_default()), read_ips);
    let expires_at = fields.optional("/expires_at", body.expires_at, |text| read_end(text, now));
    if kind == Some(KeyKind::Token) {
        check_token(&mut fields, scopes.as_deref(), advertisers.as_deref());
    }
    let (draft, advertisers) = fields.finish(|| {
        let draft = SigningKey {
            partner_id: caller.partner.id(),
            id: state.clock.new_id(),
            name: name?,
            secret_sealed: Vec::new(),
            scopes: Json(scopes?),
            advertiser_ids: Json(Vec::new()),
            created_at: now,
            revoked_at: None,
            kind: kind?,
            token_hash: None,
            test: body.test.unwrap_or_default(),
            allowed_ips: Json(allowed_ips?),
            expires_at,
            last_used_at: None,
        };
        Some((draft, advertisers?))
    })?;
    let (mut row, secret) = with_secret(&state, draft)?;
    let for_audit = state.clone();
    let row = db_write!(&state.store, |queries, conn| {
        for (position, name) in advertisers.iter().enumerate() {
            let advertiser = queries::advertisers::find(conn, &caller.partner, name)?;
            row.advertiser_ids.0.push(named(advertiser, &format!("/advertiser_ids/{position}"))?.id);
        }
        queries::signing_keys::insert(conn, &row)?;
        let made = event(&for_audit, &caller, AuditAction::SigningKeyCreated, row.id, powers(&row));
        queries::audit_events::insert(conn, &made)?;
        Ok::<_, Error>(row)
    })?;
    Ok(HttpResponse::Created().json(NewSigningKeyView { key: SigningKeyView::new(row, &state), secret }))
}

/// A token is weak: it speaks for one advertiser, and decides nothing.
fn check_token(
    fields: &mut Fields,
    scopes: Option<&[String]>,
    advertisers: Option<&[Reference<AdvertiserId>]>,
) {
    if advertisers.is_some_and(|advertisers| advertisers.len() != 1) {
        fields.error("/advertiser_ids", "must name exactly one advertiser for a token");
    }
    if scopes.is_some_and(|scopes| scopes != [Scope::ConversionsWrite.as_str()]) {
        fields.error("/scopes", format!("must be `{}` alone for a token", Scope::ConversionsWrite));
    }
}

/// Gives a key a fresh secret, and returns it as it is shown.
fn with_secret(state: &State, mut key: SigningKey) -> Result<(SigningKey, String)> {
    if key.kind == KeyKind::Token {
        let token = TokenText::new(key.id, clock::random());
        key.token_hash = Some(token.hash().to_vec());
        return Ok((key, token.reveal().to_owned()));
    }
    let secret = SigningSecret::from_bytes(&clock::random::<32>())
        .ok_or_else(|| Error::Internal("32 bytes are no secret".into()))?;
    key.secret_sealed = secret.seal(&state.master_key, key.partner_id, key.id, clock::random());
    Ok((key, secret.reveal()))
}

/// What a key may do, for the audit log.
fn powers(key: &SigningKey) -> serde_json::Value {
    json!({
        "name": key.name, "kind": key.kind, "scopes": key.scopes, "advertiser_ids": key.advertiser_ids,
        "allowed_ips": key.allowed_ips, "test": key.test, "expires_at": key.expires_at,
    })
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

/// Addresses and networks, each as it is kept.
fn read_ips(list: Vec<String>) -> Result<Vec<String>, String> {
    if list.len() > MOST_ALLOWED_IPS {
        return Err(format!("has {} entries; at most {MOST_ALLOWED_IPS} are taken", list.len()));
    }
    list.iter().map(|text| read_ip(text).map(|network| network.trunc().to_string())).collect()
}

fn read_ip(text: &str) -> Result<IpNet, String> {
    let network: Option<IpNet> =
        text.parse().ok().or_else(|| text.parse().ok().map(|address: IpAddr| address.to_canonical().into()));
    network.ok_or_else(|| {
        let shown: String = text.chars().take(60).collect();
        format!("`{shown}` is neither an address such as 192.0.2.7 nor a network such as 2001:db8::/32")
    })
}

fn read_end(text: String, now: Timestamp) -> Result<Timestamp, String> {
    let end = read::time(text)?;
    if end > now { Ok(end) } else { Err("is in the past".to_owned()) }
}

fn read_grace(seconds: i64) -> Result<i64, String> {
    let fits = (0..=LONGEST_GRACE_SECONDS).contains(&seconds);
    if fits {
        Ok(seconds)
    } else {
        Err(format!("must be a number of seconds from 0 to {LONGEST_GRACE_SECONDS}"))
    }
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
    let view = |row| SigningKeyView::new(row, &state);
    Ok(web::Json(list.page(rows, limit, |row| *row.id.bytes(), view)))
}

/// Returns a signing key. Its secret is not shown.
#[utoipa::path(tag = "Signing keys", params(("id" = String, Path, description = "The key's id.")),
    responses((status = 200, description = "The key.", body = SigningKeyView)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[get("/signing-keys/{id}")]
pub async fn get_signing_key(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<SigningKeyView>> {
    let id = id_in_path(&id)?;
    let row = db_read!(&state.store, |queries, conn| queries::signing_keys::get(conn, &caller.partner, id))?;
    Ok(web::Json(SigningKeyView::new(row, &state)))
}

/// Changes a signing key's name, or where it works. What is left out stays as it is; what it may do cannot be changed.
#[utoipa::path(tag = "Signing keys", params(("id" = String, Path, description = "The key's id.")),
    request_body = UpdateSigningKey,
    responses((status = 200, description = "The key as it is now.", body = SigningKeyView)),
    extensions(("x-codes" = json!(["malformed", "not_found", "validation_failed", "unsupported_media_type", "payload_too_large"]))))]
#[patch("/signing-keys/{id}")]
pub async fn update_signing_key(
    caller: Caller,
    id: web::Path<String>,
    Body(body): Body<UpdateSigningKey>,
    state: web::Data<State>,
) -> Result<web::Json<SigningKeyView>> {
    let id: KeyId = id_in_path(&id)?;
    let mut fields = Fields::default();
    let name = fields.optional("/name", body.name, read::name);
    let allowed_ips = fields.optional("/allowed_ips", body.allowed_ips, read_ips).map(Json);
    let changes = fields.finish(|| Some(SigningKeyChanges { name, allowed_ips, expires_at: None }))?;
    let details = json!({"name": changes.name, "allowed_ips": changes.allowed_ips});
    let changed = event(&state, &caller, AuditAction::SigningKeyUpdated, id, details);
    let row = db_write!(&state.store, |queries, conn| {
        let found = queries::signing_keys::get(conn, &caller.partner, id)?;
        if changes.name.is_none() && changes.allowed_ips.is_none() {
            return Ok(found);
        }
        queries::audit_events::insert(conn, &changed)?;
        queries::signing_keys::update(conn, &caller.partner, id, &changes)
    })?;
    Ok(web::Json(SigningKeyView::new(row, &state)))
}

/// Rotates a signing key. Makes a new one with the same powers, and lets the old one work for a grace time, so that
/// nothing is lost while its users change over. The answer holds the new secret: the only time it is shown.
#[utoipa::path(tag = "Signing keys", params(("id" = String, Path, description = "The old key's id.")),
    request_body = RotateSigningKey,
    responses((status = 201, description = "The new key, with its secret, and the old one.", body = RotatedSigningKeyView)),
    extensions(("x-codes" = json!(["malformed", "not_found", "validation_failed", "unsupported_media_type", "payload_too_large"]))))]
#[post("/signing-keys/{id}/rotate")]
pub async fn rotate_signing_key(
    caller: Caller,
    id: web::Path<String>,
    Body(body): Body<RotateSigningKey>,
    state: web::Data<State>,
) -> Result<HttpResponse> {
    let id: KeyId = id_in_path(&id)?;
    let now = state.clock.now();
    let mut fields = Fields::default();
    let grace = Some(body.grace_seconds.unwrap_or(USUAL_GRACE_SECONDS));
    let grace = fields.optional("/grace_seconds", grace, read_grace);
    let end = now.plus_seconds(fields.finish(|| grace)?);
    let rotation = state.clone();
    let (new, secret, replaced) = db_write!(&state.store, |queries, conn| {
        let old = queries::signing_keys::get(conn, &caller.partner, id)?;
        if !old.is_live(now) {
            return Err(no_longer_live());
        }
        let end = old.expires_at.map_or(end, |before| before.min(end));
        let successor = SigningKey {
            id: rotation.clock.new_id(),
            created_at: now,
            token_hash: None,
            expires_at: None,
            last_used_at: None,
            ..old
        };
        let (new, secret) = with_secret(&rotation, successor)?;
        queries::signing_keys::insert(conn, &new)?;
        let changes = SigningKeyChanges { name: None, allowed_ips: None, expires_at: Some(Some(end)) };
        let replaced = queries::signing_keys::update(conn, &caller.partner, id, &changes)?;
        let details = json!({"replaced_by": new.id, "expires_at": end});
        let rotated = event(&rotation, &caller, AuditAction::SigningKeyRotated, id, details);
        queries::audit_events::insert(conn, &rotated)?;
        Ok::<_, Error>((new, secret, replaced))
    })?;
    let new = NewSigningKeyView { key: SigningKeyView::new(new, &state), secret };
    let replaced = SigningKeyView::new(replaced, &state);
    Ok(HttpResponse::Created().json(RotatedSigningKeyView { new, replaced }))
}

fn no_longer_live() -> Error {
    let detail = "The key is revoked, or has come to its end: make a new one.";
    Refusal::new(Code::ValidationFailed, detail).hint("Create a new signing key.").into()
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
    let id: KeyId = id_in_path(&id)?;
    let now = state.clock.now();
    let revoked = event(&state, &caller, AuditAction::SigningKeyRevoked, id, json!({}));
    let row = db_write!(&state.store, |queries, conn| {
        let found = queries::signing_keys::get(conn, &caller.partner, id)?;
        if found.revoked_at.is_some() {
            return Ok(found);
        }
        queries::audit_events::insert(conn, &revoked)?;
        queries::signing_keys::revoke(conn, &caller.partner, id, now)
    })?;
    Ok(web::Json(SigningKeyView::new(row, &state)))
}
