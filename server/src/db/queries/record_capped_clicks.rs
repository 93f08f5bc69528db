//! Recording clicks on campaigns that take only so many: who is in time is decided under the lock of the campaign's
//! count, in the transaction that writes the clicks. No cap leaks, whatever races.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;

use super::{Conn, click_counts, record_clicks};
use crate::{
    db::{received::CappedClick, rows::records::Click, schema::clicks, scope::PartnerScope},
    domain::{
        caps::{Admission, CAP_REACHED},
        click_id::ClickId,
        ids::{CampaignId, PartnerId, RowId},
        time::Timestamp,
        visitor::ClickClass,
    },
    error::Result,
};

/// A campaign's clicks in a period.
type Period = (PartnerId, CampaignId, Timestamp);

/// A count that is held.
#[derive(Default)]
struct Count {
    clicks: i64,
    added: i64,
}

/// Records clicks of people on campaigns of any partners, and says which of them the campaigns take. One that is there
/// already stands as it is, and is not counted again.
pub fn record(
    conn: &mut Conn,
    batch: &[CappedClick],
    delta_id: impl Fn() -> RowId,
) -> Result<Vec<Admission>> {
    let mut counts = hold(conn, batch)?;
    let there = there(conn, batch)?;
    let (mut rows, mut admissions) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
    for item in batch {
        let admission = match there.get(&(item.click.partner_id, item.click.id)) {
            Some(ClickClass::Invalid) => Admission::CapReached,
            Some(_) => Admission::Admitted,
            None => admit(&mut counts, item),
        };
        rows.push(match admission {
            Admission::Admitted => item.click.clone(),
            Admission::CapReached => too_late(item.click.clone()),
        });
        admissions.push(admission);
    }
    record_clicks::record(conn, &rows, delta_id)?;
    for ((partner, campaign, day), count) in counts.into_iter().filter(|(_, count)| count.added > 0) {
        click_counts::add(conn, &PartnerScope::established(partner), campaign, (day, count.added))?;
    }
    Ok(admissions)
}

fn periods(item: &CappedClick) -> impl Iterator<Item = (Period, i64)> {
    let click = &item.click;
    item.caps.periods(click.clicked_at).map(|(day, cap)| ((click.partner_id, click.campaign_id, day), cap))
}

/// Holds every count that the batch needs, always in the same order: two writers cannot wait for each other.
fn hold(conn: &mut Conn, batch: &[CappedClick]) -> Result<BTreeMap<Period, Count>> {
    let mut counts: BTreeMap<Period, Count> =
        batch.iter().flat_map(periods).map(|(period, _)| (period, Count::default())).collect();
    for ((partner, campaign, day), count) in &mut counts {
        count.clicks = click_counts::hold(conn, &PartnerScope::established(*partner), *campaign, *day)?;
    }
    Ok(counts)
}

/// Which clicks of the batch are there already, with their class.
fn there(conn: &mut Conn, batch: &[CappedClick]) -> QueryResult<HashMap<(PartnerId, ClickId), ClickClass>> {
    let mut ids: BTreeMap<PartnerId, Vec<ClickId>> = BTreeMap::new();
    batch.iter().for_each(|item| ids.entry(item.click.partner_id).or_default().push(item.click.id));
    let mut there = HashMap::new();
    for (partner, ids) in ids {
        let found: Vec<(ClickId, ClickClass)> = clicks::table
            .filter(clicks::partner_id.eq(partner).and(clicks::id.eq_any(ids)))
            .select((clicks::id, clicks::class))
            .load(conn)?;
        there.extend(found.into_iter().map(|(id, class)| ((partner, id), class)));
    }
    Ok(there)
}

/// Takes a click if every cap has room for it.
fn admit(counts: &mut BTreeMap<Period, Count>, item: &CappedClick) -> Admission {
    let has_room = periods(item)
        .all(|(period, cap)| counts.get(&period).is_some_and(|count| count.clicks + count.added < cap));
    if !has_room {
        return Admission::CapReached;
    }
    for (period, _) in periods(item) {
        counts.entry(period).or_default().added += 1;
    }
    Admission::Admitted
}

fn too_late(click: Click) -> Click {
    Click { class: ClickClass::Invalid, reason: Some(CAP_REACHED.to_owned()), ..click }
}
