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
    /// A bug, or a database that is not as we left it.
    #[error("internal: {0}")]
    Internal(String),
}

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

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

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::{DatabaseErrorKind as Kind, Error as Diesel};
        match &error {
            Diesel::NotFound => Self::not_found(),
            Diesel::DatabaseError(Kind::ClosedConnection | Kind::UnableToSendCommand, _)
            | Diesel::BrokenTransactionManager => Self::Unavailable(error.to_string()),
            Diesel::DatabaseError(_, info) if is_passing(info.message()) => Self::Unavailable(error.to_string()),
            _ => Self::Internal(error.to_string()),
        }
    }
}

/// Words by which the databases say that it is not the statement's fault.
fn is_passing(message: &str) -> bool {
    ["database is locked", "disk is full", "disk I/O error", "connection closed", "terminating connection"]
        .iter()
        .any(|words| message.contains(words))
}

/// Turns the violation of a unique key over a named column into that column's code.
pub fn on_duplicate(codes: &'static [(&'static str, Code)]) -> impl Fn(diesel::result::Error) -> Error {
    use diesel::result::{DatabaseErrorKind::UniqueViolation, Error::DatabaseError};
    move |error| {
        let taken = match &error {
            DatabaseError(UniqueViolation, info) => {
                codes.iter().find(|(column, _)| info.message().contains(column))
            }
            _ => None,
        };
        match taken {
            Some((_, code)) => Refusal::of(*code).into(),
            None => error.into(),
        }
    }
}
