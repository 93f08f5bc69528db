//! Who sent a postback: the key it names, and whether it is really that key's owner.
//! An unknown key, a revoked one, a wrong token and a wrong signature are one answer.

use std::{net::IpAddr, sync::Arc};

use actix_web::http::header::{HeaderMap, HeaderName};

use super::intake::Sent;
use crate::{
    cache::KnownKey,
    domain::{
        api_key::TokenText,
        attribution::{KeyPowers, Proof},
        code::Code,
        ids::{AdvertiserId, Id, KeyId, Reference},
        masking, parameters,
        refusal::Refusal,
        scopes::Scope,
        signature::{
            SignedQuery, SigningSecret, SplitError, TimestampProblem, check_timestamp, verify_message,
            verify_query,
        },
        time::Timestamp,
        trace::Origin,
    },
    error::Result,
    http::{State, head::Head},
};

/// The most that is kept of what a wrong signature should be of, in bytes: anybody who knows a key's id can send one.
const LONGEST_SIGNED: usize = 1024;

/// Names the key.
const KEY_ID: HeaderName = HeaderName::from_static("x-key-id");
/// Names the message.
const ID: HeaderName = HeaderName::from_static("webhook-id");
/// Says when it was signed.
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// Proves who signed it.
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

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
    /// A static token.
    Token(TokenText),
    /// A key is named, and nothing proves that it was used.
    Unsigned {
        /// The key.
        key_id: &'a str,
        /// What is missing.
        refusal: Refusal,
    },
}

impl<'a> Claim<'a> {
    /// Reads a query: signed, or with a token.
    pub fn of_query(head: &Head<'a>) -> Result<Self, Refusal> {
        let raw = head.query();
        let error = match SignedQuery::split(raw) {
            Ok(query) => return Ok(Self::Query { path: head.path(), query }),
            Err(error) => error,
        };
        if let Some(claim) = Self::of_token(raw)? {
            return Ok(claim);
        }
        let refusal = match error {
            SplitError::Missing => Refusal::of(Code::SignatureMissing),
            SplitError::Misplaced => Refusal::new(
                Code::SignatureInvalid,
                "`key_id`, `ts` and `sig` must be the last three parameters, in this order.",
            ),
        };
        match parameters::raw_value(raw, "key_id") {
            Some(key_id) => Ok(Self::Unsigned { key_id, refusal }),
            None => Err(refusal),
        }
    }

    /// Reads the headers of a signed message.
    pub fn of_message(headers: &'a HeaderMap, body: &'a [u8]) -> Result<Self, Refusal> {
        let key_id = header(headers, &KEY_ID)?;
        Ok(Self::of_headers(key_id, headers, body)
            .unwrap_or_else(|refusal| Self::Unsigned { key_id, refusal }))
    }

    /// Reads a form: signed like any message, or with a token among its parameters.
    pub fn of_form(headers: &'a HeaderMap, body: &'a [u8]) -> Result<Self, Refusal> {
        let text = if headers.contains_key(&KEY_ID) { None } else { std::str::from_utf8(body).ok() };
        match text.map(Self::of_token).transpose()?.flatten() {
            Some(claim) => Ok(claim),
            None => Self::of_message(headers, body),
        }
    }

    fn of_headers(key_id: &'a str, headers: &'a HeaderMap, body: &'a [u8]) -> Result<Self, Refusal> {
        Ok(Self::Message {
            key_id,
            id: message_id(headers)?,
            timestamp: header(headers, &TIMESTAMP)?,
            signature: header(headers, &SIGNATURE)?,
            body,
        })
    }

    fn of_token(urlencoded: &str) -> Result<Option<Self>, Refusal> {
        let token = parameters::raw_value(urlencoded, "token").filter(|token| !token.is_empty());
        let Some(token) = token else { return Ok(None) };
        let token = TokenText::parse(token).ok_or_else(|| Refusal::of(Code::SignatureInvalid))?;
        Ok(Some(Self::Token(token)))
    }

    /// The id of the key that is named.
    fn key_id(&self) -> Option<KeyId> {
        match self {
            Self::Query { query, .. } => KeyId::parse(query.key_id),
            Self::Message { key_id, .. } | Self::Unsigned { key_id, .. } => KeyId::parse(key_id),
            Self::Token(token) => Some(token.id()),
        }
    }

