//! The end of holds: one transaction moves each conversion once, writes its history and its totals.

use diesel::prelude::*;

use super::{Conn, conversions, totals};
use crate::{
    db::{
        rows::records::{Adjustment, Conversion},
        schema::adjustments,
        scope::PartnerScope,
    },
    domain::{
        conversion::ConversionStatus,
        ids::{AdjustmentId, RowId},
        time::Timestamp,
        totals::Changes,
    },
    error::Result,
};

/// How many holds are settled in one transaction.
const SETTLED_AT_ONCE: i64 = 200;

/// Settles the holds that have ended; says how many.
pub fn settle(
    conn: &mut Conn,
    scope: &PartnerScope,
    now: Timestamp,
    delta_id: RowId,
    history_id: impl Fn() -> AdjustmentId,
) -> Result<usize> {
    let ended = conversions::with_ended_hold(conn, scope, now, SETTLED_AT_ONCE)?;
    let mut changes = Changes::default();
    for conversion in &ended {
        let to = conversion.hold_end.status();
        if conversions::move_status(conn, scope, conversion.id, (ConversionStatus::OnHold, to), now)? {
            diesel::insert_into(adjustments::table)
                .values(history(conversion, to, now, history_id()))
                .execute(conn)?;
            let (from, sums) = conversion.total();
            changes.add(from, sums.negated());
            let (target, sums) = Conversion { status: to, ..conversion.clone() }.total();
            changes.add(target, sums);
        }
    }
    totals::add(conn, scope, delta_id, changes)?;
    Ok(ended.len())
}

fn history(conversion: &Conversion, to: ConversionStatus, now: Timestamp, id: AdjustmentId) -> Adjustment {
    Adjustment {
        partner_id: conversion.partner_id,
        id,
        conversion_id: conversion.id,
        adjustment_id: None,
        kind: "hold_end".to_owned(),
        actor: "system".to_owned(),
        reason: None,
        status_before: conversion.status,
        status_after: to,
        amount_before_micros: conversion.amount_micros,
        amount_after_micros: conversion.amount_micros,
        created_at: now,
    }
}
