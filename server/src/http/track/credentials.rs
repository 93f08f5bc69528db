//! Who sent a postback: the key it names, and whether the signature is that key's.
//! An unknown key, a revoked one and a wrong signature are one answer.

use std::sync::Arc;

use actix_web::{HttpRequest, http::header::HeaderMap};

use crate::{
    cache::KnownKey,
    domain::{
        attribution::KeyPowers,
        code::Code,
        ids::{Id, KeyId},
        refusal::Refusal,
        scopes::Scope,
        signature::{
            SignedQuery, SigningSecret, SplitError, TimestampProblem, check_timestamp, verify_message,
            verify_query,
        },
        time::Timestamp,
    },
    error::Result,
    http::State,
};

/// What a postback says about who sent it.
pub enum Claim<'a> {
    /// A signed query.
    Query {
        /// The path it was sent to.
        path: &'a str,
        /// The query, in its parts.
        query: SignedQuery<'a>,
    },
    /// A signed message.
    Message {
        /// `X-Key-Id`.
        key_id: &'a str,
        /// `webhook-id`.
        id: &'a str,
        /// `webhook-timestamp`.
        timestamp: &'a str,
        /// `webhook-signature`.
        signature: &'a str,
        /// The raw body.
        body: &'a [u8],
    },
}

impl<'a> Claim<'a> {
    /// Reads a signed query.
    pub fn of_query(request: &'a HttpRequest) -> Result<Self, Refusal> {
        let query = SignedQuery::split(request.query_string()).map_err(|error| match error {
            SplitError::Missing => Refusal::of(Code::SignatureMissing),
            SplitError::Misplaced => Refusal::new(
                Code::SignatureInvalid,
                "`key_id`, `ts` and `sig` must be the last three parameters, in this order.",
            ),
        })?;
        Ok(Self::Query { path: request.path(), query })
    }

    /// Reads the headers of a signed message.
    pub fn of_message(headers: &'a HeaderMap, body: &'a [u8]) -> Result<Self, Refusal> {
        Ok(Self::Message {
            key_id: header(headers, "x-key-id")?,
            id: message_id(headers)?,
            timestamp: header(headers, "webhook-timestamp")?,
            signature: header(headers, "webhook-signature")?,
            body,
        })
    }

    /// The id of the key that is named.
    pub fn key_id(&self) -> Option<KeyId> {
        KeyId::parse(match self {
            Self::Query { query, .. } => query.key_id,
            Self::Message { key_id, .. } => key_id,
        })
    }

    /// The message's id.
    pub fn message_id(&self) -> Option<&'a str> {
        match self {
            Self::Query { .. } => None,
            Self::Message { id, .. } => Some(id),
        }
    }

    fn is_signed_with(&self, secret: &SigningSecret) -> bool {
        match self {
            Self::Query { path, query } => verify_query(secret, path, query),
            Self::Message { id, timestamp, signature, body, .. } => {
                verify_message(secret, id, timestamp, body, signature)
            }
        }
    }

    fn timestamp(&self) -> &'a str {
        match self {
            Self::Query { query, .. } => query.timestamp,
            Self::Message { timestamp, .. } => timestamp,
        }
    }
}

/// The message's id. A dot in it would let two messages look the same when they are signed.
fn message_id(headers: &HeaderMap) -> Result<&str, Refusal> {
    let id = header(headers, "webhook-id")?;
    if (1..=256).contains(&id.len()) && !id.contains('.') {
        return Ok(id);
    }
    Err(Refusal::new(
        Code::SignatureInvalid,
        "`webhook-id` must have 1 to 256 characters, none of them a dot.",
    ))
}

/// A header that stands once.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Refusal> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (None, _) => Err(Refusal::new(Code::SignatureMissing, format!("The header `{name}` is missing."))),
        (Some(_), Some(_)) => {
            Err(Refusal::new(Code::SignatureInvalid, format!("The header `{name}` stands twice.")))
        }
        (Some(value), None) => value
            .to_str()
            .map_err(|_| Refusal::new(Code::SignatureInvalid, format!("`{name}` is not plain text."))),
    }
}

/// The key that a claim names, if there is one.
pub async fn named_key(state: &State, claim: &Claim<'_>) -> Result<Option<Arc<KnownKey>>> {
    match claim.key_id() {
        Some(id) => state.cache.signing_key(id).await,
        None => Ok(None),
    }
}

/// Checks a claim against the key it names: signature first, so that a stranger learns nothing else.
pub fn check(
    claim: &Claim<'_>,
    known: &KnownKey,
    needed: Scope,
    now: Timestamp,
) -> Result<KeyPowers, Refusal> {
    let is_signed = known.secret.as_ref().is_some_and(|secret| claim.is_signed_with(secret));
    let key = &known.row;
    if !is_signed || key.revoked_at.is_some() {
        return Err(Refusal::of(Code::SignatureInvalid));
    }
    check_timestamp(claim.timestamp(), now).map_err(|problem| out_of_tolerance(problem, now))?;
    let may = |scope: Scope| key.scopes.0.iter().any(|word| word == scope.as_str());
    if !may(needed) {
        return Err(lacks(needed));
    }
    Ok(KeyPowers { advertisers: key.advertiser_ids.0.clone(), may_decide_status: may(Scope::StatusWrite) })
}

/// The refusal of a key that may not do something.
pub fn lacks(scope: Scope) -> Refusal {
    Refusal::new(Code::ScopeMissing, format!("The key lacks the scope `{scope}`."))
}

fn out_of_tolerance(problem: TimestampProblem, now: Timestamp) -> Refusal {
    Refusal::new(Code::TimestampOutOfTolerance, problem.to_string()).fact("server_time", now.seconds())
}
