//! What this installation knows about itself.

use diesel::prelude::*;

use super::Conn;
use crate::db::schema::installation;

const MASTER_KEY: &str = "master_key_fingerprint";

/// The fingerprint of the master key that this database was made with; the first caller's is kept.
pub fn master_key_fingerprint(conn: &mut Conn, ours: &str) -> QueryResult<String> {
    diesel::insert_into(installation::table)
        .values((installation::name.eq(MASTER_KEY), installation::value.eq(ours)))
        .on_conflict(installation::name)
        .do_nothing()
        .execute(conn)?;
    installation::table.find(MASTER_KEY).select(installation::value).get_result(conn)
}
