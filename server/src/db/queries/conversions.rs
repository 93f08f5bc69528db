//! The ledger of conversions. Its unique keys decide what is counted; nothing here decides otherwise.

use diesel::prelude::*;

use super::{Conn, Db, has_flag, lock_conversions};
use crate::{
    db::{
        list::{ConversionFilter, Listing, narrow},
        rows::records::Conversion,
        schema::conversions,
        scope::PartnerScope,
    },
    domain::{
        adjustment::Standing,
        conversion::ConversionStatus,
        ids::{AdvertiserId, ConversionId, GoalId, Id},
        time::Timestamp,
    },
};

/// The conversion with this id.
pub fn get(conn: &mut Conn, scope: &PartnerScope, id: ConversionId) -> QueryResult<Conversion> {
    conversions::table
        .filter(conversions::partner_id.eq(scope.id()).and(conversions::id.eq(id)))
        .select(Conversion::as_select())
        .get_result(conn)
}

/// Conversions whose hold has ended, earliest end first.
pub fn with_ended_hold(
    conn: &mut Conn,
    scope: &PartnerScope,
    now: Timestamp,
    limit: i64,
) -> QueryResult<Vec<ConversionId>> {
    conversions::table
        .filter(conversions::partner_id.eq(scope.id()))
        .filter(conversions::status.eq(ConversionStatus::OnHold).and(conversions::hold_until.le(now)))
        .order((conversions::hold_until, conversions::id))
        .limit(limit)
        .select(conversions::id)
        .load(conn)
}

/// The conversions of orders, each with its goal and its order.
pub fn of_orders(
    conn: &mut Conn,
    scope: &PartnerScope,
    advertiser: AdvertiserId,
    goals: &[GoalId],
    orders: &[&str],
) -> QueryResult<Vec<(ConversionId, GoalId, Option<String>)>> {
    conversions::table
        .filter(conversions::partner_id.eq(scope.id()).and(conversions::advertiser_id.eq(advertiser)))
        .filter(conversions::goal_id.eq_any(goals).and(conversions::order_id.eq_any(orders)))
        .select((conversions::id, conversions::goal_id, conversions::order_id))
        .load(conn)
}

/// Locks conversions and reads them as they are then: nobody else changes them before this transaction ends.
pub fn lock(conn: &mut Conn, scope: &PartnerScope, ids: &[ConversionId]) -> QueryResult<Vec<Conversion>> {
    lock_conversions(conn, scope, ids)?;
    conversions::table
        .filter(conversions::partner_id.eq(scope.id()).and(conversions::id.eq_any(ids)))
        .select(Conversion::as_select())
        .load(conn)
}

/// Changes where a conversion stands and what it is worth.
pub fn restand(
    conn: &mut Conn,
    scope: &PartnerScope,
    id: ConversionId,
    standing: Standing,
    now: Timestamp,
) -> QueryResult<()> {
    let Standing { status, amount, currency, payout, revenue, capped_payout } = standing;
    let conversion =
        conversions::table.filter(conversions::partner_id.eq(scope.id()).and(conversions::id.eq(id)));
    diesel::update(conversion)
        .set((
            conversions::status.eq(status),
            conversions::amount_micros.eq(amount),
            conversions::currency.eq(currency),
            conversions::payout_micros.eq(payout),
            conversions::revenue_micros.eq(revenue),
            conversions::capped_payout_micros.eq(capped_payout),
            conversions::updated_at.eq(now),
        ))
        .execute(conn)
        .map(drop)
}

/// The ids of conversions that a filter takes in, oldest first, after one of them and before a time.
pub fn selected(
    conn: &mut Conn,
    scope: &PartnerScope,
    filter: &ConversionFilter,
    after: Option<ConversionId>,
    limit: i64,
) -> QueryResult<Vec<ConversionId>> {
    let mut query = filtered(scope, filter);
    if let Some(after) = after {
        query = query.filter(conversions::id.gt(after));
    }
    query.order(conversions::id).limit(limit).select(conversions::id).load(conn)
}

/// How many conversions a filter takes in.
pub fn count(conn: &mut Conn, scope: &PartnerScope, filter: &ConversionFilter) -> QueryResult<i64> {
    filtered(scope, filter).count().get_result(conn)
}

type Filtered = conversions::BoxedQuery<'static, Db>;

fn filtered(scope: &PartnerScope, filter: &ConversionFilter) -> Filtered {
    let query = conversions::table.filter(conversions::partner_id.eq(scope.id())).into_boxed::<Db>();
    let mut query = query
        .filter(conversions::status.eq(filter.status))
        .filter(conversions::id.lt(ConversionId::new(filter.counted_before, [0; 10])));
    if let Some(from) = filter.event_from {
        query = query.filter(conversions::event_time.ge(from));
    }
    if let Some(to) = filter.event_to {
        query = query.filter(conversions::event_time.lt(to));
    }
    if let Some(flag) = &filter.flag {
        query = query.filter(has_flag(flag));
    }
    narrow!(
        query,
        filter.advertiser_id => conversions::advertiser_id,
        filter.campaign_id => conversions::campaign_id,
        filter.publisher_id => conversions::publisher_id,
        filter.goal_id => conversions::goal_id,
    )
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
