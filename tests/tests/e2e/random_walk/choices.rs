//! What chance has a walk report and adjust.

use super::{
    Walk,
    model::{Change, DAY, Report},
    money::{Parts, Unit},
};

impl Walk {
    /// A new report, mostly; or one that was counted, as it was or with something else in it.
    pub fn any_report(&mut self) -> Report {
        let kind = self.chance.below(100);
        if kind >= 25 || self.counted.is_empty() {
            return self.new_report();
        }
        let mut report = self.chance.one(&self.counted).clone();
        match kind {
            0..6 => report.money = self.any_money(report.shop, report.goal),
            6..9 if report.click.is_some() => report.click = Some(self.chance.below(self.world.clicks.len())),
            9..11 => report.publisher = report.publisher.map(|_| self.chance.below(3)),
            _ => {}
        }
        report
    }

    fn new_report(&mut self) -> Report {
        let goal = Some(self.chance.below(self.world.goals.len())).filter(|_| !self.chance.percent(1));
        let modes = goal.map_or([true; 3], |goal| self.world.goals[goal].modes);
        let mode = self.chance.below(3);
        let mode = if modes[mode] || self.chance.percent(5) { mode } else { 0 };
        let click = self.chance.below(self.world.clicks.len());
        let own_shop = self.world.links[self.world.clicks[click].link].shop;
        let shop = if self.chance.percent(2) { 1 - own_shop } else { own_shop };
        let customer = (mode == 1 || self.chance.percent(30)).then(|| format!("C-{}", self.chance.below(25)));
        self.orders += 1;
        let mut report = Report {
            shop,
            goal,
            click: (mode == 0).then_some(click),
            customer: customer.filter(|_| mode != 2),
            publisher: (mode == 2).then(|| self.chance.below(3)),
            order: (!self.chance.percent(3)).then(|| format!("A-{}", self.orders)),
            money: self.any_money(shop, goal),
            status: None,
            event_time: None,
        };
        if self.chance.percent(20) {
            report.status = Some(*self.chance.one(&["approved", "pending", "rejected"]));
        }
        if self.chance.percent(60) {
            let at = self.world.clicks[click].at;
            let time = match mode {
                2 => self.chance.between(self.started - 3 * DAY, self.world.now),
                _ if self.chance.percent(4) => at - self.chance.between(1, DAY),
                _ => at + self.chance.between(0, 4 * DAY),
            };
            report.event_time = Some(time.min(self.world.now));
        }
        report
    }

    fn any_money(&mut self, shop: usize, goal: Option<usize>) -> Option<(Parts, Unit)> {
        let goal = goal.map(|goal| &self.world.goals[goal]);
        let needs =
            goal.is_some_and(|goal| goal.name != "lead" && goal.name != "trial" && goal.name != "call");
        if self.chance.percent(if needs { 3 } else { 70 }) {
            return None;
        }
        let unit = match (goal.and_then(|goal| goal.currency), self.world.shops[shop].currency) {
            (Some(unit), _) if !self.chance.percent(5) => unit,
            (_, Some(_)) => *self.chance.one(&["EUR", "EUR", "USD", "GBP", "JPY"]),
            (_, None) => *self.chance.one(&["EUR", "USD", "JPY", "KWD"]),
        };
        let most = if self.chance.percent(2) { 9_000_000_000_000 } else { 3_000_000 };
        Some((i128::from(self.chance.between(0, most)) * 100, unit))
    }

    /// What is asked of a conversion, and under which name.
    pub fn any_change(&mut self, number: usize) -> (Change, Option<String>) {
        let kind =
            *self.chance.one(&["retraction", "restatement", "restatement", "approve", "reject", "reopen"]);
        let row = &self.world.conversions[number];
        let (own, reported) = (row.currency, row.reported.map(|(_, unit)| unit));
        let shop = row.shop;
        let mut change = Change { kind, money: None };
        if kind == "restatement" {
            let other = self.any_money(shop, None).map(|(_, unit)| unit);
            let unit = [own, reported, other][self.chance.below(3)].or(own).unwrap_or("EUR");
            change.money = Some((i128::from(self.chance.between(0, 3_000_000)) * 100, unit));
        }
        let earlier = self.adjusted.iter().rfind(|(made, ..)| *made == number).cloned();
        match (self.chance.below(10), earlier) {
            (0 | 1, Some((_, made, name))) => (made, Some(name)),
            (2, Some((.., name))) => (change, Some(name)),
            (0..7, _) => {
                self.orders += 1;
                (change, Some(format!("R-{}", self.orders)))
            }
            _ => (change, None),
        }
    }
}
