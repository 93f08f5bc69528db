//! Recording what is seen and leaves no click: impressions, and visits without consent, of which nothing is kept but
//! a total.

use std::collections::{BTreeMap, HashSet};

use super::{Conn, bulk, totals};
use crate::{
    db::{received::Sighting, rows::records::Impression, scope::PartnerScope},
    domain::{
        click_id::ClickId,
        ids::{PartnerId, RowId},
        totals::{Changes, Kind, Sums},
    },
    error::Result,
};

/// Records sightings of any partners. An impression that is there already adds nothing.
pub fn record(conn: &mut Conn, batch: &[Sighting], delta_id: impl Fn() -> RowId) -> Result<()> {
    let mut by_partner: BTreeMap<PartnerId, Changes> = BTreeMap::new();
    let mut impressions = Vec::with_capacity(batch.len());
    for sighting in batch {
        match sighting {
            Sighting::Impression(impression) => impressions.push(Impression::clone(impression)),
            Sighting::WithoutConsent(scope, cell) => {
                by_partner.entry(scope.id()).or_default().add(*cell, Sums::ONE);
            }
        }
    }
    let new = insert(conn, &impressions)?;
    for impression in impressions.iter().filter(|impression| new.contains(&impression.id)) {
        by_partner
            .entry(impression.partner_id)
            .or_default()
            .add(impression.cell(Kind::Impression(impression.class)), Sums::ONE);
    }
    let changes = by_partner.into_iter();
    let changes = changes.map(|(partner, changes)| (PartnerScope::established(partner), delta_id(), changes));
    Ok(totals::add_all(conn, changes)?)
}

fn insert(conn: &mut Conn, rows: &[Impression]) -> Result<HashSet<ClickId>> {
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    Ok(bulk::insert_impressions(conn, rows)?.into_iter().collect())
}
