//! What the ledger must hold: worked out from the contract, with nothing of the server's.

mod adjusting;

use std::collections::HashMap;

use super::money::{Parts, Rule, Unit, exchanged};

pub const DAY: i64 = 86_400;

pub type Status = &'static str;

/// An advertiser.
pub struct Shop {
    pub id: String,
    /// The currency of its conversions; none: the reported one.
    pub currency: Option<Unit>,
}

/// A goal; it serves all shops.
#[derive(Default)]
pub struct Goal {
    pub id: String,
    pub name: &'static str,
    pub per_order: bool,
    pub payout: Option<Rule>,
    pub revenue: Option<Rule>,
    /// Another payout for a publisher.
    pub special: Option<(usize, Rule)>,
    pub currency: Option<Unit>,
    pub hold: i64,
    pub hold_end: Status,
    pub needs_approval: bool,
    /// Of transaction, customer and partner.
    pub modes: [bool; 3],
    pub window: i64,
    pub most_a_day: Option<usize>,
    pub most_payout: Option<Parts>,
    /// What it has taken, by day.
    pub taken: HashMap<i64, usize>,
    pub taken_payout: Parts,
}

impl Goal {
    fn money(&self, publisher: Option<usize>) -> (Rule, Rule) {
        let own = self.payout.unwrap_or(Rule::Fixed(0));
        let special = self.special.filter(|(whose, _)| Some(*whose) == publisher);
        (special.map_or(own, |(_, rule)| rule), self.revenue.unwrap_or(Rule::Fixed(0)))
    }

    fn rules(&self) -> impl Iterator<Item = Rule> {
        [self.payout, self.revenue].into_iter().flatten()
    }

    fn has_sums(&self) -> bool {
        self.rules().any(Rule::is_sum)
            || self.special.is_some_and(|(_, rule)| rule.is_sum())
            || self.most_payout.is_some()
    }

    /// Whether one more fits under the caps, and then it is counted.
    fn admits(&mut self, day: i64, payout: Parts) -> bool {
        let taken = self.taken.entry(day).or_default();
        let fits = self.most_a_day.is_none_or(|most| *taken < most)
            && self.most_payout.is_none_or(|most| self.taken_payout + payout <= most);
        if fits {
            *taken += 1;
            self.taken_payout += payout;
        }
        fits
    }

    pub fn is_capped(&self) -> bool {
        self.most_a_day.is_some() || self.most_payout.is_some()
    }
}

/// A tracking link.
pub struct Link {
    pub id: String,
    pub shop: usize,
    pub campaign: String,
    pub creative: Option<String>,
    pub publisher: Option<usize>,
    pub code: String,
}

/// A click of a person, or of a bot.
pub struct Click {
    pub id: String,
    pub at: i64,
    pub link: usize,
}

/// What is reported.
#[derive(Clone, Default, Debug)]
pub struct Report {
    pub shop: usize,
    pub goal: Option<usize>,
    pub click: Option<usize>,
    pub customer: Option<String>,
    pub publisher: Option<usize>,
    pub order: Option<String>,
    pub money: Option<(Parts, Unit)>,
    pub status: Option<Status>,
    pub event_time: Option<i64>,
}

impl Report {
    pub fn mode(&self) -> usize {
        match (self.click, &self.customer) {
            (Some(_), _) => 0,
            (None, Some(_)) => 1,
            (None, None) => 2,
        }
    }
}

/// A conversion.
#[derive(Clone, Debug)]
pub struct Conversion {
    pub id: String,
    pub shop: usize,
    pub goal: usize,
    pub mode: usize,
    pub link: Option<usize>,
    click: Option<usize>,
    pub publisher: Option<usize>,
    pub order: Option<String>,
    pub reported: Option<(Parts, Unit)>,
    pub rate: Option<Parts>,
    payout_rule: Rule,
    revenue_rule: Rule,
    pub status: Status,
    pub amount: Option<Parts>,
    pub currency: Option<Unit>,
    pub payout: Parts,
    pub revenue: Parts,
    pub event_time: i64,
    pub hold_until: Option<i64>,
    /// Kind, status and amount after each change.
    pub history: Vec<(&'static str, Status, Option<Parts>)>,
}

/// What is asked of a conversion.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    pub kind: &'static str,
    pub money: Option<(Parts, Unit)>,
}

