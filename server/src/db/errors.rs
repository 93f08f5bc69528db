//! What the databases' errors mean to the rest of the server.

use crate::{
    domain::{code::Code, refusal::Refusal},
    error::Error,
};

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::{DatabaseErrorKind as Kind, Error as Diesel};
        match &error {
            Diesel::NotFound => Self::not_found(),
            Diesel::DatabaseError(Kind::ClosedConnection | Kind::UnableToSendCommand, _)
            | Diesel::DatabaseError(Kind::ReadOnlyTransaction, _)
            | Diesel::BrokenTransactionManager => Self::Unavailable(error.to_string()),
            Diesel::DatabaseError(Kind::SerializationFailure, _) => Self::Contended(error.to_string()),
            Diesel::DatabaseError(_, info) if info.message().contains("deadlock detected") => {
                Self::Contended(error.to_string())
            }
            Diesel::DatabaseError(_, info) if is_passing(info.message()) => {
                Self::Unavailable(error.to_string())
            }
            _ => Self::Internal(error.to_string()),
        }
    }
}

/// Words by which the databases say that it is not the statement's fault.
const PASSING: [&str; 14] = [
    "database is locked",
    "database table is locked",
    "disk is full",
    "disk I/O error",
    "readonly database",
    "unable to open database file",
    "connection closed",
    "terminating connection",
    "the database system is",
    "No space left on device",
    "could not extend file",
    "remaining connection slots",
    "too many clients",
    "due to lock timeout",
];

/// Whether it may go by itself.
fn is_passing(message: &str) -> bool {
    PASSING.iter().any(|words| message.contains(words))
}

/// Columns whose unique keys a caller can run into.
const TAKEN: [(&str, Code); 2] =
    [("external_id", Code::ExternalIdTaken), ("event_name", Code::EventNameTaken)];

/// Turns the violation of a unique key over one of the caller's own columns into that column's code.
pub fn taken(error: diesel::result::Error) -> Error {
    use diesel::result::{DatabaseErrorKind::UniqueViolation, Error::DatabaseError};
    let code = match &error {
        DatabaseError(UniqueViolation, info) => {
            TAKEN.iter().find(|(column, _)| info.message().contains(column))
        }
        _ => None,
    };
    match code {
        Some((_, code)) => Refusal::of(*code).into(),
        None => error.into(),
    }
}
