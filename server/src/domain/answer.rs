//! The answer to a postback: one body for every outcome and every form.

use std::borrow::Cow;

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, json};

use super::{
    attribution::Previous,
    code::Code,
    conversion::ConversionStatus,
    counted::Counted,
    currency::Currency,
    ids::{ConversionId, PostbackId},
    money::Micros,
    refusal::{FieldError, Refusal},
    time::Timestamp,
    words::words,
};

words! {
    /// What came of a postback, in a word.
    Outcome {
        /// It was taken.
        Accepted = "accepted",
        /// It was refused.
        Rejected = "rejected",
    }
}

impl Outcome {
    /// What a code says.
    pub fn of(code: Code) -> Self {
        if code.is_success() { Self::Accepted } else { Self::Rejected }
    }
}

/// The member that names a conversion.
const CONVERSION: &str = "conversion_id";
/// Names the goal's own money, where no override applies.
pub const GOALS_OWN: &str = "goal";

/// Where the sums of a conversion come from: an override, or else the goal itself.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct MoneyRules {
    /// The override of the payout.
    pub payout: Option<String>,
    /// The override of the revenue.
    pub revenue: Option<String>,
}

impl MoneyRules {
    /// The members of an answer that name them.
    pub(super) fn named(&self) -> [(&'static str, &str); 2] {
        [("payout_rule", &self.payout), ("revenue_rule", &self.revenue)]
            .map(|(name, rule)| (name, rule.as_deref().unwrap_or(GOALS_OWN)))
    }
}

/// What the sender of a postback is told.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// The outcome.
    pub code: Code,
    /// The outcome in a sentence.
    pub message: Cow<'static, str>,
    /// The line of the log.
    pub postback_id: Option<PostbackId>,
    /// The conversion: the new one, or the first one.
    pub conversion_id: Option<ConversionId>,
    /// Where it stands.
    pub status: Option<ConversionStatus>,
    /// When its hold ends.
    pub hold_until: Option<Timestamp>,
    /// What to do.
    pub hint: Option<Cow<'static, str>>,
    /// What is noteworthy.
    pub flags: Vec<String>,
    /// Every field that is wrong.
    pub errors: Vec<FieldError>,
    /// The rules of its money.
    pub rules: Option<MoneyRules>,
    /// Further members.
    pub facts: Map<String, Value>,
}

/// An adjustment, as far as its sender is told of it.
#[derive(Clone, Copy, Debug)]
pub struct Adjusted<'a> {
    /// The conversion.
    pub conversion_id: ConversionId,
    /// The sender's name for the adjustment.
    pub adjustment_id: Option<&'a str>,
    /// Where the conversion stood.
    pub status_before: ConversionStatus,
    /// Where it stood afterwards.
    pub status: ConversionStatus,
    /// Its amount afterwards.
    pub amount: Option<(Micros, Currency)>,
    /// Whether it stood there already.
    pub is_idle: bool,
    /// Whether this was asked for before.
    pub is_repeated: bool,
}

impl Answer {
    fn of(code: Code) -> Self {
        Self {
            code,
            message: code.title().into(),
            postback_id: None,
            conversion_id: None,
            status: None,
            hold_until: None,
            hint: None,
            flags: Vec::new(),
            errors: Vec::new(),
            rules: None,
            facts: Map::new(),
        }
    }

    /// It was taken, and all that is known of it is where it stands in the log and in the ledger.
    pub fn taken(code: Code, postback_id: PostbackId, conversion_id: Option<ConversionId>) -> Self {
        Self { postback_id: Some(postback_id), conversion_id, ..Self::of(code) }
    }

    /// It counts.
    pub fn counted(counted: &Counted, id: ConversionId) -> Self {
        Self {
            conversion_id: Some(id),
            status: Some(counted.status),
            hold_until: counted.hold_until,
            flags: counted.flags.clone(),
            rules: Some(MoneyRules {
                payout: counted.price.payout_rule.clone(),
                revenue: counted.price.revenue_rule.clone(),
            }),
            ..Self::of(counted.code())
        }
    }