/// What a report or an adjustment comes to: a code, and the conversion that it is about.
pub type Verdict = (&'static str, Option<usize>);

/// Everything there is.
#[derive(Default)]
pub struct World {
    pub now: i64,
    pub shops: Vec<Shop>,
    pub publishers: Vec<String>,
    pub goals: Vec<Goal>,
    pub links: Vec<Link>,
    pub clicks: Vec<Click>,
    /// When a bot followed which link.
    pub bots: Vec<(i64, usize)>,
    pub conversions: Vec<Conversion>,
    /// Rates to the euro by day, in the order of their days.
    pub rates: HashMap<Unit, Vec<(i64, Parts)>>,
    by_key: HashMap<(usize, usize, String), usize>,
    by_order: HashMap<(usize, usize, String), usize>,
    pub bound: HashMap<(usize, String), usize>,
    named: HashMap<(usize, String), (usize, Change)>,
}

impl World {
    /// What makes two reports the same conversion.
    pub fn key(&self, report: &Report) -> Option<String> {
        let goal = &self.goals[report.goal?];
        match (&report.order, report.click) {
            (Some(order), click) if goal.per_order || click.is_none() => Some(format!("order {order}")),
            (_, Some(click)) => Some(format!("click {click}")),
            _ => None,
        }
    }

    fn earlier(&self, report: &Report, goal: usize) -> Option<usize> {
        let key = self.key(report)?;
        let same_key = self.by_key.get(&(report.shop, goal, key));
        let order = report.order.clone();
        let same_order = || self.by_order.get(&(report.shop, goal, order?));
        same_key.or_else(same_order).copied()
    }

    /// The click and the publisher that are credited.
    fn source(&self, report: &Report) -> Result<(Option<usize>, Option<usize>), &'static str> {
        let click = match (report.click, &report.customer) {
            (Some(click), _) if self.links[self.clicks[click].link].shop != report.shop => {
                return Err("advertiser_mismatch");
            }
            (Some(click), _) => click,
            (None, Some(customer)) => {
                let bound = self.bound.get(&(report.shop, customer.clone()));
                *bound.ok_or("customer_not_found")?
            }
            (None, None) => return Ok((None, report.publisher)),
        };
        Ok((Some(click), self.links[self.clicks[click].link].publisher))
    }

    fn belongs(&self, conversion: usize, source: (Option<usize>, Option<usize>)) -> bool {
        let conversion = &self.conversions[conversion];
        match source {
            (Some(click), _) => conversion.click == Some(click),
            (None, publisher) => conversion.publisher == publisher,
        }
    }

    /// The rate to the euro at a time.
    fn rate(&self, from: Unit, at: i64) -> Option<Parts> {
        let rates = self.rates.get(from)?;
        rates.iter().rev().find(|(day, _)| *day * DAY <= at).map(|(_, rate)| *rate)
    }

    fn check(&self, report: &Report, goal: &Goal, event_time: i64) -> Result<(), &'static str> {
        if !goal.modes[report.mode()] {
            return Err("mode_not_allowed");
        }
        if report.order.is_none() && (goal.per_order || report.click.is_none()) {
            return Err("order_id_required");
        }
        if goal.rules().any(Rule::needs_amount) && report.money.is_none() {
            return Err("amount_required");
        }
        let sent = report.money.map(|(_, unit)| unit);
        let is_known = match self.shops[report.shop].currency {
            None => sent.is_none_or(|sent| goal.currency.is_none_or(|wanted| wanted == sent)),
            Some(own) => {
                let of_goal = goal.currency.filter(|_| goal.has_sums());
                let mut needed = [sent, of_goal].into_iter().flatten().filter(|unit| *unit != own);
                needed.all(|unit| self.rate(unit, event_time).is_some())
            }
        };
        if is_known { Ok(()) } else { Err("currency_invalid") }
    }

    fn check_window(
        &self,
        report: &Report,
        goal: &Goal,
        click: usize,
        event_time: i64,
    ) -> Option<&'static str> {
        let window = if report.mode() == 1 { 365 * DAY } else { goal.window };
        match event_time - self.clicks[click].at {
            age if age > window => Some("click_expired"),
            age if age < 0 => Some("conversion_precedes_click"),
            _ => None,
        }
    }

    /// Takes a report in, and says what it comes to.
    pub fn judge(&mut self, report: &Report) -> Verdict {
        let Some(goal) = report.goal else { return ("goal_mismatch", None) };
        let (source, earlier) = (self.source(report), self.earlier(report, goal));
        if let (Some(first), Ok(source)) = (earlier, source)
            && self.belongs(first, source)
            && self.conversions[first].reported == report.money
        {
            return ("duplicate", Some(first));
        }
        match self.count(report, goal, source, earlier) {
            Ok(conversion) => {
                let code = match conversion.status {
                    "pending" => "accepted_pending",
                    "on_hold" => "accepted_on_hold",
                    _ => "accepted",
                };
                (code, Some(self.write(report, conversion)))
            }
            Err(code) => (code, None),
        }
    }

    fn count(
        &mut self,
        report: &Report,
        number: usize,
        source: Result<(Option<usize>, Option<usize>), &'static str>,
        earlier: Option<usize>,
    ) -> Result<Conversion, &'static str> {
        let event_time = report.event_time.unwrap_or(self.now);
        self.check(report, &self.goals[number], event_time)?;
        let (click, publisher) = source?;
        if let Some(click) = click
            && let Some(code) = self.check_window(report, &self.goals[number], click, event_time)
        {
            return Err(code);
        }
        if let Some(first) = earlier {
            let is_same = self.belongs(first, (click, publisher));
            return Err(if is_same { "duplicate_conflict" } else { "order_attributed_elsewhere" });
        }
        let (goal, own) = (&self.goals[number], self.shops[report.shop].currency);
        let sent = report.money.map(|(_, unit)| unit).or(goal.currency);
        let currency = sent.map(|sent| own.unwrap_or(sent));
        let into_own = |unit: Unit| own.filter(|own| *own != unit).and_then(|_| self.rate(unit, event_time));
        let rate = report.money.and_then(|(_, unit)| into_own(unit));
        let amount = report.money.map(|(amount, _)| rate.map_or(amount, |rate| exchanged(amount, rate)));
        let of_goal = goal.currency.and_then(into_own);
        let in_own = |rule| match (rule, of_goal) {
            (Rule::Fixed(sum), Some(rate)) => Rule::Fixed(exchanged(sum, rate)),
            (rule, _) => rule,
        };
        let (payout_rule, revenue_rule) = goal.money(publisher);
        let (payout_rule, revenue_rule) = (in_own(payout_rule), in_own(revenue_rule));
        let mut conversion = Conversion {
            id: String::new(),
            shop: report.shop,
            goal: number,
            mode: report.mode(),
            link: click.map(|click| self.clicks[click].link),
            click,
            publisher,
            order: report.order.clone(),
            reported: report.money,
            rate,
            payout_rule,
            revenue_rule,
            status: "approved",
            amount,
            currency,
            payout: payout_rule.of(amount),
            revenue: revenue_rule.of(amount),
            event_time,
            hold_until: None,
            history: Vec::new(),
        };
        self.stand(report, &mut conversion);
        Ok(conversion)
    }

    /// Where a new conversion stands.
    fn stand(&mut self, report: &Report, conversion: &mut Conversion) {
        let (now, goal) = (self.now, &mut self.goals[conversion.goal]);
        let ends = conversion.event_time + goal.hold;
        match report.status {
            Some("rejected") => conversion.status = "rejected",
            Some("pending") => conversion.status = "pending",
            // The key may decide: then nothing waits.
            Some(_) => {}
            None if goal.needs_approval => conversion.status = "pending",
            None if goal.hold > 0 && ends > now => {
                (conversion.status, conversion.hold_until) = ("on_hold", Some(ends));
            }
            None => {}
        }
        let is_over = goal.is_capped()
            && conversion.status != "rejected"
            && !goal.admits(now.div_euclid(DAY), conversion.payout);
        if is_over {
            (conversion.status, conversion.hold_until) = ("pending", None);
        }
    }

    fn write(&mut self, report: &Report, conversion: Conversion) -> usize {
        let (number, place) = (self.conversions.len(), (conversion.shop, conversion.goal));
        if let Some(key) = self.key(report) {
            self.by_key.insert((place.0, place.1, key), number);
        }
        if let Some(order) = &conversion.order {
            self.by_order.insert((place.0, place.1, order.clone()), number);
        }
        if let (0, Some(click), Some(customer)) = (conversion.mode, conversion.click, &report.customer)
            && conversion.status != "rejected"
        {
            self.bound.entry((conversion.shop, customer.clone())).or_insert(click);
        }
        self.conversions.push(conversion);
        number
    }
}
