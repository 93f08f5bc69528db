//! One answer per code, as the server would send it: built by the same code that answers requests.

use actix_web::{ResponseError, body::MessageBody};
use serde_json::{Value, json};

use super::refusals;
use crate::{
    domain::{
        answer::{self as domain_answer, Adjusted, Answer, MoneyRules},
        attribution::Previous,
        code::Code,
        conversion::ConversionStatus,
        currency::Currency,
        flags as flag,
        ids::{ConversionId, Id, PostbackId},
        money::Micros,
        refusal::Refusal,
        time::Timestamp,
    },
    error::Error,
    http::{problem, schemas, track::postbacks},
};

const REQUEST_ID: &str = "req_019ab9b27d1a7f6a8c51e2a0c0ffee42";

/// The problem document of a code, from the management API.
pub fn problem(code: Code) -> Value {
    let response = match code {
        // Their own words are for the log, and they have no hint.
        Code::Unavailable | Code::Internal => {
            problem::respond(code, domain_answer::problem(code, code.title()))
        }
        _ => Error::from(refusals::api(code)).error_response(),
    };
    let bytes = response.into_body().try_into_bytes().unwrap_or_default();
    with_request_id(serde_json::from_slice(&bytes).expect("problem documents are JSON"))
}

/// The body of the answer to a postback that a code stands for.
pub fn postback(code: Code) -> Value {
    let body = Value::Object(answer(code).body());
    if code.is_success() { body } else { with_request_id(body) }
}

/// The same for a sender that wants plain text.
pub fn text(code: Code) -> String {
    postbacks::text(&answer(code))
}

fn answer(code: Code) -> Answer {
    let answer = match code {
        Code::Accepted => counted(code, ConversionStatus::Approved, None, &[]),
        Code::AcceptedPending => counted(code, ConversionStatus::Pending, None, &[flag::GOAL_NEEDS_APPROVAL]),
        Code::AcceptedOnHold => counted(code, ConversionStatus::OnHold, Some("2026-12-22T10:00:00Z"), &[]),
        Code::AcceptedSpooled => Answer::spooled(PostbackId::from_bytes([0; 16])),
        Code::Validated => counted(Code::Accepted, ConversionStatus::Approved, None, &[]).validated(),
        Code::Duplicate => Answer::again(&previous()),
        Code::Adjusted | Code::AdjustedNothing => Answer::adjusted(&adjusted(code)),
        _ => Answer::refused(refusals::postback(code)),
    };
    Answer { postback_id: logged(code), ..answer }
}

fn adjusted(code: Code) -> Adjusted<'static> {
    let is_idle = code == Code::AdjustedNothing;
    Adjusted {
        conversion_id: conversion_id().expect("the id of the examples is an id"),
        adjustment_id: Some("R-77"),
        status_before: if is_idle { ConversionStatus::Reversed } else { ConversionStatus::Approved },
        status: ConversionStatus::Reversed,
        amount: Currency::parse("EUR").map(|euros| (Micros(49_900_000), euros)),
        is_idle,
        is_repeated: false,
    }
}

/// The line of the log. What cannot be ascribed to a partner has none.
fn logged(code: Code) -> Option<PostbackId> {
    let is_anonymous =
        matches!(code.status(), 401 | 405 | 413 | 415 | 500 | 503) || code == Code::HttpsRequired;
    if is_anonymous { None } else { PostbackId::parse(&schemas::example_id::<PostbackId>()) }
}

fn counted(code: Code, status: ConversionStatus, hold_until: Option<&str>, flags: &[&str]) -> Answer {
    Answer {
        conversion_id: conversion_id(),
        status: Some(status),
        hold_until: hold_until.and_then(Timestamp::parse),
        hint: None,
        rules: Some(MoneyRules::default()),
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        ..Answer::refused(Refusal::of(code))
    }
}

fn previous() -> Previous {
    Previous {
        id: conversion_id().expect("the id of the examples is an id"),
        status: ConversionStatus::Approved,
        click_id: None,
        publisher_id: None,
        amount: None,
        currency: None,
        hold_until: None,
    }
}

fn conversion_id() -> Option<ConversionId> {
    ConversionId::parse(&schemas::example_id::<ConversionId>())
}

fn with_request_id(mut document: Value) -> Value {
    document["request_id"] = json!(REQUEST_ID);
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_an_answer_of_its_own_status() {
        for code in Code::ALL {
            assert_eq!(postback(*code)["code"], code.as_str());
            if !code.is_success() {
                let problem = problem(*code);
                assert_eq!(problem["code"], code.as_str());
                assert_eq!(problem["status"], code.status(), "{problem}");
            }
        }
    }

    #[test]
    fn a_counted_postback_is_what_the_schema_shows() {
        use utoipa::{
            PartialSchema,
            openapi::{RefOr, Schema},
        };
        let RefOr::T(Schema::Object(schema)) = schemas::PostbackAnswer::schema() else {
            panic!("not an object")
        };
        assert_eq!(schema.examples, [postback(Code::Accepted)]);
    }
}
