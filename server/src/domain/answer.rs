//! The answer to a postback: one body for every outcome and every form.

use serde_json::{Map, Value, json};

use super::{
    attribution::Previous,
    code::Code,
    conversion::ConversionStatus,
    counted::Counted,
    ids::{ConversionId, PostbackId},
    refusal::{FieldError, Refusal},
    time::Timestamp,
};

/// What the sender of a postback is told.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// The outcome.
    pub code: Code,
    /// The outcome in a sentence.
    pub message: String,
    /// The line of the log.
    pub postback_id: Option<PostbackId>,
    /// The conversion: the new one, or the first one.
    pub conversion_id: Option<ConversionId>,
    /// Where it stands.
    pub status: Option<ConversionStatus>,
    /// When its hold ends.
    pub hold_until: Option<Timestamp>,
    /// What to do.
    pub hint: Option<String>,
    /// What is noteworthy.
    pub flags: Vec<String>,
    /// Every field that is wrong.
    pub errors: Vec<FieldError>,
    /// Further members.
    pub facts: Map<String, Value>,
}

impl Answer {
    fn of(code: Code) -> Self {
        Self {
            code,
            message: code.title().to_owned(),
            postback_id: None,
            conversion_id: None,
            status: None,
            hold_until: None,
            hint: None,
            flags: Vec::new(),
            errors: Vec::new(),
            facts: Map::new(),
        }
    }

    /// It counts.
    pub fn counted(counted: &Counted, id: ConversionId) -> Self {
        Self {
            conversion_id: Some(id),
            status: Some(counted.status),
            hold_until: counted.hold_until,
            flags: counted.flags.clone(),
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

    /// It does not count.
    pub fn refused(refusal: Refusal) -> Self {
        let hint = refusal.hint.unwrap_or_else(|| refusal.code.what_to_do().to_owned());
        Self {
            message: refusal.detail,
            hint: Some(hint),
            errors: refusal.errors,
            facts: refusal.facts,
            ..Self::of(refusal.code)
        }
    }

    /// It would have come to `self`: the answer to a dry run.
    pub fn validated(self) -> Self {
        Self {
            message: format!("Valid: it would be answered `{}`. Nothing was counted.", self.code.as_str()),
            flags: self.flags,
            facts: Map::from_iter([("would_be".to_owned(), json!(self.code.as_str()))]),
            ..Self::of(Code::Validated)
        }
    }

    /// The body. For a refusal it is at the same time a problem document (RFC 9457).
    pub fn body(&self) -> Map<String, Value> {
        let result = if self.code.is_success() { "accepted" } else { "rejected" };
        let mut body = Map::from_iter([
            ("result".to_owned(), json!(result)),
            ("code".to_owned(), json!(self.code.as_str())),
            ("message".to_owned(), json!(self.message)),
            ("postback_id".to_owned(), json!(self.postback_id)),
            ("conversion_id".to_owned(), json!(self.conversion_id)),
            ("status".to_owned(), json!(self.status)),
            ("hold_until".to_owned(), json!(self.hold_until)),
            ("retry".to_owned(), json!(self.code.retry().as_str())),
            ("hint".to_owned(), json!(self.hint)),
            ("flags".to_owned(), json!(self.flags)),
        ]);
        if !self.code.is_success() {
            self.add_problem(&mut body);
        }
        body.extend(self.facts.clone());
        body
    }

    fn add_problem(&self, body: &mut Map<String, Value>) {
        body.extend(problem(self.code, &self.message));
        // `status` is taken twice: by the problem's HTTP status and by the conversion's. The problem has it;
        // a refusal leaves no conversion whose status it could be.
        if !self.errors.is_empty() {
            body.insert("errors".to_owned(), json!(self.errors));
        }
    }
}

/// The members that every problem document has.
pub fn problem(code: Code, detail: &str) -> Map<String, Value> {
    Map::from_iter([
        ("type".to_owned(), json!(format!("/docs/outcomes#{}", code.as_str()))),
        ("title".to_owned(), json!(code.title())),
        ("status".to_owned(), json!(code.status())),
        ("detail".to_owned(), json!(detail)),
        ("code".to_owned(), json!(code.as_str())),
    ])
}
