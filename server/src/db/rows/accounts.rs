//! Partners and their keys.
#![expect(missing_docs, reason = "the migrations and the API reference say what the columns hold")]

use diesel::prelude::*;

use crate::{
    db::{schema, sql_types::Json},
    domain::{
        ids::{AdvertiserId, ApiKeyId, KeyId, PartnerId},
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

/// A key that signs postbacks. Its secret is sealed under the master key.
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
}
