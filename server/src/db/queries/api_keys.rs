//! Keys for the REST API, and the way from a key to its partner.

use diesel::prelude::*;

use super::Conn;
use crate::{
    db::{
        rows::accounts::ApiKey,
        schema::{api_keys, key_directory},
    },
    domain::ids::ApiKeyId,
};

/// Inserts a key, and its entry in the directory.
pub fn insert(conn: &mut Conn, key: &ApiKey) -> QueryResult<()> {
    diesel::insert_into(key_directory::table)
        .values((key_directory::key_id.eq(key.id), key_directory::partner_id.eq(key.partner_id)))
        .execute(conn)?;
    diesel::insert_into(api_keys::table).values(key).execute(conn).map(drop)
}

/// The key with this id, of whichever partner: for authentication alone.
pub fn find_any(conn: &mut Conn, id: ApiKeyId) -> QueryResult<Option<ApiKey>> {
    key_directory::table
        .inner_join(api_keys::table.on(api_keys::partner_id.eq(key_directory::partner_id)))
        .filter(key_directory::key_id.eq(id).and(api_keys::id.eq(id)))
        .select(ApiKey::as_select())
        .get_result(conn)
        .optional()
}
