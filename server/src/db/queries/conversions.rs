//! The ledger of conversions. Its unique keys decide what is counted; nothing here decides otherwise.

use diesel::prelude::*;

use super::{Conn, Db};
use crate::{
    db::{
        list::{Listing, narrow},
        rows::records::Conversion,
        schema::conversions,
        scope::PartnerScope,
    },
    domain::{
        conversion::ConversionStatus,
        ids::{ConversionId, Id},
        time::Timestamp,
    },
};

/// The conversion with this id.
pub fn get(conn: &mut Conn, scope: &PartnerScope, id: ConversionId) -> QueryResult<Conversion> {
    conversions::table
        .filter(conversions::partner_id.eq(scope.id()).and(conversions::id.eq(id)))
        .select(Conversion::as_select())
        .first(conn)
}

/// Conversions whose hold has ended, earliest end first.
pub fn with_ended_hold(
    conn: &mut Conn,
    scope: &PartnerScope,
    now: Timestamp,
    limit: i64,
) -> QueryResult<Vec<Conversion>> {
    conversions::table
        .filter(conversions::partner_id.eq(scope.id()))
        .filter(conversions::status.eq(ConversionStatus::OnHold).and(conversions::hold_until.le(now)))
        .order((conversions::hold_until, conversions::id))
        .limit(limit)
        .select(Conversion::as_select())
        .load(conn)
}

/// Moves a conversion from one status to another; false when it was not in the first (any more).
pub fn move_status(
    conn: &mut Conn,
    scope: &PartnerScope,
    id: ConversionId,
    (from, to): (ConversionStatus, ConversionStatus),
    now: Timestamp,
) -> QueryResult<bool> {
    let conversion = conversions::table
        .filter(conversions::partner_id.eq(scope.id()).and(conversions::id.eq(id)))
        .filter(conversions::status.eq(from));
    let moved = diesel::update(conversion)
        .set((conversions::status.eq(to), conversions::updated_at.eq(now)))
        .execute(conn)?;
    Ok(moved == 1)
}

/// A page, newest first.
pub fn list(conn: &mut Conn, scope: &PartnerScope, listing: &Listing) -> QueryResult<Vec<Conversion>> {
    let mut query = conversions::table.filter(conversions::partner_id.eq(scope.id())).into_boxed::<Db>();
    let query = narrow!(
        query,
        listing.conversion_status => conversions::status,
        &listing.order_id => conversions::order_id,
        listing.advertiser_id => conversions::advertiser_id,
        listing.campaign_id => conversions::campaign_id,
        listing.link_id => conversions::link_id,
        listing.publisher_id => conversions::publisher_id,
        listing.goal_id => conversions::goal_id,
    );
    let query = match listing.after {
        Some(id) => query.filter(conversions::id.lt(ConversionId::from_bytes(id))),
        None => query,
    };
    query.order(conversions::id.desc()).limit(listing.rows()).select(Conversion::as_select()).load(conn)
}
