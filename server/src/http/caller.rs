//! Who calls the REST API: an API key in `Authorization: Bearer`. Having a [`Caller`] is the permission.

use std::{future::Future, pin::Pin, sync::Arc};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header::AUTHORIZATION, web::Data,
};

use super::{State, head::Head, transport::Transport};
use crate::{
    cache::Asked,
    db::{rows::accounts::ApiKey, scope::PartnerScope},
    domain::{api_key::ApiKeyText, code::Code, ids::ApiKeyId, refusal::Refusal},
    error::{Error, Result},
};

/// An authenticated caller.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// Whose things it may see and change.
    pub partner: PartnerScope,
    /// The key it has shown.
    pub key: ApiKeyId,
}

impl FromRequest for Caller {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let caller = authenticate(&request).await?;
            request.extensions_mut().insert(caller.partner);
            Ok(caller)
        })
    }
}

/// A caller that records what has happened, and changes no set-up: nothing has to be forgotten after it. It can be one
/// that was known before the database went away.
#[derive(Clone, Copy, Debug)]
pub struct Recorder {
    /// For whom it records.
    pub partner: PartnerScope,
    /// The key it has shown.
    pub key: ApiKeyId,
}

impl FromRequest for Recorder {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            match ask(&request).await? {
                Asked::Now(key) => accept(key),
                Asked::Earlier(key) => accept(Some(key)),
            }
            .map(|Caller { partner, key }| Self { partner, key })
        })
    }
}

/// Finds out who calls.
pub async fn authenticate(request: &HttpRequest) -> Result<Caller> {
    match ask(request).await? {
        Asked::Now(key) => accept(key),
        Asked::Earlier(_) => Err(Error::Unavailable("the database is away".into())),
    }
}

/// Looks the key up that a caller shows; of one whose secret is another one, nothing is known.
async fn ask(request: &HttpRequest) -> Result<Asked<ApiKey>> {
    let state =
        request.app_data::<Data<State>>().ok_or_else(|| Error::Internal("there is no state".into()))?;
    Transport::of(&Head::of(request), &state.trusted_proxies).require_private()?;
    let shown = ApiKeyText::parse(bearer(request)?).ok_or_else(|| Refusal::of(Code::ApiKeyInvalid))?;
    let is_shown = |key: &Arc<ApiKey>| shown.matches(&key.secret_hash);
    Ok(match state.cache.api_key(&state.store, shown.id()).await? {
        Asked::Now(key) => Asked::Now(key.filter(is_shown)),
        Asked::Earlier(key) if is_shown(&key) => Asked::Earlier(key),
        Asked::Earlier(_) => Asked::Now(None),
    })
}

fn accept(key: Option<Arc<ApiKey>>) -> Result<Caller> {
    let key = key.filter(|key| key.revoked_at.is_none()).ok_or_else(|| Refusal::of(Code::ApiKeyInvalid))?;
    Ok(Caller { partner: PartnerScope::established(key.partner_id), key: key.id })
}

fn bearer(request: &HttpRequest) -> Result<&str, Refusal> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = header.and_then(|text| text.split_once(' ')).unwrap_or_default();
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(token.trim())
    } else {
        Err(Refusal::of(Code::ApiKeyMissing))
    }
}
