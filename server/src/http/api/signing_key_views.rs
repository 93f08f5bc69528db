//! Signing keys and tokens on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    db::rows::accounts::SigningKey,
    domain::{
        ids::{AdvertiserId, KeyId},
        scopes::Scope,
        signing::KeyKind,
        time::Timestamp,
    },
    http::{State, fields::not_null},
};

/// A new signing key or token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Shop back end", "advertiser_ids": ["adv_01kayw5m8hfz2v6y0t3n7r9q4c"]})))]
pub struct CreateSigningKey {
    /// A name for people, 1 to 200 characters.
    #[schema(required, value_type = String)]
    pub name: Option<String>,
    /// `signature` (by default): it signs. `token`: a static token, sent as `token=`, for systems that cannot sign; it
    /// speaks for exactly one advertiser, which has to allow it, and reports conversions only.
    #[schema(value_type = Option<KeyKind>)]
    pub kind: Option<String>,
    /// The advertisers it speaks for: ids, or `ext:` and your own. Empty or absent: all of yours.
    pub advertiser_ids: Option<Vec<String>>,
    /// What it may do; `conversions:write` alone by default.
    #[schema(value_type = Option<Vec<Scope>>)]
    pub scopes: Option<Vec<String>>,
    /// Addresses and networks (CIDR) that it works from, at most 100. Empty or absent: from everywhere. Behind a proxy
    /// that the operator trusts, what counts is the address that the proxy saw.
    #[schema(max_items = 100)]
    pub allowed_ips: Option<Vec<String>>,
    /// true: a test key. What it signs is decided wholly and answered `validated`; it is logged apart, and never
    /// counted. false by default.
    pub test: Option<bool>,
    /// When it ends by itself; never by default.
    #[schema(value_type = Option<Timestamp>)]
    pub expires_at: Option<String>,
}

/// What to change about a signing key; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Shop back end", "allowed_ips": ["192.0.2.7", "2001:db8::/32"]})))]
pub struct UpdateSigningKey {
    /// A name for people.
    #[serde(default, deserialize_with = "not_null")]
    pub name: Option<String>,
    /// Addresses and networks (CIDR) that it works from; empty: from everywhere.
    #[serde(default, deserialize_with = "not_null")]
    pub allowed_ips: Option<Vec<String>>,
}

/// How a key gives way to a new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"grace_seconds": 172_800})))]
pub struct RotateSigningKey {
    /// How long the old key goes on working, in seconds, at most 30 days; 172800 (48 hours) by default. 0: not at all.
    #[schema(minimum = 0, maximum = 2_592_000)]
    pub grace_seconds: Option<i64>,
}

/// A signing key or a token.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"id": "key_01kayw5m8hfz2v6y0t3n7r9q4c", "name": "Shop back end", "kind": "signature", "advertiser_ids": ["adv_01kayw5m8hfz2v6y0t3n7r9q4c"], "scopes": ["conversions:write"], "allowed_ips": [], "test": false, "created_at": "2026-11-22T10:00:00Z", "expires_at": null, "revoked_at": null, "last_used_at": "2026-11-22T11:30:00Z"})))]
pub struct SigningKeyView {
    /// Its id: what `X-Key-Id` and `key_id` say.
    id: KeyId,
    /// A name for people.
    name: String,
    /// Whether it signs, or is sent as it is.
    kind: KeyKind,
    /// The advertisers it speaks for; empty: all of yours.
    advertiser_ids: Vec<AdvertiserId>,
    /// What it may do.
    #[schema(value_type = Vec<Scope>)]
    scopes: Vec<String>,
    /// Addresses and networks that it works from; empty: from everywhere.
    allowed_ips: Vec<String>,
    /// Whether what it signs is only validated.
    test: bool,
    /// When it was made.
    created_at: Timestamp,
    /// When it ends by itself, as after a rotation; null: never.
    expires_at: Option<Timestamp>,
    /// When it was revoked; null while it is live.
    revoked_at: Option<Timestamp>,
    /// When it was last used, to about a minute; null: never.
    last_used_at: Option<Timestamp>,
}

/// A signing key with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"id": "key_01kayw5m8hfz2v6y0t3n7r9q4c", "name": "Shop back end", "kind": "signature", "advertiser_ids": [], "scopes": ["conversions:write"], "allowed_ips": [], "test": false, "created_at": "2026-11-22T10:00:00Z", "expires_at": null, "revoked_at": null, "last_used_at": null, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="})))]
pub struct NewSigningKeyView {
    /// The key.
    #[serde(flatten)]
    pub key: SigningKeyView,
    /// The secret to sign with (`whsec_...`), or the token (`tbt_...`). It cannot be shown again.
    pub secret: String,
}

/// A new signing key with its secret, which is shown this once, and the key that gives way to it.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"id": "key_01kayw5m8hfz2v6y0t3n7r9q4c", "name": "Shop back end", "kind": "signature", "advertiser_ids": [], "scopes": ["conversions:write"], "allowed_ips": [], "test": false, "created_at": "2026-11-22T10:00:00Z", "expires_at": null, "revoked_at": null, "last_used_at": null, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=", "replaced": {"id": "key_01kayw5m8hfz2v6y0t3n7r9q4c", "name": "Shop back end", "kind": "signature", "advertiser_ids": [], "scopes": ["conversions:write"], "allowed_ips": [], "test": false, "created_at": "2026-01-22T10:00:00Z", "expires_at": "2026-11-24T10:00:00Z", "revoked_at": null, "last_used_at": "2026-11-22T09:59:00Z"}})))]
pub struct RotatedSigningKeyView {
    /// The new key, with its secret.
    #[serde(flatten)]
    pub new: NewSigningKeyView,
    /// The old key: `expires_at` says how long it still works.
    pub replaced: SigningKeyView,
}

impl SigningKeyView {
    /// A key as it is now: that it was just used may not be written down yet.
    pub fn new(row: SigningKey, state: &State) -> Self {
        Self {
            id: row.id,
            name: row.name,
            kind: row.kind,
            advertiser_ids: row.advertiser_ids.0,
            scopes: row.scopes.0,
            allowed_ips: row.allowed_ips.0,
            test: row.test,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at.max(state.key_uses.last(row.id)),
        }
    }
}
