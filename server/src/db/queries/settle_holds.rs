//! The end of holds: each is an adjustment like any other, in the order in which they end.

use super::{Conn, adjust, conversions};
use crate::{
    db::{
        received::{Asked, Hand, Occasion, Target},
        scope::PartnerScope,
    },
    domain::{adjustment::Change, conversion::AdjustmentKind, ids::AdjustmentId, postback::Intent},
    error::Result,
};

/// How many holds are settled in one transaction.
const SETTLED_AT_ONCE: i64 = 200;

/// Settles holds that have ended; says how many it found. What somebody else was faster with is left alone.
pub fn settle(
    conn: &mut Conn,
    scope: &PartnerScope,
    occasion: &Occasion<impl Fn() -> AdjustmentId>,
) -> Result<usize> {
    let ended = conversions::with_ended_hold(conn, scope, occasion.now, SETTLED_AT_ONCE)?;
    let change = Change { kind: AdjustmentKind::HoldEnd, reason: None, amount: None, note: None };
    let asked: Vec<Asked> = ended
        .iter()
        .map(|id| Asked {
            target: Target::Conversion(*id),
            change: change.clone(),
            adjustment_id: None,
            only_from: None,
            only_of: None,
            postback_id: None,
            intent: Intent::Count,
        })
        .collect();
    adjust::make(conn, scope, &asked, &Hand::SYSTEM, occasion)?;
    Ok(ended.len())
}
