//! Who calls the REST API: an API key in `Authorization: Bearer`. Having a [`Caller`] is the permission.

use std::{future::Future, pin::Pin};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header::AUTHORIZATION, web::Data,
};

use super::{State, transport::Transport};
use crate::{
    db::{db_read, scope::PartnerScope},
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

/// A caller that records what has happened, and changes no set-up: nothing has to be forgotten after it.
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
            let Caller { partner, key } = authenticate(&request).await?;
            Ok(Self { partner, key })
        })
    }
}

/// Finds out who calls.
pub async fn authenticate(request: &HttpRequest) -> Result<Caller> {
    let state =
        request.app_data::<Data<State>>().ok_or_else(|| Error::Internal("there is no state".into()))?;
    Transport::of(request, &state.trusted_proxies).require_private()?;
    let text = bearer(request)?;
    let key = ApiKeyText::parse(text).ok_or_else(|| Refusal::of(Code::ApiKeyInvalid))?;
    let id = key.id();
    let row = db_read!(&state.store, |queries, conn| queries::api_keys::find_any(conn, id))?;
    let row = row.filter(|row| key.matches(&row.secret_hash) && row.revoked_at.is_none());
    let row = row.ok_or_else(|| Refusal::of(Code::ApiKeyInvalid))?;
    Ok(Caller { partner: PartnerScope::established(row.partner_id), key: row.id })
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
