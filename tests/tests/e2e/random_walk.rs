//! Thousands of random steps against the server, and a model that says what the ledger and the reports must say then: to
//! the micro, for every currency. A walk that fails prints its seed; `TALLYBACK_WALK_SEED` repeats it.

mod agreement;
mod chance;
mod choices;
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
    model::{Change, DAY, Report, World},
    sender::{Sender, http_status},
};

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

/// What a long walk has to be answered, at least once.
const CODES: [&str; 20] = [
    "accepted",
    "accepted_on_hold",
    "accepted_pending",
    "adjusted",
    "adjusted_nothing",
    "adjustment_conflict",
    "advertiser_mismatch",
    "amount_required",
    "click_expired",
    "conversion_precedes_click",
    "currency_invalid",
    "customer_not_found",
    "duplicate",
    "duplicate_conflict",
    "goal_mismatch",
    "mode_not_allowed",
    "order_attributed_elsewhere",
    "order_id_required",
    "over a cap",
    "transition_not_allowed",
];

#[tokio::test(flavor = "multi_thread")]
async fn reports_and_ledger_are_what_a_fixed_walk_comes_to() {
    let walk = walk(20_261_128, 36).await;
    let answered: Vec<&str> = walk.codes.keys().copied().collect();
    assert_eq!(answered, CODES);
    let stood: BTreeSet<_> = walk.world.conversions.iter().map(|row| (row.mode, row.status)).collect();
    assert_eq!(stood.len(), 3 * 5, "{stood:?}");
    assert!(walk.steps > 3_000, "{} steps", walk.steps);
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_and_ledger_are_what_a_random_walk_comes_to() {
    let seed = std::env::var("TALLYBACK_WALK_SEED").ok().map(|text| text.parse().unwrap());
    let walk = walk(seed.unwrap_or_else(|| u64::from_le_bytes(clock::random())), 16).await;
    assert!(walk.steps > 1_000, "{} steps", walk.steps);
}

async fn walk(seed: u64, rounds: usize) -> Walk {
    println!("TALLYBACK_WALK_SEED={seed} repeats this walk");
    let mut walk = Walk::start(seed).await;
    for round in 1..=rounds {
        walk.visitors().await;
        walk.batch().await;
        for _ in 0..8 {
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
    walk
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
        for _ in 0..100 {
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
            if answer["flags"].as_array().unwrap().contains(&json!("over_cap")) {
                *self.codes.entry("over a cap").or_default() += 1;
            }
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
