//! Clicks: written in batches, read one by one and in pages.

use diesel::prelude::*;

use super::{Conn, Db};
use crate::{
    db::{
        list::{Listing, narrow},
        rows::records::Click,
        schema::clicks,
        scope::PartnerScope,
    },
    domain::click_id::ClickId,
};

/// The click with this id.
pub fn find(conn: &mut Conn, scope: &PartnerScope, id: ClickId) -> QueryResult<Option<Click>> {
    clicks::table
        .filter(clicks::partner_id.eq(scope.id()).and(clicks::id.eq(id)))
        .select(Click::as_select())
        .get_result(conn)
        .optional()
}

/// A page, newest first.
pub fn list(conn: &mut Conn, scope: &PartnerScope, listing: &Listing) -> QueryResult<Vec<Click>> {
    let mut query = clicks::table.filter(clicks::partner_id.eq(scope.id())).into_boxed::<Db>();
    let query = narrow!(
        query,
        listing.advertiser_id => clicks::advertiser_id,
        listing.campaign_id => clicks::campaign_id,
        listing.link_id => clicks::link_id,
        listing.publisher_id => clicks::publisher_id,
    );
    let query = match listing.after {
        Some(id) => query.filter(clicks::id.lt(ClickId::from_bytes(id))),
        None => query,
    };
    query.order(clicks::id.desc()).limit(listing.rows()).select(Click::as_select()).load(conn)
}
