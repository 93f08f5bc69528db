//! Recording a batch of clicks: the rows, and what they add to the totals of each partner.

use std::collections::{BTreeMap, HashSet};

use diesel::result::{DatabaseErrorKind::UniqueViolation, Error::DatabaseError};

use super::{Conn, bulk, totals};
use crate::{
    db::{rows::records::Click, scope::PartnerScope},
    domain::{
        ids::RowId,
        totals::{Changes, Kind, Sums},
    },
    error::Result,
};

/// Commits clicks of any partners, in a transaction of its own. False, and nothing written, if one is there already:
/// then [`record`] is for them.
pub fn commit_new(conn: &mut Conn, batch: &[Click], delta_id: impl Fn() -> RowId) -> Result<bool> {
    let deltas = totals::deltas(changes(batch.iter(), delta_id));
    match bulk::commit_clicks(conn, batch, &deltas) {
        Err(DatabaseError(UniqueViolation, _)) => Ok(false),
        outcome => Ok(outcome.map(|()| true)?),
    }
}

/// Records clicks of any partners, all in the transaction it is called in. One that is there already adds nothing.
pub fn record(conn: &mut Conn, batch: &[Click], delta_id: impl Fn() -> RowId) -> Result<()> {
    let new: HashSet<_> = bulk::insert_clicks(conn, batch)?.into_iter().collect();
    let new = batch.iter().filter(|click| new.contains(&click.id));
    Ok(totals::add_all(conn, changes(new, delta_id))?)
}

/// What clicks add to the totals of each partner.
fn changes<'a>(
    clicks: impl Iterator<Item = &'a Click>,
    delta_id: impl Fn() -> RowId,
) -> impl Iterator<Item = (PartnerScope, RowId, Changes)> {
    let mut by_partner: BTreeMap<_, Changes> = BTreeMap::new();
    for click in clicks {
        by_partner.entry(click.partner_id).or_default().add(click.cell(Kind::Click(click.class)), Sums::ONE);
    }
    let changes = by_partner.into_iter();
    changes.map(move |(partner, changes)| (PartnerScope::established(partner), delta_id(), changes))
}
