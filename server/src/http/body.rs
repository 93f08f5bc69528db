//! Request bodies: bounded, of the content type that is expected, read as a whole.

use std::{future::Future, pin::Pin, time::Duration};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue},
    web::{Bytes, Data},
};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use super::State;
use crate::{
    domain::{
        code::Code,
        refusal::{FieldError, Refusal},
    },
    error::{Error, Result},
};

/// The largest body that is read.
pub const LARGEST_BYTES: usize = 64 * 1024;
/// How long the rest of a request that is refused may still take to come in.
const MOMENT: Duration = Duration::from_millis(100);

/// A JSON body.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Body<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            require_type(request.headers(), "application/json")?;
            let longest = longest(&request)?;
            let bytes = read(&mut payload, longest).await?;
            Ok(Self(parse(&bytes)?))
        })
    }
}

/// A JSON body that may be left out.
pub struct OptionalBody<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest for OptionalBody<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let longest = longest(&request)?;
            let bytes = read(&mut payload, longest).await?;
            if bytes.is_empty() {
                return Ok(Self(T::default()));
            }
            require_type(request.headers(), "application/json")?;
            Ok(Self(parse(&bytes)?))
        })
    }
}

fn longest(request: &HttpRequest) -> Result<Duration> {
    let state = request.app_data::<Data<State>>();
    Ok(state.ok_or_else(|| Error::Internal("there is no state".into()))?.door.limits.body)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal::new(Code::Malformed, "The body is not a JSON object."));
    }
    serde_json::from_slice(bytes).map_err(|error| match serde_json::from_slice(bytes) {
        Ok(body) if error.is_data() => misfits::<T>(body, &error),
        _ => Refusal::new(Code::Malformed, format!("The body is not JSON: {error}.")),
    })
}

/// Every field that does not fit: each one found is taken out, until the rest fits.
fn misfits<T: DeserializeOwned>(mut body: Value, error: &serde_json::Error) -> Refusal {
    let mut errors = Vec::new();
    while let Err(fault) = serde_path_to_error::deserialize::<_, T>(&body) {
        let pointer: String = fault.path().iter().map(|segment| format!("/{segment}")).collect();
        if body.pointer(&pointer).is_none() || !remove(&mut body, &pointer) {
            break;
        }
        errors.push(FieldError::new(pointer, plain(&fault.inner().to_string())));
    }
    if errors.is_empty() {
        return Refusal::new(
            Code::Malformed,
            format!("The body does not fit: {}.", plain(&error.to_string())),
        );
    }
    Refusal::fields(Code::Malformed, errors)
}

fn remove(body: &mut Value, pointer: &str) -> bool {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return false };
    match body.pointer_mut(parent) {
        Some(Value::Object(members)) => members.remove(name).is_some(),
        Some(Value::Array(items)) => name
            .parse()
            .is_ok_and(|index: usize| index < items.len() && items.splice(index..=index, []).count() == 1),
        _ => false,
    }
}

/// What the parser says, without the names of our types and without a place in the text.
fn plain(message: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or(message);
    match message.split_once("expected struct ") {
        Some((start, _)) => format!("{start}expected an object"),
        None => message.replace("expected i64", "expected a whole number"),
    }
}

/// Refuses a body of another type, and one that would have to be unpacked.
pub fn require_type(headers: &HeaderMap, wanted: &str) -> Result<(), Refusal> {
    let is_packed = |value: &HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).any(is_packed) {
        let detail = "Bodies are taken as they are: send it without `Content-Encoding`.";
        return Err(Refusal::new(Code::UnsupportedMediaType, detail));
    }
    let header = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
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

/// Reads a whole body, up to the bounds of size and time.
pub async fn read(payload: &mut Payload, longest: Duration) -> Result<Bytes, Refusal> {
    read_up_to(LARGEST_BYTES, payload, longest).await
}

/// Reads a whole body of at most so many bytes.
pub async fn read_up_to(largest: usize, payload: &mut Payload, longest: Duration) -> Result<Bytes, Refusal> {
    let read = timeout(longest, read_whole(largest, payload)).await;
    read.unwrap_or_else(|_| Err(Refusal::of(Code::RequestTimeout)))
}

/// Takes what comes of a body that nobody wants, for a moment.
pub async fn discard(payload: &mut Payload) {
    // Whatever comes of it, the answer is the same.
    drop(read(payload, MOMENT).await);
}

async fn read_whole(largest: usize, payload: &mut Payload) -> Result<Bytes, Refusal> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Refusal::new(Code::Malformed, "The body did not arrive whole."))?;
        if body.len() + chunk.len() > largest {
            let detail = format!("The body is larger than {} KiB.", largest / 1024);
            return Err(Refusal::new(Code::PayloadTooLarge, detail));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}