    /// The message's id.
    pub fn message_id(&self) -> Option<&'a str> {
        match self {
            Self::Message { id, .. } => Some(id),
            Self::Query { .. } | Self::Token(_) | Self::Unsigned { .. } => None,
        }
    }

    /// Whether it is what the owner of a key sends: signature first, so that a stranger learns nothing else.
    fn prove(&self, known: &KnownKey, now: Timestamp) -> Result<Proof, Unproven> {
        if !known.row.is_live(now) {
            return Err(Unproven { refusal: self.disproved(), may_be_observed: false });
        }
        let signed = match (self, &known.row.token_hash) {
            (Self::Token(token), Some(hash)) if token.matches(hash) => {
                let is_bound = !known.row.allowed_ips.0.is_empty();
                return Ok(if is_bound { Proof::Token } else { Proof::WeakToken });
            }
            (Self::Token(_), _) | (_, Some(_)) => {
                return Err(Unproven { refusal: self.disproved(), may_be_observed: false });
            }
            (Self::Unsigned { refusal, .. }, None) => Err(refusal.clone()),
            (Self::Query { .. } | Self::Message { .. }, None) => {
                let is_signed = known.secret.as_ref().is_some_and(|secret| self.is_signed_with(secret));
                if is_signed { self.check_time(now) } else { Err(self.disproved()) }
            }
        };
        let may_be_observed = known.secret.is_some();
        signed.map(|()| Proof::Signature).map_err(|refusal| Unproven { refusal, may_be_observed })
    }

    /// What a claim comes to that no live key proves: the same whether the key is unknown, revoked, or another one.
    fn disproved(&self) -> Refusal {
        match self {
            Self::Unsigned { refusal, .. } => refusal.clone(),
            _ => Refusal::of(Code::SignatureInvalid),
        }
    }

    fn is_signed_with(&self, secret: &SigningSecret) -> bool {
        match self {
            Self::Query { path, query } => verify_query(secret, path, query),
            Self::Message { id, timestamp, signature, body, .. } => {
                verify_message(secret, id, timestamp, body, signature)
            }
            Self::Token(_) | Self::Unsigned { .. } => false,
        }
    }

    fn check_time(&self, now: Timestamp) -> Result<(), Refusal> {
        let Some(timestamp) = self.timestamp() else { return Ok(()) };
        check_timestamp(timestamp, now).map_err(|problem| out_of_tolerance(problem, now))
    }

    /// When it was signed, as it says.
    fn timestamp(&self) -> Option<&'a str> {
        match self {
            Self::Query { query, .. } => Some(query.timestamp),
            Self::Message { timestamp, .. } => Some(timestamp),
            Self::Token(_) | Self::Unsigned { .. } => None,
        }
    }

    /// What a signature has to be of: its beginning, for the log, without personal data.
    fn signed(&self) -> Option<String> {
        match self {
            Self::Query { path, query } => {
                Some(format!("GET\n{path}\n{}", masking::query(query.signed, LONGEST_SIGNED)))
            }
            Self::Message { id, timestamp, body, .. } => {
                let start = String::from_utf8_lossy(&body[..body.len().min(2 * LONGEST_SIGNED)]);
                let body = masking::text(&start, LONGEST_SIGNED);
                Some(format!("{}.{}.{body}", masking::short(id), masking::short(timestamp)))
            }
            Self::Token(_) | Self::Unsigned { .. } => None,
        }
    }
}

/// Why a postback proves nothing.
struct Unproven {
    refusal: Refusal,
    /// Whether an advertiser that only observes takes it all the same.
    may_be_observed: bool,
}

/// Who sent a postback.
pub struct Sender {
    /// The key.
    pub key: Arc<KnownKey>,
    /// The signed message's id, as it may be kept.
    pub message_id: Option<String>,
    /// When it came.
    pub now: Timestamp,
    client: IpAddr,
    /// When it was signed, as the sender wrote it.
    timestamp: Option<String>,
    /// What its signature should be of, where it does not hold.
    signed: Option<String>,
    proof: Result<Proof, Unproven>,
}

impl Sender {
    /// Finds the key that a claim names, and checks the claim against it. An unknown key is refused: nobody owns the
    /// line of the log.
    pub async fn find(state: &State, claim: &Claim<'_>, client: IpAddr) -> Result<Self> {
        let key = match claim.key_id() {
            Some(id) => state.cache.signing_key(id).await?,
            None => None,
        };
        let key = key.ok_or_else(|| claim.disproved())?;
        let now = state.clock.now();
        let proof = claim.prove(&key, now);
        let message_id = claim.message_id().map(|id| masking::short(id).into_owned());
        let timestamp = claim.timestamp().map(|text| masking::short(text).into_owned());
        let signed = if proof.is_err() { claim.signed() } else { None };
        Ok(Self { message_id, now, client, timestamp, signed, proof, key })
    }

