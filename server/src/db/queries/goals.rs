//! Conversion goals.

use diesel::prelude::*;

use super::{Conn, Db, advertisers, resource::resource};
use crate::{
    db::{
        errors::taken,
        list::{Listing, narrow},
        rows::setup::{Goal, GoalChanges},
        schema::goals,
        scope::PartnerScope,
        sql_types::Json,
    },
    domain::{
        advertiser_rules::AdvertiserRules,
        ids::{AdvertiserId, GoalId, Id, Reference},
        setup::Status,
        time::Timestamp,
    },
    error::{Error, Result},
};

resource!(goals, GoalId, Goal, GoalChanges, [advertiser_id]);

/// What the set-up of an advertiser says about reports.
pub fn rules(
    conn: &mut Conn,
    scope: &PartnerScope,
    advertiser: AdvertiserId,
) -> QueryResult<AdvertiserRules> {
    let goals = serving(conn, scope, advertiser)?.iter().map(Goal::rules).collect();
    let row = advertisers::find(conn, scope, &Reference::Id(advertiser))?;
    let rules = AdvertiserRules { goals, ..AdvertiserRules::default() };
    Ok(match row {
        Some(row) => AdvertiserRules {
            signing: row.signing,
            currency: row.currency,
            publishers: row.publisher_ids.map(|Json(listed)| listed),
            blocked_publishers: row.blocked_publisher_ids.0,
            ..rules
        },
        None => rules,
    })
}

/// The goals that serve an advertiser: its own first, then the partner's, archived ones last.
fn serving(conn: &mut Conn, scope: &PartnerScope, advertiser: AdvertiserId) -> QueryResult<Vec<Goal>> {
    let own = goals::advertiser_id.eq(advertiser);
    let mut serving: Vec<Goal> = goals::table
        .filter(goals::partner_id.eq(scope.id()))
        .filter(own.or(goals::advertiser_id.is_null()))
        .order(goals::id)
        .select(Goal::as_select())
        .load(conn)?;
    serving.sort_by_key(|goal| (goal.status == Status::Archived, goal.advertiser_id.is_none()));
    Ok(serving)
}
