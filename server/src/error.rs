//! The one error of the server. Two audiences: a [`Refusal`] is for the caller, the text of the other
//! variants is for the log and never leaves the process.

use crate::domain::{code::Code, refusal::Refusal};

/// What an operation fails with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's request is at fault; the answer says how.
    #[error("{}: {}", .0.code.as_str(), .0.detail)]
    Refused(Box<Refusal>),
    /// The database is away, hanging or full. Nothing was written; trying again makes sense.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Another transaction was in the way. Nothing was written; the same again will most likely work at once.
    #[error("contended: {0}")]
    Contended(String),
    /// A bug, or a database that is not as we left it.
    #[error("internal: {0}")]
    Internal(String),
}

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with everything that led to it, in one line.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

impl Error {
    /// "There is no such thing, or it is not yours."
    pub fn not_found() -> Self {
        Refusal::of(Code::NotFound).into()
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}
