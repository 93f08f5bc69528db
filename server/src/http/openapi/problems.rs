//! The answers that an operation's codes stand for: one response per HTTP status, with an example per code.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::openapi::{
    Content, ContentBuilder, Header, HeaderBuilder, RefOr, Response,
    example::{Example, ExampleBuilder},
    extensions::Extensions,
    path::Operation,
    schema::{ObjectBuilder, Type},
};

use super::{
    Place, answers,
    security::{self, Access},
};
use crate::{
    domain::code::Code,
    http::{
        problem::MEDIA_TYPE,
        schemas::{self, PostbackAnswer, Problem},
    },
};

/// Where a handler lists the codes it can answer with.
pub const EXTENSION: &str = "x-codes";

const RETRY_AFTER: (&str, Type, &str) = ("Retry-After", Type::Integer, "When to send it again, in seconds.");
const RATE_LIMIT: (&str, Type, &str) = (
    "RateLimit",
    Type::String,
    "What is left (`r`) for how many seconds (`t`), of `reports` or of `wrong_signatures`.",
);
const RATE_LIMIT_POLICY: (&str, Type, &str) =
    ("RateLimit-Policy", Type::String, "How many (`q`) are taken in so many seconds (`w`).");

/// What anything behind an API key can answer.
const BEHIND_AN_API_KEY: &[Code] = &[
    Code::ApiKeyMissing,
    Code::ApiKeyInvalid,
    Code::HttpsRequired,
    Code::UriTooLong,
    Code::HeadersTooLarge,
    Code::Unavailable,
    Code::Internal,
];

/// What any report of a conversion can be answered with.
const REPORT: &[Code] = &[
    Code::Accepted,
    Code::AcceptedPending,
    Code::AcceptedOnHold,
    Code::AcceptedSpooled,
    Code::Validated,
    Code::Duplicate,
    Code::DuplicateConflict,
    Code::OrderAttributedElsewhere,
    Code::ClickIdMalformed,
    Code::ClickNotFound,
    Code::CustomerNotFound,
    Code::AdvertiserMismatch,
    Code::PublisherNotPermitted,
    Code::ClickPurged,
    Code::ClickExpired,
    Code::ConversionPrecedesClick,
    Code::ReportingDelayExceeded,
    Code::GoalMismatch,
    Code::GoalInactive,
    Code::GoalNotInCampaign,
    Code::ModeNotAllowed,
    Code::OrderIdRequired,
    Code::AmountRequired,
    Code::CurrencyRequired,
    Code::AmountInvalid,
    Code::CurrencyInvalid,
    Code::TimestampInMilliseconds,
    Code::EventInFuture,
    Code::Malformed,
    Code::NotFound,
    Code::UnresolvedMacro,
    Code::SignatureMissing,
    Code::SignatureInvalid,
    Code::TimestampOutOfTolerance,
    Code::ScopeMissing,
    Code::SourceIpNotAllowed,
    Code::HttpsRequired,
    Code::UriTooLong,
    Code::HeadersTooLarge,
    Code::RateLimited,
    Code::Unavailable,
    Code::StorageFull,
    Code::Internal,
];

/// What any adjustment can be answered with.
const ADJUSTMENT: &[Code] = &[
    Code::Adjusted,
    Code::AdjustedNothing,
    Code::Validated,
    Code::Duplicate,
    Code::ConversionNotFound,
    Code::TransitionNotAllowed,
    Code::AdjustmentConflict,
    Code::GoalMismatch,
    Code::AmountRequired,
    Code::CurrencyRequired,
    Code::AmountInvalid,
    Code::CurrencyInvalid,
    Code::Malformed,
    Code::NotFound,
    Code::UnresolvedMacro,
    Code::SignatureMissing,
    Code::SignatureInvalid,
    Code::TimestampOutOfTolerance,
    Code::ScopeMissing,
    Code::SourceIpNotAllowed,
    Code::HttpsRequired,
    Code::UriTooLong,
    Code::HeadersTooLarge,
    Code::RateLimited,
    Code::Unavailable,
    Code::Internal,
];

