//! What the operator does beside the API: makes partners, verifies the totals.

use crate::{
    clock::{self, Clock},
    db::{
        Store, db_read, db_write,
        rows::accounts::{ApiKey, Partner},
    },
    domain::{
        api_key::ApiKeyText,
        ids::{ApiKeyId, PartnerId},
        text::Name,
        totals::{Difference, Verified},
        visitor::IpStorage,
    },
    error::Result,
};

/// A new partner, and its first API key, which is shown this once.
pub struct NewPartner {
    /// The partner.
    pub id: PartnerId,
    /// The key.
    pub api_key: ApiKeyText,
}

/// Makes a partner with a first API key.
pub async fn create_partner(store: &Store, clock: &Clock, name: &Name) -> Result<NewPartner> {
    let (id, key_id): (PartnerId, ApiKeyId) = (clock.new_id(), clock.new_id());
    let api_key = ApiKeyText::new(key_id, clock::random());
    let now = clock.now();
    let partner =
        Partner { id, name: name.as_str().to_owned(), ip_storage: IpStorage::Truncated, created_at: now };
    let key = ApiKey {
        partner_id: id,
        id: key_id,
        name: "first".to_owned(),
        secret_hash: api_key.hash().to_vec(),
        created_at: now,
        revoked_at: None,
    };
    db_write!(store, |queries, conn| {
        queries::partners::insert(conn, &partner)?;
        queries::api_keys::insert(conn, &key)
    })?;
    Ok(NewPartner { id, api_key })
}

/// Compares what reports read with the rows, for every partner, and tells each difference as it is found.
/// It writes nothing, and the server may run meanwhile: each partner is seen in one snapshot.
pub async fn verify(store: &Store, tell: fn(PartnerId, &Difference)) -> Result<Verified> {
    let mut verified = Verified::default();
    for scope in db_read!(store, |queries, conn| queries::partners::scopes(conn))? {
        verified.add(db_read!(store, |queries, conn| {
            queries::verify::compare(conn, &scope, |difference| tell(scope.id(), difference))
        })?);
    }
    Ok(verified)
}
