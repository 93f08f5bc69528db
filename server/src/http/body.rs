//! Request bodies: bounded, of the content type that is expected, read as a whole.

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header::CONTENT_TYPE, web::Bytes};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use crate::{
    domain::{code::Code, refusal::Refusal},
    error::{Error, Result},
};

/// The largest body that is read.
pub const LARGEST_BYTES: usize = 64 * 1024;

/// A JSON body.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Body<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            require_type(&request, "application/json")?;
            let bytes = read(&mut payload).await?;
            let parsed = serde_json::from_slice(&bytes);
            let fault = |error| Refusal::new(Code::Malformed, format!("The body does not fit: {error}."));
            Ok(Self(parsed.map_err(fault)?))
        })
    }
}

/// Refuses a body of another type.
pub fn require_type(request: &HttpRequest, wanted: &str) -> Result<(), Refusal> {
    let header =
        request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let sent = header.split(';').next().unwrap_or_default().trim();
    if sent.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    let sent = if sent.is_empty() { "no Content-Type" } else { "another Content-Type" };
    Err(Refusal::new(
        Code::UnsupportedMediaType,
        format!("Send `Content-Type: {wanted}`; this came with {sent}."),
    ))
}

/// Reads a whole body, up to the bound.
pub async fn read(payload: &mut Payload) -> Result<Bytes, Refusal> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Refusal::new(Code::Malformed, "The body did not arrive whole."))?;
        if body.len() + chunk.len() > LARGEST_BYTES {
            return Err(Refusal::of(Code::PayloadTooLarge));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}
