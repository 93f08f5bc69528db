//! A refusal in the server's own words.
//! Deciding whether an answer is one belongs to `answer`.

use serde_json::Value;

use crate::Code;

/// Carries the server's reasons for refusing a report. Nothing was counted.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Refusal {
    /// Gives the HTTP status.
    pub status: u16,
    /// Names the reason.
    pub code: Code,
    /// Explains the reason to a person.
    pub message: String,
    /// Suggests what to do about it.
    pub hint: Option<String>,
    /// Says, in the server's word, whether sending the same report again can help.
    pub retry: Option<String>,
    /// Names this report in the server's log: the id to quote to support.
    pub postback_id: Option<String>,
    /// Names the conversion that stands in the way, if there is one.
    pub conversion_id: Option<String>,
    /// Names the request in the server's log.
    pub request_id: Option<String>,
    /// Lists every field that could not be read.
    pub errors: Vec<FieldError>,
    /// Holds the whole answer, for members that this crate does not list (nearest names, lengths, both
    /// values of a conflict). Left out of `Debug`, so that no log repeats it unasked.
    pub body: Value,
}

/// Names one field of the request and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldError {
    /// Points at the field (RFC 6901), such as `/amount`.
    pub pointer: String,
    /// Explains what is wrong.
    pub detail: String,
}

impl std::fmt::Debug for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refusal")
            .field("status", &self.status)
            .field("code", &self.code)
            .field("message", &self.message)
            .field("hint", &self.hint)
            .field("retry", &self.retry)
            .field("postback_id", &self.postback_id)
            .field("conversion_id", &self.conversion_id)
            .field("request_id", &self.request_id)
            .field("errors", &self.errors)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}", self.code, self.status, self.message)?;
        for error in &self.errors {
            write!(f, "; {}: {}", error.pointer, error.detail)?;
        }
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}