/// Turns the codes of an operation into responses. Words that are no code are left to the test to find.
pub fn document(place: &mut Place) {
    let access = security::access(place);
    let mut codes = listed(place.operation);
    codes.extend(common(access));
    // A body that may be too large may be too slow.
    if codes.contains(&Code::PayloadTooLarge) {
        codes.push(Code::RequestTimeout);
    }
    add_words(place.operation, &codes);
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    codes.into_iter().for_each(|code| by_status.entry(code.status()).or_default().push(code));
    for (status, codes) in by_status {
        respond(place.operation, status, &codes, access);
    }
}

/// What every operation of a kind can answer; its handler lists the rest.
fn common(access: Access) -> &'static [Code] {
    match access {
        Access::Open => &[],
        Access::ApiKey => BEHIND_AN_API_KEY,
        Access::SignedAdjustment => ADJUSTMENT,
        Access::Signature | Access::SignedQuery => REPORT,
    }
}

/// The codes that a handler lists.
fn listed(operation: &Operation) -> Vec<Code> {
    let words =
        operation.extensions.as_ref().and_then(|all| all.get(EXTENSION)).and_then(|list| list.as_array());
    let code = |word: &str| Code::ALL.iter().find(|code| code.as_str() == word).copied();
    words.into_iter().flatten().filter_map(|word| code(word.as_str()?)).collect()
}

/// Adds the codes that a handler leaves to us; its own words stay, even those that are no code.
fn add_words(operation: &mut Operation, codes: &[Code]) {
    let list = operation.extensions.get_or_insert_with(Extensions::default).entry(EXTENSION.to_owned());
    let Some(words) = list.or_insert_with(|| json!([])).as_array_mut() else { return };
    let missing = codes.iter().map(|code| json!(code.as_str())).filter(|word| !words.contains(word));
    let missing: Vec<_> = missing.collect();
    words.extend(missing);
}

fn respond(operation: &mut Operation, status: u16, codes: &[Code], access: Access) {
    let told = codes.iter().map(|code| format!("- `{}`: {}", code.as_str(), code.title()));
    let told = told.collect::<Vec<_>>().join("\n");
    let entry = operation.responses.responses.entry(status.to_string());
    let RefOr::T(response) = entry.or_insert_with(|| RefOr::T(Response::default())) else { return };
    response.description = match response.description.as_str() {
        "" => told,
        own => format!("{own}\n\n{told}"),
    };
    let media_type = if status < 300 { "application/json" } else { MEDIA_TYPE };
    response.content.insert(media_type.to_owned(), RefOr::T(content(codes, access)));
    if access == Access::SignedQuery {
        response.content.insert("text/plain".to_owned(), RefOr::T(plain_text(codes)));
    }
    for (name, header) in headers(status, access) {
        response.headers.insert(name.to_owned(), RefOr::T(header));
    }
}

fn content(codes: &[Code], access: Access) -> Content {
    let is_report = is_report(access);
    let schema =
        if is_report { schemas::reference::<PostbackAnswer>() } else { schemas::reference::<Problem>() };
    let answer = if is_report { answers::postback } else { answers::problem };
    let examples = codes.iter().map(|code| (code.as_str(), example(*code, answer(*code))));
    ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples).build()
}

/// Whether an operation takes reports or adjustments.
fn is_report(access: Access) -> bool {
    !matches!(access, Access::Open | Access::ApiKey)
}

/// What `format=text` gets.
fn plain_text(codes: &[Code]) -> Content {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    let examples = codes.iter().map(|code| (code.as_str(), example(*code, answers::text(*code).into())));
    ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples).build()
}

fn example(code: Code, value: Value) -> Example {
    ExampleBuilder::new().summary(code.title()).value(Some(value)).build()
}

/// The headers that come with a status.
fn headers(status: u16, access: Access) -> impl Iterator<Item = (&'static str, Header)> {
    let told: &[(&str, Type, &str)] = match status {
        401 => &[("WWW-Authenticate", Type::String, "How to authenticate.")],
        429 if is_report(access) => &[RETRY_AFTER, RATE_LIMIT, RATE_LIMIT_POLICY],
        429 | 503 => &[RETRY_AFTER],
        _ => &[],
    };
    told.iter().map(|(name, kind, description)| {
        let schema = ObjectBuilder::new().schema_type(kind.clone());
        (*name, HeaderBuilder::new().schema(Some(schema)).description(Some(*description)).build())
    })
}
