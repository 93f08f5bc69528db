//! Recording a batch of clicks: the rows, and what they add to the totals of each partner.

use std::collections::{BTreeMap, HashSet};

use super::{Conn, bulk, totals};
use crate::{
    db::{rows::records::Click, scope::PartnerScope},
    domain::{
        ids::RowId,
        totals::{Changes, Sums},
    },
    error::Result,
};

/// Records clicks of any partners, all in the transaction it is called in. One that is there already adds nothing.
pub fn record(conn: &mut Conn, batch: &[Click], delta_id: impl Fn() -> RowId) -> Result<()> {
    let new: HashSet<_> = bulk::insert_clicks(conn, batch)?.into_iter().collect();
    let mut by_partner: BTreeMap<_, Changes> = BTreeMap::new();
    for click in batch.iter().filter(|click| new.contains(&click.id)) {
        by_partner.entry(click.partner_id).or_default().add(click.cell(click.class.as_str()), Sums::ONE);
    }
    let changes = by_partner.into_iter();
    let changes = changes.map(|(partner, changes)| (PartnerScope::established(partner), delta_id(), changes));
    Ok(totals::add_all(conn, changes)?)
}
