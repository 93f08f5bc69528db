//! What becomes of conversions afterwards: adjustments, and the end of holds.

use super::{Change, Conversion, Verdict, World};
use crate::random_walk::money::exchanged;

impl World {
    /// Makes an adjustment, and says what it comes to.
    pub fn adjust(&mut self, number: usize, change: &Change, name: Option<&str>) -> Verdict {
        let shop = self.conversions[number].shop;
        let named = name.map(|name| (shop, name.to_owned()));
        if let Some(first) = named.as_ref().and_then(|name| self.named.get(name)) {
            let is_same = *first == (number, change.clone());
            return (if is_same { "duplicate" } else { "adjustment_conflict" }, Some(number));
        }
        let before = self.conversions[number].clone();
        let after = match self.changed(before.clone(), change) {
            Ok(after) => after,
            Err(code) => return (code, Some(number)),
        };
        let money = |one: &Conversion| (one.status, one.amount, one.payout, one.revenue);
        let code = if money(&before) == money(&after) { "adjusted_nothing" } else { "adjusted" };
        self.conversions[number] = after;
        if let Some(name) = named {
            self.named.insert(name, (number, change.clone()));
        }
        (code, Some(number))
    }

    fn changed(&self, mut row: Conversion, change: &Change) -> Result<Conversion, &'static str> {
        row.status = match (change.kind, row.status) {
            ("retraction", "approved") => "reversed",
            ("retraction", "pending" | "on_hold") => "rejected",
            ("restatement", "rejected" | "reversed") => "pending",
            ("approve", "pending" | "on_hold") => "approved",
            ("reject", "pending" | "on_hold") => "rejected",
            ("reopen", "rejected") => "pending",
            ("hold_end", "on_hold") => self.goals[row.goal].hold_end,
            ("retraction" | "restatement", stays)
            | ("approve", stays @ "approved")
            | ("reject", stays @ "rejected")
            | ("reopen", stays @ "pending") => stays,
            _ => return Err("transition_not_allowed"),
        };
        if let Some((sent, unit)) = change.money {
            let reported_in = row.reported.map(|(_, unit)| unit).filter(|_| row.rate.is_some());
            let own = row.currency.or(self.shops[row.shop].currency).unwrap_or(unit);
            let amount = match row.rate {
                Some(rate) if reported_in == Some(unit) => exchanged(sent, rate),
                _ if unit == own => sent,
                _ => return Err("currency_invalid"),
            };
            (row.amount, row.currency) = (Some(amount), Some(own));
            row.payout = row.payout_rule.of(row.amount);
            row.revenue = row.revenue_rule.of(row.amount);
        }
        row.history.push((change.kind, row.status, row.amount));
        Ok(row)
    }

    /// Lets time pass: holds end.
    pub fn pass(&mut self, seconds: i64) {
        self.now += seconds;
        let change = Change { kind: "hold_end", money: None };
        for number in 0..self.conversions.len() {
            let row = &self.conversions[number];
            if row.status == "on_hold" && row.hold_until.is_some_and(|end| end <= self.now) {
                self.adjust(number, &change, None);
            }
        }
    }
}
