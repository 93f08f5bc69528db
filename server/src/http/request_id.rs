//! One id per request: in a header of every answer, in every problem document, in every log line.

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
    middleware::Next,
};

use crate::clock;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request that is being answered; none outside of one.
pub fn current() -> Option<String> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Gives each request an id, and sends it back.
pub async fn with_request_id(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = format!("req_{:032x}", u128::from_be_bytes(clock::random()));
    let value = HeaderValue::from_str(&id).expect("hexadecimal digits are a header value");
    let mut response = CURRENT.scope(id, next.call(request)).await?;
    response.headers_mut().insert(HEADER, value);
    Ok(response)
}