    /// It has been counted before.
    pub fn again(previous: &Previous) -> Self {
        Self {
            conversion_id: Some(previous.id),
            status: Some(previous.status),
            hold_until: previous.hold_until,
            ..Self::of(Code::Duplicate)
        }
    }

    /// The same with a further member.
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.facts.insert(name.to_owned(), value);
        self
    }

    /// A conversion was adjusted; a repetition is told what the first one was.
    pub fn adjusted(adjusted: &Adjusted<'_>) -> Self {
        let code = match adjusted {
            Adjusted { is_repeated: true, .. } => Code::Duplicate,
            Adjusted { is_idle: true, .. } => Code::AdjustedNothing,
            _ => Code::Adjusted,
        };
        let message = match code {
            Code::Duplicate => "Already adjusted: this is what came of it.",
            other => other.title(),
        };
        let amount = adjusted.amount.map(|(amount, currency)| amount.to_decimal(currency));
        let facts = Map::from_iter([
            ("adjustment_id".to_owned(), json!(adjusted.adjustment_id)),
            ("status_before".to_owned(), json!(adjusted.status_before)),
            ("amount".to_owned(), json!(amount)),
            ("currency".to_owned(), json!(adjusted.amount.map(|(_, currency)| currency))),
        ]);
        Self {
            message: message.into(),
            conversion_id: Some(adjusted.conversion_id),
            status: Some(adjusted.status),
            facts,
            ..Self::of(code)
        }
    }

    /// It is stored, and not decided about yet.
    pub fn spooled(postback_id: PostbackId) -> Self {
        let hint = Some(Code::AcceptedSpooled.what_to_do().into());
        Self { postback_id: Some(postback_id), hint, ..Self::of(Code::AcceptedSpooled) }
    }

    /// It does not count.
    pub fn refused(refusal: Refusal) -> Self {
        let hint = refusal.hint.map_or(refusal.code.what_to_do().into(), Cow::Owned);
        Self {
            message: refusal.detail.into(),
            hint: Some(hint),
            errors: refusal.errors,
            facts: refusal.facts,
            ..Self::of(refusal.code)
        }
    }

    /// It would have come to `self`: the answer to a dry run.
    pub fn validated(self) -> Self {
        Self {
            message: format!("Valid: it would be answered `{}`. Nothing was counted.", self.code.as_str())
                .into(),
            flags: self.flags,
            rules: self.rules,
            facts: Map::from_iter([("would_be".to_owned(), json!(self.code.as_str()))]),
            ..Self::of(Code::Validated)
        }
    }

    /// The body, as a document.
    pub fn body(&self) -> Map<String, Value> {
        match json!(self) {
            Value::Object(body) => body,
            _ => Map::new(),
        }
    }
}

/// The body. For a refusal it is at the same time a problem document (RFC 9457).
impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_map(None)?;
        let is_success = self.code.is_success();
        body.serialize_entry("result", &Outcome::of(self.code))?;
        body.serialize_entry("code", self.code.as_str())?;
        body.serialize_entry("message", &self.message)?;
        body.serialize_entry("postback_id", &self.postback_id)?;
        // A refusal may name the conversion that is in its way.
        match self.facts.get(CONVERSION) {
            Some(in_the_way) => body.serialize_entry(CONVERSION, in_the_way)?,
            None => body.serialize_entry(CONVERSION, &self.conversion_id)?,
        }
        // `status` is taken twice: by the problem's HTTP status and by the conversion's. The problem has it;
        // a refusal leaves no conversion whose status it could be.
        if is_success {
            body.serialize_entry("status", &self.status)?;
        } else {
            body.serialize_entry("status", &self.code.status())?;
            body.serialize_entry("type", &kind(self.code))?;
            body.serialize_entry("title", self.code.title())?;
            body.serialize_entry("detail", &self.message)?;
        }
        body.serialize_entry("hold_until", &self.hold_until)?;
        body.serialize_entry("retry", self.code.retry().as_str())?;
        body.serialize_entry("hint", &self.hint)?;
        body.serialize_entry("flags", &self.flags)?;
        if !is_success && !self.errors.is_empty() {
            body.serialize_entry("errors", &self.errors)?;
        }
        for (name, rule) in self.rules.iter().flat_map(MoneyRules::named) {
            body.serialize_entry(name, rule)?;
        }
        for (name, fact) in self.facts.iter().filter(|(name, _)| *name != CONVERSION) {
            body.serialize_entry(name, fact)?;
        }
        body.end()
    }
}

