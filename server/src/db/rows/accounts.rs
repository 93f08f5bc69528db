//! Partners and their keys.
#![expect(missing_docs, reason = "the migrations and the API reference say what the columns hold")]

use diesel::prelude::*;
use serde_json::{Map, Value};

use crate::{
    db::{schema, sql_types::Json},
    domain::{
        audit::AuditAction,
        ids::{AdvertiserId, ApiKeyId, AuditEventId, KeyId, PartnerId},
        signing::KeyKind,
        time::Timestamp,
        visitor::IpStorage,
    },
};

/// A tenant.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = schema::partners, treat_none_as_default_value = false)]
pub struct Partner {
    pub id: PartnerId,
    pub name: String,
    pub ip_storage: IpStorage,
    pub created_at: Timestamp,
}

/// What an update changes; `None` leaves a column as it is.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = schema::partners)]
pub struct PartnerChanges {
    pub name: Option<String>,
    pub ip_storage: Option<IpStorage>,
}

/// A key for the REST API. Of its secret only the hash is kept.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = schema::api_keys, treat_none_as_default_value = false)]
pub struct ApiKey {
    pub partner_id: PartnerId,
    pub id: ApiKeyId,
    pub name: String,
    pub secret_hash: Vec<u8>,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// A key of postbacks. The secret that it signs with is sealed under the master key; of a token, which is sent as it
/// is, only the hash is kept.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = schema::signing_keys, treat_none_as_default_value = false)]
pub struct SigningKey {
    pub partner_id: PartnerId,
    pub id: KeyId,
    pub name: String,
    pub secret_sealed: Vec<u8>,
    pub scopes: Json<Vec<String>>,
    pub advertiser_ids: Json<Vec<AdvertiserId>>,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    pub kind: KeyKind,
    pub token_hash: Option<Vec<u8>>,
    pub test: bool,
    pub allowed_ips: Json<Vec<String>>,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

impl SigningKey {
    /// Whether it works at this time.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether it worked at this time, as far as is known by now.
    pub fn worked_at(&self, time: Timestamp) -> bool {
        self.revoked_at.is_none_or(|end| time < end) && self.expires_at.is_none_or(|end| time < end)
    }
}

/// What an update changes; `None` leaves a column as it is.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = schema::signing_keys)]
pub struct SigningKeyChanges {
    pub name: Option<String>,
    pub allowed_ips: Option<Json<Vec<String>>>,
    pub expires_at: Option<Option<Timestamp>>,
}

/// That somebody changed something about keys, or about what is asked of them.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = schema::audit_events, treat_none_as_default_value = false)]
pub struct AuditEvent {
    pub partner_id: PartnerId,
    pub id: AuditEventId,
    pub actor: ApiKeyId,
    pub action: AuditAction,
    pub subject: String,
    pub details: Json<Map<String, Value>>,
    pub created_at: Timestamp,
}
