//! The log of postbacks.

use diesel::prelude::*;

use super::{Conn, Db};
use crate::{
    db::{
        list::{Listing, narrow},
        rows::records::Postback,
        schema::postbacks,
        scope::PartnerScope,
    },
    domain::ids::{Id, PostbackId},
};

/// The line with this id.
pub fn get(conn: &mut Conn, scope: &PartnerScope, id: PostbackId) -> QueryResult<Postback> {
    postbacks::table
        .filter(postbacks::partner_id.eq(scope.id()).and(postbacks::id.eq(id)))
        .select(Postback::as_select())
        .first(conn)
}

/// A page, newest first.
pub fn list(conn: &mut Conn, scope: &PartnerScope, listing: &Listing) -> QueryResult<Vec<Postback>> {
    let mut query = postbacks::table.filter(postbacks::partner_id.eq(scope.id())).into_boxed::<Db>();
    let query = narrow!(
        query,
        &listing.code => postbacks::code,
        listing.advertiser_id => postbacks::advertiser_id,
        listing.goal_id => postbacks::goal_id,
    );
    let query = match listing.after {
        Some(id) => query.filter(postbacks::id.lt(PostbackId::from_bytes(id))),
        None => query,
    };
    query.order(postbacks::id.desc()).limit(listing.rows()).select(Postback::as_select()).load(conn)
}