    /// How a report of so many bytes came.
    pub fn origin(&self, bytes: usize) -> Origin {
        let (timestamp, signed) = (self.timestamp.clone(), self.signed.clone());
        Origin { ip: Some(self.client), timestamp, bytes, signed, ..Origin::default() }
    }

    /// What the sender may do with a report.
    pub async fn powers(
        &self,
        head: &Head<'_>,
        state: &State,
        sent: &Sent<'_>,
    ) -> Result<Result<KeyPowers, Refusal>> {
        match &self.proof {
            Ok(Proof::Signature) => Ok(self.used(state, Proof::Signature)),
            _ => self.powers_over(head, state, sent.named_advertiser()).await,
        }
    }

    /// What the sender may do for the advertiser that is named, or for all that can be meant.
    pub async fn powers_over(
        &self,
        head: &Head<'_>,
        state: &State,
        named: Option<Reference<AdvertiserId>>,
    ) -> Result<Result<KeyPowers, Refusal>> {
        let (scope, row) = (self.key.scope, &self.key.row);
        let proof = match &self.proof {
            Ok(Proof::Token | Proof::WeakToken) if !state.cache.takes_token(scope, row).await? => {
                return Ok(Err(Refusal::of(Code::TokenNotAllowed)));
            }
            Ok(proof) => *proof,
            Err(unproven) => {
                let observed = unproven.may_be_observed && state.cache.observes(scope, row, named).await?;
                if !observed {
                    state.rate_limits.take_wrong_signature(head, row.id, self.now)?;
                    return Ok(Err(unproven.refusal.clone()));
                }
                Proof::NotEnforced(unproven.refusal.code)
            }
        };
        Ok(self.used(state, proof))
    }

    fn used(&self, state: &State, proof: Proof) -> Result<KeyPowers, Refusal> {
        state.key_uses.note(&self.key, self.now);
        self.permitted(proof, Scope::ConversionsWrite)
    }

    /// Refuses, without a line in the log, when too much comes under the key that proves nothing.
    pub fn refuse_flood(&self, head: &Head<'_>, state: &State) -> Result<(), Refusal> {
        match &self.proof {
            Ok(_) => Ok(()),
            Err(_) => state.rate_limits.take_wrong_signature(head, self.key.row.id, self.now),
        }
    }

    /// What the sender may do with a signed message that needs another scope. It is always enforced, whatever the
    /// advertiser only observes of its reports.
    pub fn enforced_powers(&self, state: &State, needed: Scope) -> Result<KeyPowers, Refusal> {
        let proof = self.proof.as_ref().map_err(|unproven| unproven.refusal.clone())?;
        state.key_uses.note(&self.key, self.now);
        self.permitted(*proof, needed)
    }

    fn permitted(&self, proof: Proof, needed: Scope) -> Result<KeyPowers, Refusal> {
        if !self.key.works_from(self.client) {
            let detail = format!("The key does not work from {}.", self.client);
            return Err(Refusal::new(Code::SourceIpNotAllowed, detail));
        }
        if self.key.has(needed) { Ok(self.key.powers(proof)) } else { Err(lacks(needed)) }
    }
}

/// The message's id. A dot in it would let two messages look the same when they are signed.
fn message_id(headers: &HeaderMap) -> Result<&str, Refusal> {
    let id = header(headers, &ID)?;
    if (1..=256).contains(&id.len()) && !id.contains('.') {
        return Ok(id);
    }
    Err(Refusal::new(
        Code::SignatureInvalid,
        "`webhook-id` must have 1 to 256 characters, none of them a dot.",
    ))
}

/// A header that stands once.
fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, Refusal> {
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

/// The refusal of a key that may not do something.
pub fn lacks(scope: Scope) -> Refusal {
    Refusal::new(Code::ScopeMissing, format!("The key lacks the scope `{scope}`."))
}

fn out_of_tolerance(problem: TimestampProblem, now: Timestamp) -> Refusal {
    Refusal::new(Code::TimestampOutOfTolerance, problem.to_string()).fact("server_time", now.seconds())
}
