//! One refusal per code, with the words and facts of the place that refuses: what the examples are made of.
//! What says no more than its code is not listed.

use serde_json::json;

use crate::{
    domain::{
        adjustment,
        code::Code,
        conversion::{AdjustmentKind, ConversionStatus},
        ids::{AdvertiserId, CampaignId, ConversionId},
        postback::SUBJECT_NEEDED,
        refusal::{FieldError, Refusal},
        rerun::WhyNot,
        scopes::Scope,
        signature::TimestampProblem,
    },
    http::schemas::{TIME, example_id},
};

/// A refusal by the management API.
pub fn api(code: Code) -> Refusal {
    match code {
        Code::Malformed => Refusal::new(
            code,
            "The body does not fit: unknown field `nmae`, expected `name` at line 1 column 7.",
        ),
        Code::ValidationFailed => fields(
            code,
            &[("/name", "is needed"), ("/currency", "`EURO` is not an ISO 4217 code such as EUR")],
        ),
        Code::UnsupportedMediaType => Refusal::new(code, JSON_WANTED),
        Code::TransitionNotAllowed | Code::AdjustmentConflict => by_goal_and_click(code),
        Code::NotRerunnable => {
            let why = WhyNot::Accepted;
            Refusal::new(code, why.sentence()).fact("why_not", why.as_str())
        }
        _ => Refusal::of(code),
    }
}

const JSON_WANTED: &str = "Send `Content-Type: application/json`; this came with no Content-Type.";

/// A refusal of a postback.
pub fn postback(code: Code) -> Refusal {
    match code {
        Code::Malformed => {
            fields(code, &[("goal", "is needed: the goal's event name"), ("click_id", SUBJECT_NEEDED)])
        }
        Code::UnresolvedMacro => fields(code, &[("amount", "`{payout}` is a placeholder, not a value")]),
        Code::PiiInUrl => {
            fields(code, &[("customer_id", "looks like an e-mail address or a phone number; send a hash")])
        }
        Code::AmountInvalid => fields(code, &[("amount", "use a dot as decimal separator")]),
        Code::TimestampInMilliseconds => fields(
            code,
            &[("event_time", "`1795341600123` has 13 digits: these are milliseconds, seconds have 10")],
        ),
        Code::EventInFuture => {
            let detail = "2026-11-22T11:00:00Z is 3600 seconds ahead of the server's clock";
            fields(code, &[("event_time", detail)]).fact("server_time", TIME)
        }
        Code::UnsupportedMediaType => Refusal::new(code, JSON_WANTED),
        Code::NotFound => {
            fields(code, &[("advertiser", "there is no advertiser `ext:acme` that this key covers")])
        }
        Code::ScopeMissing => {
            Refusal::new(code, format!("The key lacks the scope `{}`.", Scope::ConversionsWrite))
        }
        Code::TimestampOutOfTolerance => {
            Refusal::new(code, TimestampProblem::OutOfTolerance { difference_seconds: 3_600 }.to_string())
                .fact("server_time", 1_795_341_600)
        }
        _ => by_goal_and_click(code),
    }
}

fn by_goal_and_click(code: Code) -> Refusal {
    let first = example_id::<ConversionId>();
    match code {
        Code::GoalMismatch => Refusal::new(code, "No goal has the event name `Sale`.")
            .hint("Did you mean `sale`? Names are compared byte for byte.")
            .fact("nearest", json!(["sale"])),
        Code::GoalNotInCampaign => {
            let campaign = example_id::<CampaignId>();
            Refusal::new(code, format!("The goal `sale` is not for the click's campaign {campaign}."))
        }
        Code::GoalInactive => Refusal::new(code, "The goal `sale` is paused."),
        Code::ModeNotAllowed => {
            Refusal::new(code, "The goal `sale` is matched by `click_id`, not by `publisher_id`.")
                .hint("Send `click_id`, or have the partner add `partner` to the goal's `modes`.")
                .fact("mode", "partner")
                .fact("modes", json!(["transaction"]))
        }
        Code::CurrencyInvalid => {
            Refusal::new(code, "There is no rate from USD to EUR for 2026-11-22 or before.")
                .hint("The partner adds it with `PUT /v1/currency-rates`: base USD, quote EUR, a date up to 2026-11-22. Then send the report again.")
                .fact("base", "USD")
                .fact("quote", "EUR")
                .fact("date", "2026-11-22")
        }
        Code::ClickIdMalformed => {
            Refusal::new(code, "The click id is malformed: received 15 of 35 characters.")
                .fact("received_characters", 15)
                .fact("expected_characters", 35)
        }
        Code::AdvertiserMismatch => {
            Refusal::of(code).fact("click_advertiser_id", example_id::<AdvertiserId>())
        }
        Code::ClickPurged => {
            Refusal::of(code).fact("click_age_seconds", 17_280_000).fact("kept_seconds", 15_552_000)
        }
        Code::ClickExpired => {
            Refusal::new(code, "The click was 2678400 s old, the goal's window is 2592000 s.")
                .fact("age_seconds", 2_678_400)
                .fact("window_seconds", 2_592_000)
        }
        Code::ConversionPrecedesClick => Refusal::new(code, "The event is 60 s older than the click.")
            .fact("event_time", "2026-11-22T09:59:00Z")
            .fact("clicked_at", TIME),
        Code::ReportingDelayExceeded => {
            Refusal::new(code, "Reported 10454400 s after the event, the goal allows 10368000 s.")
                .fact("delay_seconds", 10_454_400)
                .fact("longest_seconds", 10_368_000)
        }
        Code::TransitionNotAllowed => {
            let refusal = adjustment::not_allowed(ConversionStatus::Approved, AdjustmentKind::Reject);
            refusal.fact("conversion_id", first)
        }
        Code::AdjustmentConflict => {
            Refusal::new(code, "The adjustment `R-77` was made before, with another content.")
                .fact("conversion_id", first)
        }
        Code::OrderAttributedElsewhere => Refusal::of(code).fact("conversion_id", first),
        Code::DuplicateConflict => Refusal::new(code, "Counted with 49.90 EUR; this report says 59.90 EUR.")
            .fact("conversion_id", first)
            .fact("conversion_status", ConversionStatus::Approved.as_str())
            .fact("counted", "49.90 EUR")
            .fact("received", "59.90 EUR"),
        _ => Refusal::of(code),
    }
}

fn fields(code: Code, errors: &[(&str, &str)]) -> Refusal {
    Refusal::fields(code, errors.iter().map(|(pointer, detail)| FieldError::new(*pointer, *detail)).collect())
}
