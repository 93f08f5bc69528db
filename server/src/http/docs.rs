//! The documentation that the server serves: the OpenAPI document, the reference made from it, the table of codes.
//! Nothing here makes a browser talk to anybody but this server.

pub mod outcomes;

use std::sync::LazyLock;

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
    web::{self, Bytes, ServiceConfig},
};
use aws_lc_rs::digest;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use super::openapi;
use crate::error::Error;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT_URL: &str = "/docs/scalar.js";

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| openapi::json().into());
static REFERENCE: LazyLock<Page> = LazyLock::new(reference_page);
static SCRIPT: LazyLock<Option<Bytes>> =
    LazyLock::new(|| scalar_api_reference::get_asset("scalar.js").map(Bytes::from));
static OUTCOMES: LazyLock<Page> = LazyLock::new(outcomes::page);

/// A page, and what it may do.
struct Page {
    html: Bytes,
    policy: String,
}

/// Registers the pages. They are not part of the API that they describe.
pub fn configure(config: &mut ServiceConfig) {
    config
        .route("/openapi.json", web::get().to(document))
        .route("/docs", web::get().to(reference))
        .route(SCRIPT_URL, web::get().to(script))
        .route("/docs/outcomes", web::get().to(outcomes));
}

async fn document() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(DOCUMENT.clone())
}

async fn reference() -> HttpResponse {
    show(&REFERENCE)
}

async fn outcomes() -> HttpResponse {
    show(&OUTCOMES)
}

async fn script() -> Result<HttpResponse, Error> {
    let script =
        SCRIPT.clone().ok_or_else(|| Error::Internal("the script of the reference is missing".into()))?;
    Ok(HttpResponse::Ok()
        .content_type("text/javascript; charset=utf-8")
        .insert_header((CACHE_CONTROL, "public, max-age=86400"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(script))
}

fn show(page: &Page) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(HTML)
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, page.policy.as_str()))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(page.html.clone())
}

/// Scalar's page. What would speak to Scalar's own servers is off, and the policy would stop it.
fn reference_page() -> Page {
    let html = scalar_api_reference::scalar_html(&settings(), Some(SCRIPT_URL))
        .replace("<html>", "<html lang=\"en\">")
        .replace(
            "<title>Scalar API Reference</title>",
            "<link rel=\"icon\" href=\"data:,\"><title>Tallyback API</title>",
        );
    // Scalar sets styles from its script, so they cannot be listed by their hashes.
    let policy = format!(
        "default-src 'none'; script-src 'self' {}; style-src 'unsafe-inline'; img-src 'self' data:; \
         font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(between(&html, "<script>", "</script>"))
    );
    Page { html: html.into(), policy }
}

fn settings() -> Value {
    json!({
        "url": "/openapi.json",
        "withDefaultFonts": false,
        "telemetry": false,
        "agent": {"disabled": true},
        "mcp": {"disabled": true},
        "hideClientButton": true,
        "showDeveloperTools": "never",
        "persistAuth": false,
    })
}

/// The source expression that allows an inline script or style (CSP Level 3, section 2.3.1).
fn hash(inline: &str) -> String {
    let digest = digest::digest(&digest::SHA256, inline.as_bytes());
    format!("'sha256-{}'", BASE64_STANDARD.encode(digest))
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> &'a str {
    let rest = text.split_once(open).map_or("", |(_, rest)| rest);
    rest.split_once(close).map_or("", |(inner, _)| inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_loads_our_script_and_allows_its_own_start() {
        let html = String::from_utf8(REFERENCE.html.to_vec()).unwrap();
        assert!(html.contains("<script src=\"/docs/scalar.js\">"), "{html}");
        assert!(html.contains("<link rel=\"icon\" href=\"data:,\"><title>Tallyback API</title>"), "{html}");
        assert!(!html.contains("://"), "a foreign address: {html}");
        assert!(between(&html, "<script>", "</script>").contains("createApiReference"), "{html}");
    }

    #[test]
    fn no_policy_names_a_foreign_host() {
        for page in [&*REFERENCE, &*OUTCOMES] {
            assert!(page.policy.starts_with("default-src 'none'; "), "{}", page.policy);
            assert!(!page.policy.contains("://") && !page.policy.contains('*'), "{}", page.policy);
        }
    }
}
