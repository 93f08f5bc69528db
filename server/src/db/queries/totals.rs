//! The totals that reports read: what each commit adds, and the fold of that into hours.

use diesel::prelude::*;

use super::{Conn, bulk};
use crate::{
    db::{
        rows::{
            packed::Packed,
            records::{Folding, HourlyTotal, TotalDelta},
        },
        schema::{hourly_totals, total_deltas},
        scope::PartnerScope,
    },
    domain::{
        currency::Currency,
        ids::{Id, RowId},
        money::Micros,
        time::Timestamp,
        totals::{Changes, Sums, TotalKey},
    },
    error::{Error, Result},
};

/// How many deltas are folded in one transaction.
const FOLDED_AT_ONCE: i64 = 500;
/// Stands for "none" in a column of a unique key, where NULL would not be equal to itself.
const NONE: [u8; 16] = [0; 16];

/// Adds changes, in the transaction that causes them.
pub fn add(conn: &mut Conn, scope: &PartnerScope, id: RowId, changes: Changes) -> QueryResult<()> {
    add_all(conn, std::iter::once((*scope, id, changes)))
}

/// Adds the changes of several partners, in the transaction that causes them.
pub fn add_all(
    conn: &mut Conn,
    changes: impl Iterator<Item = (PartnerScope, RowId, Changes)>,
) -> QueryResult<()> {
    let deltas = deltas(changes);
    if deltas.is_empty() { Ok(()) } else { bulk::insert_deltas(conn, &deltas) }
}

/// The rows that changes are written as.
pub fn deltas(changes: impl Iterator<Item = (PartnerScope, RowId, Changes)>) -> Vec<TotalDelta> {
    let changes = changes.filter(|(.., changes)| !changes.is_empty());
    let row = |(scope, id, changes): (PartnerScope, RowId, Changes)| TotalDelta {
        partner_id: scope.id(),
        id,
        changes: Packed(changes.into_cells()),
    };
    changes.map(row).collect()
}

/// Adds up the oldest deltas, beside whoever writes meanwhile; none if there are none.
pub fn oldest(conn: &mut Conn, scope: &PartnerScope) -> Result<Option<Folding>> {
    let oldest: Vec<(RowId, Packed)> = total_deltas::table
        .filter(total_deltas::partner_id.eq(scope.id()))
        .order(total_deltas::id)
        .limit(FOLDED_AT_ONCE)
        .select((total_deltas::id, total_deltas::changes))
        .load(conn)?;
    let (deltas, changes): (Vec<_>, Vec<_>) = oldest.into_iter().unzip();
    let changes: Changes = changes.into_iter().flat_map(|Packed(cells)| cells).collect();
    let hours: Result<Vec<_>> =
        changes.into_sorted_cells().into_iter().map(|(key, sums)| row(scope, key, sums)).collect();
    let folding = Folding { deltas, hours: hours? };
    Ok(Some(folding).filter(|folding| !folding.deltas.is_empty()))
}

/// Folds deltas into the hours. Nothing is written if another process has folded any of them meanwhile.
pub fn fold(conn: &mut Conn, scope: &PartnerScope, folding: &Folding) -> Result<()> {
    let folded = diesel::delete(
        total_deltas::table
            .filter(total_deltas::partner_id.eq(scope.id()))
            .filter(total_deltas::id.eq_any(&folding.deltas)),
    )
    .execute(conn)?;
    if folded != folding.deltas.len() {
        return Err(Error::Contended("another process folds the same changes".into()));
    }
    Ok(bulk::add_to_hours(conn, &folding.hours)?)
}

/// Every cell between two hours, folded or not.
pub fn between(
    conn: &mut Conn,
    scope: &PartnerScope,
    from: Timestamp,
    to: Timestamp,
) -> QueryResult<Vec<(TotalKey, Sums)>> {
    let folded: Vec<HourlyTotal> = hourly_totals::table
        .filter(hourly_totals::partner_id.eq(scope.id()))
        .filter(hourly_totals::hour.ge(from).and(hourly_totals::hour.lt(to)))
        .select(HourlyTotal::as_select())
        .load(conn)?;
    let waiting = waiting(conn, scope)?.filter(|(key, _)| from <= key.hour && key.hour < to);
    Ok(folded.into_iter().map(cell).chain(waiting).collect())
}

/// Every change that is not folded yet.
pub(super) fn waiting(
    conn: &mut Conn,
    scope: &PartnerScope,
) -> QueryResult<impl Iterator<Item = (TotalKey, Sums)> + use<>> {
    let waiting: Vec<Packed> = total_deltas::table
        .filter(total_deltas::partner_id.eq(scope.id()))
        .select(total_deltas::changes)
        .load(conn)?;
    Ok(waiting.into_iter().flat_map(|Packed(cells)| cells))
}

/// An id as it stands in a key of the totals.
pub(super) fn stored<I: Id>(id: Option<I>) -> I {
    id.unwrap_or(I::from_bytes(NONE))
}

/// The id that stands in a key of the totals, where there is one.
pub(super) fn read<I: Id>(id: I) -> Option<I> {
    (*id.bytes() != NONE).then_some(id)
}

fn row(scope: &PartnerScope, key: TotalKey, sums: Sums) -> Result<HourlyTotal> {
    let column = |sum: i128| i64::try_from(sum).map(Micros).map_err(|_| too_large());
    Ok(HourlyTotal {
        partner_id: scope.id(),
        hour: key.hour,
        kind: key.kind,
        advertiser_id: key.advertiser_id,
        campaign_id: stored(key.campaign_id),
        creative_id: stored(key.creative_id),
        link_id: stored(key.link_id),
        publisher_id: stored(key.publisher_id),
        goal_id: stored(key.goal_id),
        currency: key.currency.map_or(String::new(), |currency| currency.as_str().to_owned()),
        events: sums.events,
        amount_micros: column(sums.amount)?,
        payout_micros: column(sums.payout)?,
        revenue_micros: column(sums.revenue)?,
    })
}

/// The change stays where it is, and reports add it from there.
fn too_large() -> Error {
    Error::Internal("a sum is too large for its column; the change stays beside the hours".into())
}

fn cell(total: HourlyTotal) -> (TotalKey, Sums) {
    let key = TotalKey {
        hour: total.hour,
        kind: total.kind,
        advertiser_id: total.advertiser_id,
        campaign_id: read(total.campaign_id),
        creative_id: read(total.creative_id),
        link_id: read(total.link_id),
        publisher_id: read(total.publisher_id),
        goal_id: read(total.goal_id),
        currency: Currency::parse(&total.currency),
    };
    let [amount, payout, revenue] =
        [total.amount_micros, total.payout_micros, total.revenue_micros].map(|sum| sum.0.into());
    (key, Sums { events: total.events, amount, payout, revenue })
}
