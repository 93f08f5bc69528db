//! Errors as problem documents (RFC 9457), the same for every route. The words of the log stay in the log.

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use serde_json::{Map, Value, json};

use super::request_id;
use crate::{
    domain::{answer::problem, code::Code, refusal::Refusal},
    error::Error,
};

/// The media type of problem documents.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// When to come back after "unavailable", in seconds.
const RETRY_AFTER_SECONDS: &str = "1";

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        status(code(self))
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::Refused(refusal) => respond(refusal.code, document(refusal)),
            Self::Unavailable(why) | Self::Contended(why) => {
                tracing::error!(why, request_id = request_id::current(), "unavailable");
                respond(Code::Unavailable, document(&Refusal::of(Code::Unavailable)))
            }
            Self::Internal(why) => {
                tracing::error!(why, request_id = request_id::current(), "internal error");
                respond(Code::Internal, document(&Refusal::of(Code::Internal)))
            }
        }
    }
}

fn code(error: &Error) -> Code {
    match error {
        Error::Refused(refusal) => refusal.code,
        Error::Unavailable(_) | Error::Contended(_) => Code::Unavailable,
        Error::Internal(_) => Code::Internal,
    }
}

/// The HTTP status of a code.
pub fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn document(refusal: &Refusal) -> Map<String, Value> {
    let mut document = problem(refusal.code, &refusal.detail);
    let hint = refusal.hint.as_deref().unwrap_or(refusal.code.what_to_do());
    document.insert("hint".to_owned(), json!(hint));
    if !refusal.errors.is_empty() {
        document.insert("errors".to_owned(), json!(refusal.errors));
    }
    document.extend(refusal.facts.clone());
    document
}

/// Answers with a problem document, or any document that is one at the same time.
pub fn respond(code: Code, mut document: Map<String, Value>) -> HttpResponse {
    document.insert("request_id".to_owned(), json!(request_id::current()));
    let mut response = HttpResponse::build(status(code));
    response.content_type(MEDIA_TYPE).insert_header((header::CACHE_CONTROL, "no-store"));
    if let Some(seconds) = document.get("retry_after_seconds").and_then(Value::as_i64) {
        response.insert_header((header::RETRY_AFTER, seconds));
    }
    if matches!(code, Code::Unavailable | Code::StorageFull) {
        response.insert_header((header::RETRY_AFTER, RETRY_AFTER_SECONDS));
    }
    if code.status() == 401 {
        response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
    }
    response.body(Value::Object(document).to_string())
}
