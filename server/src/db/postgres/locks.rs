//! Row locks: who holds them is alone with the rows until its transaction ends.

use diesel::prelude::*;

use super::Conn;
use crate::{
    db::{
        schema::{conversions, postbacks},
        scope::PartnerScope,
    },
    domain::ids::{ConversionId, PostbackId},
};

/// Locks conversions, in the order of their ids: two that lock the same never wait for each other.
pub fn lock_conversions(conn: &mut Conn, scope: &PartnerScope, ids: &[ConversionId]) -> QueryResult<()> {
    conversions::table
        .filter(conversions::partner_id.eq(scope.id()).and(conversions::id.eq_any(ids)))
        .order(conversions::id)
        .select(conversions::id)
        .for_update()
        .load::<ConversionId>(conn)
        .map(drop)
}

/// Locks lines of the log, in the order of their ids: each is judged again by one at a time.
pub fn lock_postbacks(conn: &mut Conn, scope: &PartnerScope, ids: &[PostbackId]) -> QueryResult<()> {
    postbacks::table
        .filter(postbacks::partner_id.eq(scope.id()).and(postbacks::id.eq_any(ids)))
        .order(postbacks::id)
        .select(postbacks::id)
        .for_update()
        .load::<PostbackId>(conn)
        .map(drop)
}
