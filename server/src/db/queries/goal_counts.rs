//! What goals with caps have taken, by period. A count is made when it is first asked for, from the conversions that are
//! there, and kept up to date by whoever records a conversion under a cap.

use diesel::{
    dsl::{count_star, sql},
    prelude::*,
    sql_types::{BigInt, Bool},
};

use super::Conn;
use crate::{
    db::{
        schema::{conversions, goal_counts},
        scope::PartnerScope,
    },
    domain::{
        goal_caps::{Limit, Taken},
        ids::{ConversionId, GoalId, Id},
        money::Micros,
        time::Timestamp,
    },
};

/// What a cap counts: everything but what is rejected and what was over a cap itself.
const IS_TAKEN: &str = "status <> 'rejected' AND CAST(flags AS TEXT) NOT LIKE '%\"over_cap\"%'";
/// In the goal's currency, also where the conversion has another one. Millions and the rest are added up apart: large
/// payouts together would not fit.
const MILLIONS: &str =
    "CAST(COALESCE(SUM(COALESCE(capped_payout_micros, payout_micros) / 1000000), 0) AS BIGINT)";
const REST: &str =
    "CAST(COALESCE(SUM(COALESCE(capped_payout_micros, payout_micros) % 1000000), 0) AS BIGINT)";
/// Ids are made a moment before the time of receipt is read, at most.
const MOMENT_SECONDS: i64 = 60;

/// The count of a goal in a period, for as long as this transaction lasts: nobody else counts meanwhile.
pub fn hold(conn: &mut Conn, scope: &PartnerScope, goal: GoalId, limit: &Limit) -> QueryResult<Taken> {
    if let Some(taken) = locked(conn, scope, goal, limit)? {
        return Ok(taken);
    }
    let (conversions, payout) = count(conn, scope, goal, limit)?;
    let row = (
        goal_counts::partner_id.eq(scope.id()),
        goal_counts::goal_id.eq(goal),
        goal_counts::period.eq(&limit.period),
        goal_counts::conversions.eq(conversions),
        goal_counts::payout_micros.eq(payout),
    );
    // Another process may be faster: then this waits for it, and the count is what it leaves.
    diesel::insert_into(goal_counts::table).values(row).on_conflict_do_nothing().execute(conn)?;
    Ok(locked(conn, scope, goal, limit)?.unwrap_or_default())
}

/// An update that changes nothing holds the row on both databases.
fn locked(conn: &mut Conn, scope: &PartnerScope, goal: GoalId, limit: &Limit) -> QueryResult<Option<Taken>> {
    let found: Option<(i64, Micros)> =
        diesel::update(goal_counts::table.find((scope.id(), goal, &limit.period)))
            .set(goal_counts::conversions.eq(goal_counts::conversions))
            .returning((goal_counts::conversions, goal_counts::payout_micros))
            .get_result(conn)
            .optional()?;
    Ok(found.map(|(conversions, payout)| Taken { conversions, payout: payout.0.into() }))
}

/// Sets a count that is held.
pub fn set(
    conn: &mut Conn,
    scope: &PartnerScope,
    (goal, period): (GoalId, &str),
    taken: Taken,
) -> QueryResult<()> {
    let payout = fitting(taken.payout);
    diesel::update(goal_counts::table.find((scope.id(), goal, period)))
        .set((goal_counts::conversions.eq(taken.conversions), goal_counts::payout_micros.eq(payout)))
        .execute(conn)
        .map(drop)
}

/// Drops a goal's counts, because its caps have changed: the next conversion makes those it needs anew. One after the
/// other, in the order in which they are held: two that want them never wait for each other.
pub fn forget(conn: &mut Conn, scope: &PartnerScope, goal: GoalId) -> QueryResult<()> {
    let of_goal =
        goal_counts::table.filter(goal_counts::partner_id.eq(scope.id()).and(goal_counts::goal_id.eq(goal)));
    let periods: Vec<String> = of_goal.order(goal_counts::period).select(goal_counts::period).load(conn)?;
    for period in periods {
        diesel::delete(goal_counts::table.find((scope.id(), goal, period))).execute(conn)?;
    }
    Ok(())
}

/// Counts what was taken in a period. Ids sort by time, so that nothing before it is read; what was run again later has a
/// later id than its time of receipt.
fn count(conn: &mut Conn, scope: &PartnerScope, goal: GoalId, limit: &Limit) -> QueryResult<(i64, i64)> {
    let (conversions, millions, rest): (i64, i64, i64) = sums(conn, scope, goal, limit)?;
    Ok((conversions, fitting(i128::from(millions) * 1_000_000 + i128::from(rest))))
}

/// As much of a sum as its column holds: no cap is higher.
fn fitting(sum: i128) -> i64 {
    sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

fn sums(conn: &mut Conn, scope: &PartnerScope, goal: GoalId, limit: &Limit) -> QueryResult<(i64, i64, i64)> {
    let first = ConversionId::new(limit.start.plus_seconds(-MOMENT_SECONDS), [0; 10]);
    let end = limit.end.unwrap_or(Timestamp::MAX);
    conversions::table
        .filter(conversions::partner_id.eq(scope.id()).and(conversions::id.ge(first)))
        .filter(conversions::goal_id.eq(goal).and(conversions::received_at.ge(limit.start)))
        .filter(conversions::received_at.lt(end))
        .filter(sql::<Bool>(IS_TAKEN))
        .select((count_star(), sql::<BigInt>(MILLIONS), sql::<BigInt>(REST)))
        .get_result(conn)
}
