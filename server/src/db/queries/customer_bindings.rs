//! Customers that are bound to a click, and how often they have come again.

use diesel::{
    dsl::{count_star, sql},
    prelude::*,
    sql_types::Bool,
};

use super::Conn;
use crate::{
    db::{
        rows::people::CustomerBinding,
        schema::{campaigns, conversions, customer_bindings},
        scope::PartnerScope,
    },
    domain::{
        conversion::MatchMode,
        ids::{AdvertiserId, GoalId},
        setup::Status,
    },
};

/// What counts towards a goal's `max_rebills`: everything but what is rejected and what was beyond it itself.
const IS_TAKEN: &str = "status <> 'rejected' AND CAST(flags AS TEXT) NOT LIKE '%\"over_max_rebills\"%'";

/// The bindings of customers, each with the status of its campaign.
pub fn named<'a>(
    conn: &mut Conn,
    scope: &PartnerScope,
    advertiser: AdvertiserId,
    customers: impl IntoIterator<Item = &'a str>,
) -> QueryResult<Vec<(CustomerBinding, Status)>> {
    let campaign = campaigns::partner_id
        .eq(customer_bindings::partner_id)
        .and(campaigns::id.eq(customer_bindings::campaign_id));
    customer_bindings::table
        .inner_join(campaigns::table.on(campaign))
        .filter(customer_bindings::partner_id.eq(scope.id()))
        .filter(customer_bindings::advertiser_id.eq(advertiser))
        .filter(customer_bindings::customer_id.eq_any(customers.into_iter().collect::<Vec<_>>()))
        .select((CustomerBinding::as_select(), campaigns::status))
        .load(conn)
}

/// Holds a customer for as long as this transaction lasts. An update that changes nothing does it on both databases.
pub fn hold(
    conn: &mut Conn,
    scope: &PartnerScope,
    advertiser: AdvertiserId,
    customer: &str,
) -> QueryResult<()> {
    diesel::update(customer_bindings::table.find((scope.id(), advertiser, customer)))
        .set(customer_bindings::bound_at.eq(customer_bindings::bound_at))
        .execute(conn)
        .map(drop)
}

/// How often customers have come again for a goal.
pub fn rebills<'a>(
    conn: &mut Conn,
    scope: &PartnerScope,
    (advertiser, goal): (AdvertiserId, GoalId),
    customers: impl IntoIterator<Item = &'a str>,
) -> QueryResult<Vec<(String, i64)>> {
    use conversions::customer_id;
    conversions::table
        .filter(conversions::partner_id.eq(scope.id()).and(conversions::advertiser_id.eq(advertiser)))
        .filter(conversions::goal_id.eq(goal).and(conversions::match_mode.eq(MatchMode::Customer)))
        .filter(customer_id.eq_any(customers.into_iter().collect::<Vec<_>>()))
        .filter(sql::<Bool>(IS_TAKEN))
        .group_by(customer_id)
        .select((customer_id.assume_not_null(), count_star()))
        .load(conn)
}
