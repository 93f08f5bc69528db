//! Thousands of random steps against the server, and a model that says what the ledger and the reports must say then: to
//! the micro, for every currency. A walk that fails prints its seed; `TALLYBACK_WALK_SEED` repeats it.

mod chance;
mod figures;
mod model;
mod money;
mod sender;
mod set_up;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tallyback_server::{clock, jobs};

use self::{
    chance::Chance,
    figures::{Only, Row},
    model::{Change, DAY, Report, World},
    money::{Unit, decimal, parts},
    sender::{Sender, http_status},
};
use super::verify::verify;

const DIMENSIONS: [&str; 8] =
    ["hour", "day", "advertiser", "campaign", "creative", "link", "publisher", "goal"];

/// A walk under way.
struct Walk {
    sender: Sender,
    world: World,
    chance: Chance,
    started: i64,
    /// Reports that were counted, to be sent again.
    counted: Vec<Report>,
    /// Adjustments that were made under a name, to be sent again.
    adjusted: Vec<(usize, Change, String)>,
    orders: usize,
    steps: usize,
    /// How often each code was answered.
    codes: BTreeMap<&'static str, usize>,
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_and_ledger_are_what_a_fixed_walk_comes_to() {
    walk(20_261_128, 30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_and_ledger_are_what_a_random_walk_comes_to() {
    let seed = std::env::var("TALLYBACK_WALK_SEED").ok().map(|text| text.parse().unwrap());
    walk(seed.unwrap_or_else(|| u64::from_le_bytes(clock::random())), 20).await;
}

async fn walk(seed: u64, rounds: usize) {
    println!("TALLYBACK_WALK_SEED={seed} repeats this walk");
    let mut walk = Walk::start(seed).await;
    for round in 1..=rounds {
        walk.visitors().await;
        walk.batch().await;
        for _ in 0..12 {
            walk.single().await;
        }
        walk.adjustments().await;
        if walk.chance.percent(40) {
            walk.in_bulk().await;
        }
        walk.time_passes().await;
        if round == rounds / 2 {
            walk.agrees().await;
            walk.restart().await;
        }
    }
    walk.agrees().await;
    walk.has_all_histories().await;
    println!("{} steps, {} conversions, {:?}", walk.steps, walk.world.conversions.len(), walk.codes);
    let kinds: BTreeSet<_> = walk.world.conversions.iter().map(|row| (row.mode, row.status)).collect();
    assert!(walk.steps > rounds * 50 && kinds.len() > 10, "{} steps came to {kinds:?} only", walk.steps);
}

/// Steps.
impl Walk {
    /// People and bots follow links.
    async fn visitors(&mut self) {
        let links: Vec<usize> = (0..10).map(|_| self.chance.below(self.world.links.len())).collect();
        let visits = links.iter().enumerate().map(|(number, link)| {
            let code = &self.world.links[*link].code;
            self.sender.click(code, number == 0)
        });
        let ids = join_all(visits).await;
        let at = self.world.now;
        for (number, (id, link)) in ids.into_iter().zip(links).enumerate() {
            match number {
                0 => self.world.bots.push((at, link)),
                _ => self.world.clicks.push(model::Click { id, at, link }),
            }
        }
        self.steps += 10;
    }

    /// Many reports in one message. No two of them are about the same thing, because nobody says in which order they are
    /// judged.
    async fn batch(&mut self) {
        let (mut batch, mut subjects) = (Vec::new(), BTreeSet::new());
        for _ in 0..40 {
            let report = self.any_report();
            let is_capped = report.goal.is_some_and(|goal| self.world.goals[goal].is_capped());
            let mut about: Vec<String> = report.order.iter().map(|order| format!("order {order}")).collect();
            about.extend(report.click.map(|click| format!("click {click}")));
            about.extend(report.customer.as_ref().map(|customer| format!("customer {customer}")));
            if !is_capped && about.iter().all(|subject| !subjects.contains(subject)) {
                subjects.extend(about);
                batch.push(report);
            }
        }
        let verdicts: Vec<_> = batch.iter().map(|report| self.world.judge(report)).collect();
        let answers = self.sender.batch(&self.world, &batch).await;
        assert_eq!(answers.len(), batch.len());
        for ((report, verdict), answer) in batch.iter().zip(verdicts).zip(&answers) {
            self.compare(report, verdict, answer);
        }
        self.steps += batch.len();
    }

    /// One report, in one of the forms.
    async fn single(&mut self) {
        let report = self.any_report();
        let verdict = self.world.judge(&report);
        let form = self.chance.below(3);
        let answer = self.sender.report(&self.world, &report, form).await;
        assert_eq!(answer.status, http_status(verdict.0), "{report:?}: {}", answer.text);
        self.compare(&report, verdict, &answer.body);
        self.steps += 1;
    }

    fn compare(&mut self, report: &Report, (code, conversion): model::Verdict, answer: &Value) {
        assert_eq!(answer["code"], code, "{report:?}: {answer:#}");
        *self.codes.entry(code).or_default() += 1;
        let Some(number) = conversion else { return };
        let row = &mut self.world.conversions[number];
        if row.id.is_empty() {
            row.id = answer["conversion_id"].as_str().unwrap().to_owned();
            self.counted.push(report.clone());
        }
        assert_eq!(
            (&answer["conversion_id"], &answer["status"]),
            (&json!(row.id), &json!(row.status)),
            "{report:?}"
        );
    }

    /// Adjustments of different conversions, all at once.
    async fn adjustments(&mut self) {
        if self.world.conversions.is_empty() {
            return;
        }
        let numbers: BTreeSet<usize> =
            (0..20).map(|_| self.chance.below(self.world.conversions.len())).collect();
        let (mut asked, mut verdicts) = (Vec::new(), Vec::new());
        for number in numbers {
            let (change, name) = self.any_change(number);
            let (code, _) = self.world.adjust(number, &change, name.as_deref());
            if let ("adjusted" | "adjusted_nothing", Some(name)) = (code, &name) {
                self.adjusted.push((number, change.clone(), name.clone()));
            }
            *self.codes.entry(code).or_default() += 1;
            verdicts.push(code);
            asked.push((number, change, name, self.chance.percent(50)));
        }
        let world = &self.world;
        let sent = asked.iter().map(|(number, change, name, by_order)| {
            self.sender.adjust(world, &world.conversions[*number], change, name.as_deref(), *by_order)
        });
        for ((asked, code), answer) in asked.iter().zip(verdicts).zip(join_all(sent).await) {
            assert_eq!(answer.status, http_status(code), "{asked:?} {code}: {}", answer.text);
            if answer.body["code"].is_string() {
                assert_eq!(answer.body["code"], code, "{asked:?}: {}", answer.text);
            }
        }
        self.steps += asked.len();
    }

    /// A decision about everything that a filter takes in.
    async fn in_bulk(&mut self) {
        let status = *self.chance.one(&["pending", "on_hold"]);
        let (goal, publisher) = (self.chance.below(self.world.goals.len()), self.chance.below(3));
        let (by_goal, by_publisher) = (self.chance.percent(50), self.chance.percent(50));
        let until = self.world.now - self.chance.between(0, 5 * DAY);
        let kind = *self.chance.one(&["approve", "reject"]);
        let mut filter = json!({"status": status, "event_to": sender::time(until)});
        if by_goal {
            filter["goal_id"] = json!(self.world.goals[goal].id);
        }
        if by_publisher {
            filter["publisher_id"] = json!(self.world.publishers[publisher]);
        }
        let mut matched = 0;
        for number in 0..self.world.conversions.len() {
            let row = &self.world.conversions[number];
            let fits = row.status == status
                && row.event_time < until
                && (!by_goal || row.goal == goal)
                && (!by_publisher || row.publisher == Some(publisher));
            if fits {
                self.world.adjust(number, &Change { kind, money: None }, None);
                matched += 1;
            }
        }
        let body = json!({"kind": kind, "filter": filter});
        let told = self.sender.agency().post("/v1/conversions/bulk", body).await.expect(200);
        assert_eq!(told, json!({"matched": matched, "changed": matched, "dry_run": false}), "{filter}");
        self.steps += 1;
    }

    /// A while, after which the job settles the holds that have ended.
    async fn time_passes(&mut self) {
        let seconds = self.chance.between(1, DAY);
        self.sender.app().clock.advance(seconds);
        let (store, clock) = (self.sender.app().store.clone(), self.sender.app().clock.clone());
        jobs::settle_holds(store, clock).await.unwrap();
        self.world.pass(seconds);
    }

    /// The server stops, holds end meanwhile, and it comes back.
    async fn restart(&mut self) {
        let seconds = 2 * DAY;
        self.sender.restart(seconds).await;
        self.world.pass(seconds);
        let (store, clock) = (self.sender.app().store.clone(), self.sender.app().clock.clone());
        jobs::settle_holds(store, clock).await.unwrap();
    }
}

/// Chance.
impl Walk {
    /// A new report, mostly; or one that was counted, as it was or with something else in it.
    fn any_report(&mut self) -> Report {
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
        let customer = (mode == 1 || self.chance.percent(30)).then(|| format!("C-{}", self.chance.below(40)));
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
            let first = if mode == 2 { self.started - 3 * DAY } else { at };
            let late = if mode == 2 { 0 } else { self.chance.between(-50, 4 * DAY) };
            let time = if mode == 2 { self.chance.between(first, self.world.now) } else { first + late };
            report.event_time = Some(time.min(self.world.now));
        }
        report
    }

    fn any_money(&mut self, shop: usize, goal: Option<usize>) -> Option<(money::Parts, Unit)> {
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
    fn any_change(&mut self, number: usize) -> (Change, Option<String>) {
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

/// What has to agree.
impl Walk {
    /// The whole ledger, every report, and `tallyback verify`.
    async fn agrees(&self) {
        self.has_all_conversions().await;
        for dimension in DIMENSIONS {
            self.reports(&[dimension], None).await;
        }
        self.reports(&["day", "publisher", "goal"], None).await;
        self.reports(&["hour", "link", "creative"], None).await;
        self.reports(&["advertiser", "campaign", "publisher", "goal"], None).await;
        let world = &self.world;
        for (name, id) in [
            ("advertiser", &world.shops[0].id),
            ("publisher", &world.publishers[1]),
            ("goal", &world.goals[0].id),
            ("link", &world.links[0].id),
            ("campaign", &world.links[0].campaign),
        ] {
            self.reports(&["day", "goal"], Some((name, id.as_str()))).await;
        }
        let told = verify(&self.sender.app().database, &[]).await;
        assert_eq!(told.code, Some(0), "{told:?}");
        jobs::fold_totals(self.sender.app().store.clone()).await.unwrap();
        self.reports(&DIMENSIONS, None).await;
        let told = verify(&self.sender.app().database, &[]).await;
        assert_eq!(told.code, Some(0), "{told:?}");
    }

    async fn reports(&self, dimensions: &[&str], only: Only<'_>) {
        let period = [self.started - 20 * DAY, self.started + 100 * DAY].map(figures::date);
        let only_id = only.map(|(name, id)| format!("&{name}_id={id}")).unwrap_or_default();
        let path = format!(
            "/v1/reports?from={}&to={}&dimensions={}{only_id}",
            period[0],
            period[1],
            dimensions.join(",")
        );
        let told = self.sender.agency().get(&path).await.expect(200);
        let (wanted, got) = (self.world.rows(dimensions, only), figures::read(&told));
        for (values, row) in &wanted {
            assert_eq!(got.get(values), Some(row), "{dimensions:?} {only:?} {values:?}");
        }
        assert_eq!(got.len(), wanted.len(), "{dimensions:?} {only:?}");
        let totals = self.world.rows(&[], only).into_values().next().unwrap_or_default();
        assert_eq!(Row::read(&told["totals"]), totals, "{dimensions:?} {only:?}");
    }

    async fn has_all_conversions(&self) {
        let rows = self.sender.agency().all("/v1/conversions").await;
        assert_eq!(rows.len(), self.world.conversions.len());
        for told in rows {
            let found = self.world.conversions.iter().find(|row| told["id"] == row.id);
            let row = found.unwrap_or_else(|| panic!("nobody was told of {told:#}"));
            let text = |name: &str| told[name].as_str().map(parts);
            assert_eq!(told["status"], row.status, "{row:?}");
            assert_eq!((told["currency"].as_str(), text("amount")), (row.currency, row.amount), "{row:?}");
            assert_eq!((text("payout"), text("revenue")), (Some(row.payout), Some(row.revenue)), "{row:?}");
            let converted = row.reported.filter(|_| row.rate.is_some()).map(|(amount, _)| amount);
            assert_eq!(text("original_amount"), converted, "{row:?}");
            let mode = ["transaction", "customer", "partner"][row.mode];
            let link = row.link.map(|link| self.world.links[link].id.as_str());
            let publisher = row.publisher.map(|publisher| self.world.publishers[publisher].as_str());
            let credited =
                (told["match_mode"].as_str(), told["link_id"].as_str(), told["publisher_id"].as_str());
            assert_eq!(credited, (Some(mode), link, publisher), "{row:?}");
        }
    }

    /// The histories of those that were changed most.
    async fn has_all_histories(&self) {
        let mut changed: Vec<_> =
            self.world.conversions.iter().filter(|row| !row.history.is_empty()).collect();
        changed.sort_by_key(|row| std::cmp::Reverse(row.history.len()));
        assert!(changed.len() > 50, "only {} were changed", changed.len());
        for row in changed.into_iter().take(100) {
            let mut lines = self.sender.agency().all(&format!("/v1/conversions/{}/history", row.id)).await;
            lines.reverse();
            let told: Vec<_> = lines
                .iter()
                .map(|line| {
                    let word = |name: &str| line[name].as_str().unwrap().to_owned();
                    (word("kind"), word("status_after"), line["amount_after"].as_str().map(parts))
                })
                .collect();
            let wanted: Vec<_> = row
                .history
                .iter()
                .map(|(kind, status, amount)| ((*kind).to_owned(), (*status).to_owned(), *amount))
                .collect();
            assert_eq!(told, wanted, "{row:?}");
            assert!(lines.iter().enumerate().all(|(number, line)| line["position"] == json!(number + 1)));
        }
    }
}

/// An amount as reports and adjustments send it.
fn sent(amount: money::Parts) -> String {
    decimal(amount, 2)
}
