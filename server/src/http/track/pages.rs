//! The two pages that a visitor may see here. They say nothing about anybody's set-up.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};

/// There is no such link.
pub fn not_found() -> HttpResponse {
    page(StatusCode::NOT_FOUND, "Not found", "There is nothing at this address.")
}

/// There is such a link, and nowhere to go.
pub fn gone() -> HttpResponse {
    page(StatusCode::GONE, "No longer available", "This offer is not available.")
}

/// The click cannot be recorded right now.
pub fn unavailable() -> HttpResponse {
    let mut response =
        page(StatusCode::SERVICE_UNAVAILABLE, "Please try again", "This will only take a moment.");
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    response
}

fn page(status: StatusCode, title: &str, text: &str) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'"))
        .body(format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1><p>{text}"
        ))
}
