//! Reads an answer: recorded, refused, or not the server's at all.
//! Must not touch the network.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::refusal::FieldError;
use crate::{Adjusted, AdjustmentOutcome, Code, ConversionStatus, Error, Outcome, Recorded, Refusal};

/// Holds one whole answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

/// Lists the members of an answer that this crate reads. All but the code may be absent or null.
#[derive(Deserialize)]
struct Wire {
    code: Code,
    result: Option<String>,
    message: Option<String>,
    detail: Option<String>,
    postback_id: Option<String>,
    conversion_id: Option<String>,
    request_id: Option<String>,
    status: Option<Value>,
    hold_until: Option<String>,
    retry: Option<Value>,
    hint: Option<String>,
    flags: Option<Vec<String>>,
    errors: Option<Vec<WireError>>,
    amount: Option<String>,
    currency: Option<String>,
}

#[derive(Deserialize)]
struct WireError {
    #[serde(default)]
    pointer: String,
    #[serde(default)]
    detail: String,
}

impl Answer {
    /// Reads the answer of an attempt that is not to be repeated.
    pub(crate) fn read(&self) -> Result<Recorded, Error> {
        match self.status {
            200..300 => self.recorded(),
            300..400 => {
                Err(self
                    .unexpected("a redirect, which is never followed; use the URL it leads to as base URL"))
            }
            _ => match self.refusal() {
                Some(refusal) => Err(Error::Refused(Box::new(refusal))),
                None => Err(self.unexpected("its body has no code; is the base URL the tracking server's?")),
            },
        }
    }

    /// Turns the answer of the last attempt into the error that says so.
    pub(crate) fn into_unavailable(self, attempts: u32) -> Error {
        let refusal = self.refusal().map(Box::new);
        Error::Unavailable { status: self.status, attempts, retry_after: self.retry_after, refusal }
    }

    fn recorded(&self) -> Result<Recorded, Error> {
        let wire: Wire = serde_json::from_slice(&self.body)
            .map_err(|_| self.unexpected("its body has no code; is the base URL the tracking server's?"))?;
        let outcome = Outcome::from_code(wire.code)
            .filter(|_| wire.result.as_deref() == Some("accepted"))
            .ok_or_else(|| self.unexpected("its status says recorded and its body does not"))?;
        Ok(Recorded {
            outcome,
            conversion_id: wire.conversion_id,
            postback_id: wire.postback_id,
            status: wire.status.as_ref().and_then(Value::as_str).map(ConversionStatus::parse),
            hold_until: wire.hold_until,
            flags: wire.flags.unwrap_or_default(),
            message: wire.message.or(wire.detail).unwrap_or_default(),
        })
    }

    /// Reads the answer to an adjustment that is not to be repeated.
    pub(crate) fn adjusted(&self) -> Result<Adjusted, Error> {
        // What is no success is read like any other answer.
        if !(200..300).contains(&self.status) {
            return Err(self.read().err().unwrap_or_else(|| self.unexpected("its status is no success")));
        }
        let wire: Wire = serde_json::from_slice(&self.body)
            .map_err(|_| self.unexpected("its body has no code; is the base URL the tracking server's?"))?;
        let outcome = AdjustmentOutcome::from_code(wire.code)
            .filter(|_| wire.result.as_deref() == Some("accepted"))
            .ok_or_else(|| self.unexpected("its status says recorded and its body does not"))?;
        Ok(Adjusted {
            outcome,
            conversion_id: wire.conversion_id,
            postback_id: wire.postback_id,
            status: wire.status.as_ref().and_then(Value::as_str).map(ConversionStatus::parse),
            amount: wire.amount,
            currency: wire.currency,
            message: wire.message.unwrap_or_default(),
        })
    }

    fn refusal(&self) -> Option<Refusal> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let wire = Wire::deserialize(&body).ok()?;
        Some(Refusal {
            status: self.status,
            code: wire.code,
            message: wire.message.or(wire.detail).unwrap_or_default(),
            hint: wire.hint,
            retry: wire.retry.and_then(word),
            postback_id: wire.postback_id,
            conversion_id: wire.conversion_id,
            request_id: wire.request_id,
            errors: wire.errors.unwrap_or_default().into_iter().map(FieldError::from).collect(),
            body,
        })
    }

    pub(crate) fn unexpected(&self, problem: &str) -> Error {
        Error::UnexpectedAnswer {
            status: self.status,
            content_type: self.content_type.clone(),
            problem: problem.to_owned(),
        }
    }
}

impl From<WireError> for FieldError {
    fn from(error: WireError) -> Self {
        Self { pointer: error.pointer, detail: error.detail }
    }
}

/// Reads the advice on retrying, which a server may write as a word or as a plain yes or no.
fn word(advice: Value) -> Option<String> {
    match advice {
        Value::String(word) => Some(word),
        Value::Bool(true) => Some("yes".to_owned()),
        Value::Bool(false) => Some("no".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Answer;
    use crate::{Code, ConversionStatus, Error, Outcome};

    fn answer(status: u16, body: serde_json::Value) -> Answer {
        Answer { status, content_type: None, retry_after: None, body: body.to_string().into_bytes() }
    }

    #[test]
    fn a_hold_is_read_whole() {
        let body = json!({"result": "accepted", "code": "accepted_on_hold", "message": "Held.",
            "postback_id": "pb_1", "conversion_id": "cv_1", "status": "on_hold",
            "hold_until": "2030-01-01T00:00:00Z", "retry": "no", "hint": null, "flags": ["bot"]});
        let recorded = answer(202, body).read().unwrap();
        assert_eq!(recorded.outcome, Outcome::OnHold);
        assert_eq!(recorded.conversion_id.as_deref(), Some("cv_1"));
        assert_eq!(recorded.postback_id.as_deref(), Some("pb_1"));
        assert_eq!(recorded.status, Some(ConversionStatus::OnHold));
        assert_eq!(recorded.hold_until.as_deref(), Some("2030-01-01T00:00:00Z"));
        assert_eq!(recorded.flags, ["bot"]);
        assert_eq!(recorded.message, "Held.");
    }

    #[test]
    fn a_later_servers_good_code_is_still_recorded() {
        let recorded =
            answer(201, json!({"result": "accepted", "code": "accepted_twice_checked"})).read().unwrap();
        assert_eq!(recorded.outcome, Outcome::Unknown("accepted_twice_checked".to_owned()));
    }

    #[test]
    fn a_good_status_over_a_bad_body_is_not_believed() {
        let bodies = [
            json!({"result": "rejected", "code": "click_expired"}),
            json!({"result": "accepted", "code": "click_expired"}),
            json!({"result": "rejected", "code": "accepted"}),
            json!({"code": "accepted"}),
            json!({"result": "accepted"}),
            json!([]),
        ];
        for body in bodies {
            let read = answer(200, body.clone()).read();
            assert!(matches!(read, Err(Error::UnexpectedAnswer { status: 200, .. })), "{body}");
        }
    }

    #[test]
    fn a_problem_document_with_a_numeric_status_is_a_refusal() {
        let body = json!({"type": "about:blank", "title": "Gone", "status": 410, "detail": "Too late.",
            "code": "click_expired", "result": "rejected", "retry": false, "age": "31 days"});
        let error = answer(410, body).read().unwrap_err();
        let refusal = error.refusal().unwrap();
        assert_eq!((refusal.status, &refusal.code), (410, &Code::ClickExpired));
        assert_eq!(refusal.message, "Too late.");
        assert_eq!(refusal.retry.as_deref(), Some("no"));
        assert_eq!(refusal.body["age"], "31 days");
    }
}