/// The URI that names the kind of a problem.
fn kind(code: Code) -> String {
    format!("/docs/outcomes#{}", code.as_str())
}

/// The members that every problem document has.
pub fn problem(code: Code, detail: &str) -> Map<String, Value> {
    Map::from_iter([
        ("type".to_owned(), json!(kind(code))),
        ("title".to_owned(), json!(code.title())),
        ("status".to_owned(), json!(code.status())),
        ("detail".to_owned(), json!(detail)),
        ("code".to_owned(), json!(code.as_str())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        conversion::MatchMode,
        goal::{HoldEnd, MoneyRule},
        ids::{AdvertiserId, GoalId, Id},
        money::Micros,
        pricing::Price,
        worth::{Terms, Worth},
    };

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn conversion_id() -> ConversionId {
        ConversionId::from_bytes([1; 16])
    }

    fn price() -> Price {
        let nothing = MoneyRule::Fixed(Micros(0));
        Price {
            terms: Terms { payout: nothing, revenue: nothing, currency: None, exchange: None },
            worth: Worth::default(),
            payout_for_caps: Micros(0),
            payout_rule: Some("country:DE".to_owned()),
            revenue_rule: None,
        }
    }

    fn on_hold() -> Counted {
        Counted {
            advertiser_id: AdvertiserId::from_bytes([2; 16]),
            goal_id: GoalId::from_bytes([3; 16]),
            count_key: "order:o1".to_owned(),
            match_mode: MatchMode::Transaction,
            click: None,
            publisher_id: None,
            order_id: Some("o1".to_owned()),
            customer_id: None,
            status: ConversionStatus::OnHold,
            flags: vec!["status_not_permitted".to_owned()],
            price: price(),
            event_time: NOW,
            hold_until: Some(NOW.plus_seconds(60)),
            hold_end: HoldEnd::Approve,
            extras: Map::new(),
        }
    }

    fn body(answer: &Answer) -> Value {
        Value::from(answer.body())
    }

    #[test]
    fn a_counted_report_is_answered_with_its_conversion() {
        let postback_id = PostbackId::from_bytes([7; 16]);
        let answer =
            Answer { postback_id: Some(postback_id), ..Answer::counted(&on_hold(), conversion_id()) };
        let expected = json!({
            "result": "accepted",
            "code": "accepted_on_hold",
            "message": "Counted, on hold until the refund period ends.",
            "postback_id": postback_id,
            "conversion_id": conversion_id(),
            "status": "on_hold",
            "hold_until": NOW.plus_seconds(60),
            "retry": "no",
            "hint": null,
            "flags": ["status_not_permitted"],
            "payout_rule": "country:DE",
            "revenue_rule": "goal",
        });
        assert_eq!(body(&answer), expected);
    }

    #[test]
    fn a_repetition_is_answered_with_the_first_conversion_as_it_stands() {
        let previous = Previous {
            id: conversion_id(),
            status: ConversionStatus::Reversed,
            click_id: None,
            publisher_id: None,
            amount: None,
            currency: None,
            hold_until: None,
        };
        let body = body(&Answer::again(&previous));
        assert_eq!((&body["result"], &body["code"]), (&json!("accepted"), &json!("duplicate")));
        assert_eq!((&body["conversion_id"], &body["status"]), (&json!(conversion_id()), &json!("reversed")));
    }

    #[test]
    fn a_problem_document_has_its_members() {
        let expected = json!({
            "type": "/docs/outcomes#click_expired",
            "title": "The click is older than the goal's window.",
            "status": 410,
            "detail": "The click was 31 days old.",
            "code": "click_expired",
        });
        assert_eq!(Value::from(problem(Code::ClickExpired, "The click was 31 days old.")), expected);
    }

    #[test]
    fn a_refusal_names_every_field_and_every_fact() {
        let errors = vec![FieldError::new("goal", "is needed"), FieldError::new("amount", "is not a number")];
        let body = body(&Answer::refused(Refusal::fields(Code::Malformed, errors).fact("received_bytes", 7)));
        let expected = json!({
            "result": "rejected",
            "code": "malformed",
            "message": "2 fields are wrong; `errors` names each.",
            "postback_id": null,
            "conversion_id": null,
            "status": 400,
            "hold_until": null,
            "retry": "no",
            "hint": "Mend what `detail` says; `errors` names each field.",
            "flags": [],
            "type": "/docs/outcomes#malformed",
            "title": "The request cannot be read.",
            "detail": "2 fields are wrong; `errors` names each.",
            "errors": [
                { "pointer": "goal", "detail": "is needed" },
                { "pointer": "amount", "detail": "is not a number" },
            ],
            "received_bytes": 7,
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn no_member_stands_twice() {
        let refusal = Refusal::of(Code::DuplicateConflict).fact("conversion_id", conversion_id().to_string());
        let text = serde_json::to_string(&Answer::refused(refusal)).unwrap();
        assert_eq!(text.matches("\"conversion_id\":").count(), 1, "{text}");
        assert!(text.contains(&format!("\"conversion_id\":\"{}\"", conversion_id())), "{text}");
    }

    #[test]
    fn a_refusal_without_fields_has_no_errors() {
        assert!(!Answer::refused(Refusal::of(Code::ClickNotFound)).body().contains_key("errors"));
    }

    #[test]
    fn a_hint_of_its_own_wins_over_the_codes_advice() {
        let refusal = Refusal::of(Code::GoalMismatch);
        let advice = Answer::refused(refusal.clone()).hint;
        assert_eq!(advice.as_deref(), Some(Code::GoalMismatch.what_to_do()));
        assert_eq!(
            Answer::refused(refusal.hint("Did you mean `sale`?")).hint.as_deref(),
            Some("Did you mean `sale`?")
        );
    }

    #[test]
    fn every_code_is_accepted_or_a_problem() {
        for code in Code::ALL {
            let body = body(&Answer::refused(Refusal::of(*code)));
            let (result, status) = if code.is_success() {
                ("accepted", Value::Null)
            } else {
                ("rejected", json!(code.status()))
            };
            assert_eq!((&body["result"], &body["status"]), (&json!(result), &status), "{body}");
            assert_eq!(
                (&body["code"], &body["retry"]),
                (&json!(code.as_str()), &json!(code.retry().as_str()))
            );
            assert_eq!(body.get("type").is_some(), !code.is_success(), "{body}");
        }
    }

    #[test]
    fn a_dry_run_says_what_it_would_be_and_shows_no_conversion() {
        let body = body(&Answer::counted(&on_hold(), conversion_id()).validated());
        let expected = json!({
            "result": "accepted",
            "code": "validated",
            "message": "Valid: it would be answered `accepted_on_hold`. Nothing was counted.",
            "postback_id": null,
            "conversion_id": null,
            "status": null,
            "hold_until": null,
            "retry": "no",
            "hint": null,
            "flags": ["status_not_permitted"],
            "payout_rule": "country:DE",
            "revenue_rule": "goal",
            "would_be": "accepted_on_hold",
        });
        assert_eq!(body, expected);
    }
}
