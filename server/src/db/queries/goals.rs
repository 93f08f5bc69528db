//! Conversion goals.

use diesel::prelude::*;

use super::{Conn, Db, resource::resource};
use crate::{
    db::{
        errors::taken,
        list::{Listing, narrow},
        rows::setup::{Goal, GoalChanges},
        schema::goals,
        scope::PartnerScope,
    },
    domain::{
        ids::{AdvertiserId, GoalId, Id, Reference},
        setup::Status,
        time::Timestamp,
    },
    error::{Error, Result},
};

resource!(goals, GoalId, Goal, GoalChanges, [advertiser_id]);

/// The goals that serve an advertiser: its own first, then the partner's, archived ones last.
pub fn serving(conn: &mut Conn, scope: &PartnerScope, advertiser: AdvertiserId) -> QueryResult<Vec<Goal>> {
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
