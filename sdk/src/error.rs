//! Everything that can go wrong, in words for the person who reads the log.
//! No message and no `Debug` here may show a secret, a key id or a query string.

use std::time::Duration;

use crate::Refusal;

/// Says why a report has no good answer.
///
/// After [`Error::Unavailable`], [`Error::Transport`] and [`Error::UnexpectedAnswer`] the conversion may
/// have been counted all the same; reporting it again is safe, and counts it once.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The report could not be written down; nothing was sent.
    #[error("nothing was sent: {problem}")]
    NotSent {
        /// Says what to correct.
        problem: String,
    },
    /// The server read the report and refused it. Sending the same again gets the same answer.
    #[error("the server refused the report: {0}")]
    Refused(Box<Refusal>),
    /// The server could not take the report now (408, 429, 500, 502, 503, 504), on the last attempt too.
    #[error(
        "the server could not take the report now (status {status}, {attempts} attempts): send it again later"
    )]
    Unavailable {
        /// Gives the HTTP status of the last answer.
        status: u16,
        /// Counts the attempts that were made.
        attempts: u32,
        /// Says how long the last answer asked to wait, not clamped.
        retry_after: Option<Duration>,
        /// Holds the last answer, if it was the server's own and not one of a proxy before it.
        refusal: Option<Box<Refusal>>,
    },
    /// No whole answer came, on the last attempt too.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Something answered that does not speak this protocol: a proxy, a redirect, another server.
    #[error(
        "the answer is not a Tallyback server's (status {status}, {}): {problem}",
        .content_type.as_deref().unwrap_or("no content type")
    )]
    UnexpectedAnswer {
        /// Gives the HTTP status.
        status: u16,
        /// Gives the answer's content type.
        content_type: Option<String>,
        /// Says what was expected instead.
        problem: String,
    },
}

impl Error {
    /// Returns the refusal behind the error, if the server gave one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Unavailable { refusal, .. } => refusal.as_deref(),
            _ => None,
        }
    }
}

/// Says which step of an exchange failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportStep {
    /// Finding the host, connecting to it, or the TLS handshake.
    Connect,
    /// Waiting for the whole answer longer than the timeout.
    Timeout,
    /// Sending the request, or reading the answer: the connection broke.
    Exchange,
}

/// Says how the last attempt failed on the wire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no answer from {origin} ({attempts} attempts): {detail}")]
#[non_exhaustive]
pub struct TransportError {
    /// Says which step failed.
    pub step: TransportStep,
    /// Names the server: scheme, host and port, nothing else of the URL.
    pub origin: String,
    /// Counts the attempts that were made.
    pub attempts: u32,
    /// Tells the failure and its causes, without the URL.
    pub detail: String,
}

/// Says which setting of the client is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The base URL cannot be used.
    #[error("base URL: {problem}")]
    BaseUrl {
        /// Says what to correct.
        problem: String,
    },
    /// The base URL is plain HTTP to another machine.
    #[error(
        "base URL: plain http to {host} would show every report on the way, and the server refuses it; \
         use https (plain http works for this machine only)"
    )]
    PlainHttp {
        /// Names the host.
        host: String,
    },
    /// The key id is missing or cannot be used.
    #[error("key id: {problem}")]
    KeyId {
        /// Says what to correct.
        problem: String,
    },
    /// The signing secret is missing or cannot be used.
    #[error("signing secret: {problem}")]
    SigningSecret {
        /// Says what to correct. Never repeats the secret.
        problem: String,
    },
    /// The root certificate cannot be used.
    #[error("root certificate: {problem}")]
    RootCertificate {
        /// Says what to correct.
        problem: String,
    },
    /// The timeout cannot be used.
    #[error("timeout: {problem}")]
    Timeout {
        /// Says what to correct.
        problem: String,
    },
    /// The HTTP client could not be set up.
    #[error("TLS: {problem}; install the system's CA certificates, or set a root certificate")]
    Tls {
        /// Tells the failure and its causes.
        problem: String,
    },
}
