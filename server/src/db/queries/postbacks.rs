//! The log of postbacks.

use diesel::{dsl::not, prelude::*};

use super::{Conn, Db, reruns::is_rerunnable};
use crate::{
    db::{
        list::{Listing, narrow},
        rows::records::Postback,
        schema::postbacks,
        scope::PartnerScope,
    },
    domain::ids::{AdvertiserId, Id, KeyId, PostbackId},
};

/// The line with this id.
pub fn get(conn: &mut Conn, scope: &PartnerScope, id: PostbackId) -> QueryResult<Postback> {
    postbacks::table
        .filter(postbacks::partner_id.eq(scope.id()).and(postbacks::id.eq(id)))
        .select(Postback::as_select())
        .first(conn)
}

/// What enforcing would have answered, if it would have refused; the key that was named; how many lines.
type NotEnforced = (Option<String>, Option<KeyId>, i64);

/// An advertiser's lines from an id on, counted by what enforcing the signature would have answered, and by key.
pub fn count_not_enforced(
    conn: &mut Conn,
    scope: &PartnerScope,
    advertiser: AdvertiserId,
    first: PostbackId,
) -> QueryResult<Vec<NotEnforced>> {
    let own = postbacks::partner_id.eq(scope.id()).and(postbacks::id.ge(first));
    postbacks::table
        .filter(own.and(postbacks::advertiser_id.eq(advertiser)).and(postbacks::test.eq(false)))
        .group_by((postbacks::not_enforced, postbacks::key_id))
        .select((postbacks::not_enforced, postbacks::key_id, diesel::dsl::count_star()))
        .load(conn)
}

/// A page, newest first.
pub fn list(conn: &mut Conn, scope: &PartnerScope, listing: &Listing) -> QueryResult<Vec<Postback>> {
    let own = postbacks::partner_id.eq(scope.id()).and(postbacks::test.eq(listing.test));
    let mut query = postbacks::table.filter(own).into_boxed::<Db>();
    let query = narrow!(
        query,
        &listing.code => postbacks::code,
        listing.advertiser_id => postbacks::advertiser_id,
        listing.goal_id => postbacks::goal_id,
    );
    let query = match listing.rerunnable {
        Some(true) => query.filter(is_rerunnable()),
        Some(false) => query.filter(not(is_rerunnable())),
        None => query,
    };
    let query = match listing.after {
        Some(id) => query.filter(postbacks::id.lt(PostbackId::from_bytes(id))),
        None => query,
    };
    query.order(postbacks::id.desc()).limit(listing.rows()).select(Postback::as_select()).load(conn)
}
