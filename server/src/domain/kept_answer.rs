//! An answer as a line of the log keeps it. Most reports are taken, and most of those answers say what the line and its
//! code say already: that is left out when it is written, and put in again when it is read.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

use super::{
    answer::{Answer, MoneyRules},
    code::Code,
    ids::{ConversionId, PostbackId},
};

/// A member of every whole answer, which none has that was left out of.
const WHOLE: &str = "result";

/// What is kept of an answer to a report that was taken.
pub struct Kept<'a>(pub &'a Answer);

impl Serialize for Kept<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Answer { code, message, conversion_id, status, hold_until, hint, flags, rules, facts, .. } =
            self.0;
        let mut kept = serializer.serialize_map(None)?;
        if message != code.title() {
            kept.serialize_entry("message", message)?;
        }
        if conversion_id.is_none() {
            kept.serialize_entry("conversion_id", &())?;
        }
        if let Some(status) = status {
            kept.serialize_entry("status", status)?;
        }
        if let Some(end) = hold_until {
            kept.serialize_entry("hold_until", end)?;
        }
        if let Some(hint) = hint {
            kept.serialize_entry("hint", hint)?;
        }
        if !flags.is_empty() {
            kept.serialize_entry("flags", flags)?;
        }
        if let Some(rules) = rules {
            let goals_own = MoneyRules::default();
            let usual = goals_own.named();
            for (name, rule) in
                rules.named().into_iter().filter(|rule| !code.counts() || !usual.contains(rule))
            {
                kept.serialize_entry(name, rule)?;
            }
        }
        for (name, fact) in facts {
            kept.serialize_entry(name, fact)?;
        }
        kept.end()
    }
}

/// The answer as it was given, from what a line of the log has.
pub fn restored(
    code: Option<Code>,
    line: (PostbackId, Option<ConversionId>),
    kept: Map<String, Value>,
) -> Map<String, Value> {
    let Some(code) = code.filter(|code| code.is_success() && !kept.contains_key(WHOLE)) else { return kept };
    let (postback, conversion) = line;
    let rules = code.counts().then(MoneyRules::default);
    let mut body = Answer { rules, ..Answer::taken(code, postback, conversion) }.body();
    body.extend(kept);
    body
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{conversion::ConversionStatus, ids::Id, time::Timestamp};

    fn line() -> PostbackId {
        PostbackId::from_bytes([7; 16])
    }

    fn conversion() -> ConversionId {
        ConversionId::from_bytes([1; 16])
    }

    fn kept(answer: &Answer) -> Map<String, Value> {
        match json!(Kept(answer)) {
            Value::Object(kept) => kept,
            other => panic!("{other}"),
        }
    }

    fn counted() -> Answer {
        Answer {
            status: Some(ConversionStatus::Approved),
            rules: Some(MoneyRules::default()),
            ..Answer::taken(Code::Accepted, line(), Some(conversion()))
        }
    }

    #[test]
    fn what_is_as_usual_takes_no_room() {
        assert_eq!(Value::from(kept(&counted())), json!({"status": "approved"}));
    }

    #[test]
    fn every_answer_is_read_as_it_was_given() {
        let unusual = Answer {
            message: "Something else.".into(),
            hold_until: Some(Timestamp::from_seconds(1_790_000_000)),
            hint: Some("Do this.".into()),
            flags: vec!["over_cap".to_owned()],
            ..counted()
        };
        let rules = MoneyRules { payout: Some("country:DE".to_owned()), revenue: None };
        let overridden = Answer { rules: Some(rules), ..unusual.clone() }.with("more", json!(null));
        let others = Code::ALL.iter().filter(|code| code.is_success() && !code.counts());
        let others =
            others.flat_map(|code| [None, Some(conversion())].map(|id| Answer::taken(*code, line(), id)));
        let validated = [counted(), overridden.clone()].map(|answer| {
            let postback_id = answer.postback_id;
            Answer { postback_id, ..answer.validated() }
        });
        for answer in [counted(), unusual, overridden].into_iter().chain(validated).chain(others) {
            // The line of an adjustment names its conversion also where the answer does not.
            let place = (line(), Some(conversion()));
            assert_eq!(restored(Some(answer.code), place, kept(&answer)), answer.body(), "{answer:?}");
        }
    }

    /// There are lines that were written without them.
    #[test]
    fn what_the_log_leaves_out_does_not_change() {
        let told = Code::ALL.iter().filter(|code| code.is_success());
        let told: Vec<_> = told.map(|code| (code.as_str(), code.title(), code.retry().as_str())).collect();
        let expected = [
            ("accepted", "Counted.", "no"),
            ("accepted_pending", "Counted, waiting for a decision.", "no"),
            ("accepted_on_hold", "Counted, on hold until the refund period ends.", "no"),
            ("accepted_spooled", "Stored safely; it is decided about as soon as the database is back.", "no"),
            ("validated", "Valid; nothing was recorded but this line of the log.", "no"),
            ("duplicate", "Already counted.", "no"),
            ("adjusted", "The conversion is changed.", "no"),
            ("adjusted_nothing", "Recorded; the conversion stood there already.", "no"),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_was_kept_as_a_whole_stays_as_it_is() {
        let whole = Map::from_iter([
            ("result".to_owned(), json!("accepted")),
            ("code".to_owned(), json!("accepted")),
        ]);
        assert_eq!(restored(Some(Code::Accepted), (line(), None), whole.clone()), whole);
        let refused = Answer::refused(crate::domain::refusal::Refusal::of(Code::ClickNotFound)).body();
        assert_eq!(restored(Some(Code::ClickNotFound), (line(), None), refused.clone()), refused);
        assert_eq!(restored(None, (line(), None), whole.clone()), whole);
    }
}
