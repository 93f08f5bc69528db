//! Who may call what, as the document says it.

use utoipa::openapi::{
    Components, HttpMethod, SecurityRequirement,
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use super::Place;

const API_KEY: &str = "api_key";
const SIGNATURE: &str = "signature";
const SIGNED_QUERY: &str = "signed_query";
const POSTBACK: &str = "/v1/postback";
const CONVERSIONS: &str = "/v1/conversions";
const BATCH: &str = "/v1/conversions/batch";
const ADJUSTMENTS: &str = "/v1/adjustments";
const ADJUSTMENT_BATCH: &str = "/v1/adjustments/batch";

/// What a caller has to show.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Open,
    /// An API key.
    ApiKey,
    /// A signature in headers.
    Signature,
    /// A signature in headers, of an adjustment.
    SignedAdjustment,
    /// A signature at the end of the query.
    SignedQuery,
}

/// What the operation at a place asks for.
pub fn access(place: &Place) -> Access {
    match (place.path, &place.method) {
        (POSTBACK, HttpMethod::Get) => Access::SignedQuery,
        (POSTBACK | CONVERSIONS | BATCH, HttpMethod::Post) => Access::Signature,
        (ADJUSTMENTS | ADJUSTMENT_BATCH, HttpMethod::Post) => Access::SignedAdjustment,
        _ if place.has_tag("Tracking") || place.has_tag("Health") => Access::Open,
        _ => Access::ApiKey,
    }
}

/// Says at an operation what it asks for, to programs and to people.
pub fn require(place: &mut Place) {
    let (scheme, words) = match access(place) {
        Access::Open => (None, "Needs no credentials."),
        Access::ApiKey => (Some(API_KEY), "Needs an API key."),
        Access::Signature | Access::SignedAdjustment => {
            (Some(SIGNATURE), "Needs a signing key's signature, in headers.")
        }
        Access::SignedQuery => (Some(SIGNED_QUERY), "Needs a signing key's signature, in the query."),
    };
    let own = place.operation.description.take();
    place.operation.description =
        Some(own.into_iter().chain([words.to_owned()]).collect::<Vec<_>>().join("\n\n"));
    let requirement = scheme.map(|scheme| SecurityRequirement::new::<_, [&str; 0], _>(scheme, []));
    place.operation.security = Some(requirement.into_iter().collect());
}

/// Describes the ways to authenticate.
pub fn add_schemes(components: &mut Components) {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key of a partner: `Authorization: Bearer tbk_...`."))
        .build();
    let header = ApiKeyValue::with_description(
        "webhook-signature",
        "Standard Webhooks: `v1,` and the base64 of HMAC-SHA-256 over `{webhook-id}.{webhook-timestamp}.{body}`, under \
         the secret of the signing key that `X-Key-Id` names. Several signatures, with spaces between them, are \
         taken; one must fit.",
    );
    let query = ApiKeyValue::with_description(
        "sig",
        "The last parameter, after `key_id` and `ts`: HMAC-SHA-256, in lower-case hexadecimal, over `GET`, the path \
         and the raw query up to but without `&sig=`, with a line feed between them, under the secret of the signing \
         key that `key_id` names.",
    );
    components.add_security_scheme(API_KEY, SecurityScheme::Http(bearer));
    components.add_security_scheme(SIGNATURE, SecurityScheme::ApiKey(ApiKey::Header(header)));
    components.add_security_scheme(SIGNED_QUERY, SecurityScheme::ApiKey(ApiKey::Query(query)));
}
