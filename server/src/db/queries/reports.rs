//! What a report is made of, as one consistent view.

use super::{Conn, snapshot, totals};
use crate::{
    db::scope::PartnerScope,
    domain::{
        time::Timestamp,
        totals::{Sums, TotalKey},
    },
    error::Result,
};

/// Every cell between two hours. Folding moves sums from deltas to hours: both are read from one snapshot.
pub fn cells(
    conn: &mut Conn,
    scope: &PartnerScope,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<(TotalKey, Sums)>> {
    snapshot(conn, |conn| Ok(totals::between(conn, scope, from, to)?))
}
