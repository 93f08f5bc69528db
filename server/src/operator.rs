//! What the operator does beside the API: makes partners, verifies the totals, seals secrets anew.

use crate::{
    clock::{self, Clock},
    db::{
        Store, db_read, db_write,
        rows::accounts::{ApiKey, Partner},
    },
    domain::{
        api_key::ApiKeyText,
        ids::{ApiKeyId, PartnerId},
        master_key::MasterKey,
        signature::SigningSecret,
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

/// What became of the sealed secrets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Resealed {
    /// Sealed anew, under the newest version of the master key.
    pub resealed: usize,
    /// Sealed under it already.
    pub current: usize,
    /// Not to be opened with the versions that there are.
    pub unreadable: usize,
}

/// Seals every signing secret under the newest version of the master key. The server may run meanwhile, if it has that
/// version too.
pub async fn reseal(store: &Store, master_key: &MasterKey) -> Result<Resealed> {
    let mut counts = Resealed::default();
    for scope in db_read!(store, |queries, conn| queries::partners::scopes(conn))? {
        for key in db_read!(store, |queries, conn| queries::signing_keys::sealed(conn, &scope))? {
            if master_key.version_of(&key.secret_sealed) == Some(master_key.newest_version()) {
                counts.current += 1;
                continue;
            }
            let Some(secret) = SigningSecret::open(master_key, scope.id(), key.id, &key.secret_sealed) else {
                tracing::error!(key_id = %key.id, "the secret of a signing key cannot be opened");
                counts.unreadable += 1;
                continue;
            };
            let sealed = secret.seal(master_key, scope.id(), key.id, clock::random());
            counts.resealed += db_write!(store, |queries, conn| {
                queries::signing_keys::reseal(conn, &scope, &key, &sealed)
            })?;
        }
    }
    Ok(counts)
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
