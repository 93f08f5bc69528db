//! Impressions: written in batches, read one by one and in pages.

use diesel::prelude::*;

use super::{Conn, Db};
use crate::{
    db::{
        list::{Listing, narrow},
        rows::records::Impression,
        schema::impressions,
        scope::PartnerScope,
    },
    domain::click_id::ClickId,
};

/// The impression with this id.
pub fn find(conn: &mut Conn, scope: &PartnerScope, id: ClickId) -> QueryResult<Option<Impression>> {
    impressions::table
        .filter(impressions::partner_id.eq(scope.id()).and(impressions::id.eq(id)))
        .select(Impression::as_select())
        .get_result(conn)
        .optional()
}

/// A page, newest first.
pub fn list(conn: &mut Conn, scope: &PartnerScope, listing: &Listing) -> QueryResult<Vec<Impression>> {
    let mut query = impressions::table.filter(impressions::partner_id.eq(scope.id())).into_boxed::<Db>();
    let query = narrow!(
        query,
        listing.advertiser_id => impressions::advertiser_id,
        listing.campaign_id => impressions::campaign_id,
        listing.link_id => impressions::link_id,
        listing.publisher_id => impressions::publisher_id,
    );
    let query = match listing.after {
        Some(id) => query.filter(impressions::id.lt(ClickId::from_bytes(id))),
        None => query,
    };
    query.order(impressions::id.desc()).limit(listing.rows()).select(Impression::as_select()).load(conn)
}
