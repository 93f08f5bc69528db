//! Keys that sign postbacks, and the way from a key to its partner.

use diesel::prelude::*;

use super::{Conn, Db};
use crate::{
    db::{
        list::Listing,
        rows::accounts::{SigningKey, SigningKeyChanges},
        schema::{key_directory, signing_keys},
        scope::PartnerScope,
    },
    domain::{
        ids::{Id, KeyId},
        signing::KeyKind,
        time::Timestamp,
    },
};

/// Inserts a key, and its entry in the directory.
pub fn insert(conn: &mut Conn, key: &SigningKey) -> QueryResult<()> {
    diesel::insert_into(key_directory::table)
        .values((key_directory::key_id.eq(key.id), key_directory::partner_id.eq(key.partner_id)))
        .execute(conn)?;
    diesel::insert_into(signing_keys::table).values(key).execute(conn).map(drop)
}

/// The key with this id, of whichever partner: for authentication alone.
pub fn find_any(conn: &mut Conn, id: KeyId) -> QueryResult<Option<(PartnerScope, SigningKey)>> {
    let found: Option<SigningKey> = key_directory::table
        .inner_join(signing_keys::table.on(signing_keys::partner_id.eq(key_directory::partner_id)))
        .filter(key_directory::key_id.eq(id).and(signing_keys::id.eq(id)))
        .select(SigningKey::as_select())
        .get_result(conn)
        .optional()?;
    Ok(found.map(|key| (PartnerScope::established(key.partner_id), key)))
}

/// The key with this id, or "not found".
pub fn get(conn: &mut Conn, scope: &PartnerScope, id: KeyId) -> QueryResult<SigningKey> {
    signing_keys::table
        .filter(signing_keys::partner_id.eq(scope.id()).and(signing_keys::id.eq(id)))
        .select(SigningKey::as_select())
        .get_result(conn)
}

/// Those of the keys that are there.
pub fn named(conn: &mut Conn, scope: &PartnerScope, ids: Vec<KeyId>) -> QueryResult<Vec<SigningKey>> {
    signing_keys::table
        .filter(signing_keys::partner_id.eq(scope.id()).and(signing_keys::id.eq_any(ids)))
        .select(SigningKey::as_select())
        .load(conn)
}

/// Changes a key and returns it as it is then.
pub fn update(
    conn: &mut Conn,
    scope: &PartnerScope,
    id: KeyId,
    changes: &SigningKeyChanges,
) -> QueryResult<SigningKey> {
    let key =
        signing_keys::table.filter(signing_keys::partner_id.eq(scope.id())).filter(signing_keys::id.eq(id));
    diesel::update(key).set(changes).returning(SigningKey::as_returning()).get_result(conn)
}

/// Puts a secret that is sealed anew in place of the old one, unless that has changed.
pub fn reseal(conn: &mut Conn, scope: &PartnerScope, key: &SigningKey, sealed: &[u8]) -> QueryResult<usize> {
    let row = signing_keys::table
        .filter(signing_keys::partner_id.eq(scope.id()))
        .filter(signing_keys::id.eq(key.id).and(signing_keys::secret_sealed.eq(&key.secret_sealed)));
    diesel::update(row).set(signing_keys::secret_sealed.eq(sealed)).execute(conn)
}

/// All keys that sign.
pub fn sealed(conn: &mut Conn, scope: &PartnerScope) -> QueryResult<Vec<SigningKey>> {
    signing_keys::table
        .filter(signing_keys::partner_id.eq(scope.id()))
        .filter(signing_keys::kind.eq(KeyKind::Signature))
        .select(SigningKey::as_select())
        .load(conn)
}

/// A page, newest first.
pub fn list(conn: &mut Conn, scope: &PartnerScope, listing: &Listing) -> QueryResult<Vec<SigningKey>> {
    let query = signing_keys::table.filter(signing_keys::partner_id.eq(scope.id())).into_boxed::<Db>();
    let query = match listing.after {
        Some(id) => query.filter(signing_keys::id.lt(KeyId::from_bytes(id))),
        None => query,
    };
    query.order(signing_keys::id.desc()).limit(listing.rows()).select(SigningKey::as_select()).load(conn)
}

/// Notes when a key was last used, if nobody has noted a later use.
pub fn set_last_used(conn: &mut Conn, scope: &PartnerScope, id: KeyId, at: Timestamp) -> QueryResult<()> {
    let key =
        signing_keys::table.filter(signing_keys::partner_id.eq(scope.id())).filter(signing_keys::id.eq(id));
    let earlier = signing_keys::last_used_at.is_null().or(signing_keys::last_used_at.lt(at));
    diesel::update(key.filter(earlier)).set(signing_keys::last_used_at.eq(at)).execute(conn).map(drop)
}

/// Revokes a key; one that is revoked already keeps its time.
pub fn revoke(conn: &mut Conn, scope: &PartnerScope, id: KeyId, now: Timestamp) -> QueryResult<SigningKey> {
    let key =
        signing_keys::table.filter(signing_keys::partner_id.eq(scope.id())).filter(signing_keys::id.eq(id));
    diesel::update(key.filter(signing_keys::revoked_at.is_null()))
        .set(signing_keys::revoked_at.eq(now))
        .execute(conn)?;
    key.select(SigningKey::as_select()).get_result(conn)
}
