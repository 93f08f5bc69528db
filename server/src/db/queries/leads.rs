//! What the first events of a click or a customer said of the person.

use diesel::prelude::*;

use super::Conn;
use crate::{
    db::{rows::people::LeadRow, schema::leads, scope::PartnerScope},
    domain::ids::AdvertiserId,
};

/// What is attached to clicks and customers.
pub fn of(
    conn: &mut Conn,
    scope: &PartnerScope,
    advertiser: AdvertiserId,
    subjects: impl IntoIterator<Item = String>,
) -> QueryResult<Vec<LeadRow>> {
    leads::table
        .filter(leads::partner_id.eq(scope.id()).and(leads::advertiser_id.eq(advertiser)))
        .filter(leads::subject.eq_any(subjects.into_iter().collect::<Vec<_>>()))
        .select(LeadRow::as_select())
        .load(conn)
}
