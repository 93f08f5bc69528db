//! How many clicks of people a campaign with caps has had. A count is made when it is first asked for, from the clicks
//! that are there, and kept up to date by whoever records a click under a cap.

use diesel::prelude::*;

use super::Conn;
use crate::{
    db::{
        schema::{click_counts, clicks},
        scope::PartnerScope,
    },
    domain::{
        caps::{self, Caps},
        click_id::{ClickId, LinkNumber},
        ids::CampaignId,
        time::Timestamp,
        visitor::ClickClass,
    },
};

/// The count of a campaign in a period, for as long as this transaction lasts: nobody else counts meanwhile.
pub fn hold(conn: &mut Conn, scope: &PartnerScope, campaign: CampaignId, day: Timestamp) -> QueryResult<i64> {
    if let Some(clicks) = locked(conn, scope, campaign, day)? {
        return Ok(clicks);
    }
    let row = (
        click_counts::partner_id.eq(scope.id()),
        click_counts::campaign_id.eq(campaign),
        click_counts::day.eq(day),
        click_counts::clicks.eq(count(conn, scope, campaign, day)?),
    );
    // Another process may be faster: then this waits for it, and the count is what it leaves.
    diesel::insert_into(click_counts::table).values(row).on_conflict_do_nothing().execute(conn)?;
    Ok(locked(conn, scope, campaign, day)?.unwrap_or_default())
}

/// An update that changes nothing holds the row on both databases.
fn locked(
    conn: &mut Conn,
    scope: &PartnerScope,
    campaign: CampaignId,
    day: Timestamp,
) -> QueryResult<Option<i64>> {
    diesel::update(click_counts::table.find((scope.id(), campaign, day)))
        .set(click_counts::clicks.eq(click_counts::clicks))
        .returning(click_counts::clicks)
        .get_result(conn)
        .optional()
}

/// Adds to a count.
pub fn add(
    conn: &mut Conn,
    scope: &PartnerScope,
    campaign: CampaignId,
    (day, clicks): (Timestamp, i64),
) -> QueryResult<()> {
    diesel::update(click_counts::table.find((scope.id(), campaign, day)))
        .set(click_counts::clicks.eq(click_counts::clicks + clicks))
        .execute(conn)
        .map(drop)
}

/// Whether a click at `now` would come too late; for those who only want to know.
pub fn is_reached(
    conn: &mut Conn,
    scope: &PartnerScope,
    campaign: CampaignId,
    caps: Caps,
    now: Timestamp,
) -> QueryResult<bool> {
    for (day, cap) in caps.periods(now) {
        let kept = click_counts::table.find((scope.id(), campaign, day)).select(click_counts::clicks);
        let clicks = match kept.get_result(conn).optional()? {
            Some(clicks) => clicks,
            None => count(conn, scope, campaign, day)?,
        };
        if clicks >= cap {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Drops a campaign's counts, because its caps have changed: the next click makes those it needs anew. One after the
/// other, in the order in which they are held: two that want them never wait for each other.
pub fn forget(conn: &mut Conn, scope: &PartnerScope, campaign: CampaignId) -> QueryResult<()> {
    let of_campaign = click_counts::table
        .filter(click_counts::partner_id.eq(scope.id()).and(click_counts::campaign_id.eq(campaign)));
    let days: Vec<Timestamp> = of_campaign.order(click_counts::day).select(click_counts::day).load(conn)?;
    for day in days {
        diesel::delete(click_counts::table.find((scope.id(), campaign, day))).execute(conn)?;
    }
    Ok(())
}

/// Counts the clicks of people in a period, and none that came after it. Ids sort by time, so that a day is read and no
/// more.
fn count(conn: &mut Conn, scope: &PartnerScope, campaign: CampaignId, day: Timestamp) -> QueryResult<i64> {
    let first = |time| ClickId::mint(time, LinkNumber(0), [0; 6]);
    clicks::table
        .filter(clicks::partner_id.eq(scope.id()).and(clicks::id.ge(first(day))))
        .filter(clicks::id.lt(first(caps::end(day))))
        .filter(clicks::campaign_id.eq(campaign).and(clicks::class.eq(ClickClass::Human)))
        .count()
        .get_result(conn)
}
