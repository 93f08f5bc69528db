//! The history of conversions: read, and appended to; never changed.

use std::collections::HashMap;

use diesel::{dsl::max, prelude::*};

use super::Conn;
use crate::{
    db::{
        list::{Listing, position_of},
        rows::records::Adjustment,
        schema::adjustments,
        scope::PartnerScope,
    },
    domain::{
        conversion::AdjustmentKind,
        ids::{AdvertiserId, ConversionId},
        money::Micros,
    },
};

/// A page of a conversion's history, newest first. The cursor holds a position.
pub fn history(
    conn: &mut Conn,
    scope: &PartnerScope,
    id: ConversionId,
    listing: &Listing,
) -> QueryResult<Vec<Adjustment>> {
    let before = listing.after.map_or(i64::MAX, position_of);
    adjustments::table
        .filter(adjustments::partner_id.eq(scope.id()).and(adjustments::conversion_id.eq(id)))
        .filter(adjustments::position.lt(before))
        .order(adjustments::position.desc())
        .limit(listing.rows())
        .select(Adjustment::as_select())
        .load(conn)
}

/// The last position in the history of each conversion that has one.
pub fn positions(
    conn: &mut Conn,
    scope: &PartnerScope,
    ids: &[ConversionId],
) -> QueryResult<HashMap<ConversionId, i64>> {
    let last: Vec<(ConversionId, Option<i64>)> = adjustments::table
        .filter(adjustments::partner_id.eq(scope.id()).and(adjustments::conversion_id.eq_any(ids)))
        .group_by(adjustments::conversion_id)
        .select((adjustments::conversion_id, max(adjustments::position)))
        .load(conn)?;
    Ok(last.into_iter().map(|(id, position)| (id, position.unwrap_or(0))).collect())
}

/// The amounts that conversions had before they were restated for the first time.
pub fn amounts_at_first(
    conn: &mut Conn,
    scope: &PartnerScope,
    ids: &[ConversionId],
) -> QueryResult<HashMap<ConversionId, Option<Micros>>> {
    let mut restated: Vec<(ConversionId, Option<Micros>)> = adjustments::table
        .filter(adjustments::partner_id.eq(scope.id()).and(adjustments::conversion_id.eq_any(ids)))
        .filter(adjustments::kind.eq(AdjustmentKind::Restatement))
        .order(adjustments::position)
        .select((adjustments::conversion_id, adjustments::amount_before_micros))
        .load(conn)?;
    restated.reverse();
    Ok(restated.into_iter().collect())
}

/// The adjustments that advertisers have given these names.
pub fn named(
    conn: &mut Conn,
    scope: &PartnerScope,
    advertisers: &[AdvertiserId],
    names: &[&str],
) -> QueryResult<Vec<Adjustment>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    adjustments::table
        .filter(adjustments::partner_id.eq(scope.id()).and(adjustments::advertiser_id.eq_any(advertisers)))
        .filter(adjustments::adjustment_id.eq_any(names))
        .select(Adjustment::as_select())
        .load(conn)
}

/// Appends; false when the advertiser has given its name to another one.
pub fn append(conn: &mut Conn, row: &Adjustment) -> QueryResult<bool> {
    let appended =
        diesel::insert_into(adjustments::table).values(row).on_conflict_do_nothing().execute(conn)?;
    Ok(appended == 1)
}
