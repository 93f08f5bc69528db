//! What happens at one instant to one thing: reports, decisions, refunds and the end of a hold; in one process and, on
//! PostgreSQL, in two.

use std::collections::BTreeMap;

use futures_util::{
    StreamExt,
    future::{join, join_all},
    stream,
};
use reqwest::{Client, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tallyback_server::{clock::Clock, jobs};
use tallyback_tests::{Acme, Answer, TestApp, client};

use super::{storms::report_all, verify::verify};

const DAY: i64 = 86_400;

/// A server, and on PostgreSQL a second one on the same database; Acme as each of them knows it.
struct Servers {
    apps: Vec<TestApp>,
    places: Vec<Acme>,
}

impl Servers {
    async fn start(clock: Clock) -> Self {
        let first = TestApp::with(clock.clone(), |_| {}).await;
        let mut acme = first.acme().await;
        let scopes = json!(["conversions:write", "adjustments:write", "status:write"]);
        let key = json!({"name": "Back end", "advertiser_ids": [acme.advertiser["id"]], "scopes": scopes});
        acme.key = acme.agency.make("/v1/signing-keys", key).await;
        let mut servers = Self { apps: vec![first], places: vec![acme.clone()] };
        // A SQLite database belongs to one process.
        if servers.apps[0].database.is_postgres() {
            let second = TestApp::on(servers.apps[0].database.shared(), clock, |_| {}).await;
            servers.places.push(acme.at(&second.base_url));
            servers.apps.push(second);
        }
        servers
    }

    fn acme(&self) -> &Acme {
        &self.places[0]
    }

    /// One of the servers, in turn.
    fn place(&self, number: usize) -> &Acme {
        &self.places[number % self.places.len()]
    }

    fn now(&self) -> i64 {
        self.apps[0].clock.now().seconds()
    }

    async fn totals(&self) -> Value {
        self.acme().agency.get("/v1/reports").await.expect(200)["totals"].clone()
    }

    async fn is_clean(&self) {
        let told = verify(&self.apps[0].database, &[]).await;
        assert_eq!(told.code, Some(0), "{told:?}");
    }
}

fn order(click_id: &str, order: &str, amount: &str) -> Value {
    json!({"goal": "purchase", "click_id": click_id, "order_id": order, "amount": amount, "currency": "EUR"})
}

/// Sends something signed, at a time.
async fn send(http: &Client, place: &Acme, path: &str, now: i64, body: Value) -> Answer {
    let request = http.post(format!("{}{path}", place.agency.base_url));
    let request = request.header(CONTENT_TYPE, "application/json");
    Answer::to(place.signer().sign(request, "msg_race", now, body.to_string().as_bytes())).await
}

/// The sum of decimals, in ten-thousandths.
fn sum<'a>(amounts: impl Iterator<Item = &'a Value>) -> i64 {
    let parts = |amount: &Value| {
        let (whole, decimals) = amount.as_str().unwrap().split_once('.').unwrap();
        format!("{whole}{decimals:0<4}").parse::<i64>().unwrap()
    };
    amounts.map(parts).sum()
}

/// How many answers have a code.
fn of_code(answers: &[Answer], code: &str) -> usize {
    answers.iter().filter(|answer| answer.body["code"] == code).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_identical_postbacks_are_one_row_wherever_they_are_sent() {
    let servers = Servers::start(Clock::System).await;
    let sale = order(&servers.acme().click().await, "A-1", "49.90");
    let mut answers = report_all(&servers.places, vec![sale.clone(); 1_000]).await;
    let mut accepted = of_code(&answers, "accepted");
    // On a machine with too much to do some may have waited in the spool: they ask again, as the SDK would.
    let spooled = of_code(&answers, "accepted_spooled");
    while of_code(&answers, "accepted_spooled") > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        answers.retain(|answer| answer.body["code"] != "accepted_spooled");
        let again = vec![sale.clone(); 1_000 - answers.len()];
        answers.extend(report_all(&servers.places, again).await);
        accepted = of_code(&answers, "accepted");
    }
    assert!(accepted == 1 || (accepted == 0 && spooled > 0), "{accepted} were accepted");
    assert_eq!(accepted + of_code(&answers, "duplicate"), 1_000);
    let first = &answers[0].body["conversion_id"];
    assert!(first.is_string() && answers.iter().all(|answer| answer.body["conversion_id"] == *first));
    assert_eq!(servers.acme().agency.all("/v1/conversions").await.len(), 1);
    let totals = servers.totals().await;
    assert_eq!(
        (&totals["conversions"]["total"], &totals["money"][0]["amount"]),
        (&json!(1), &json!("49.90"))
    );
    servers.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_amounts_for_one_order_at_once_the_ledger_has_the_winners() {
    const ROUNDS: usize = 100;
    let servers = Servers::start(Clock::System).await;
    let click_id = servers.acme().click().await;
    let race = async |round: usize| {
        let order_id = format!("A-{round}");
        let amounts = [format!("{}.10", round + 1), format!("{}.20", round + 1)];
        let report =
            |side: usize| servers.place(side + round).report(order(&click_id, &order_id, &amounts[side]));
        let (one, two) = join(report(0), report(1)).await;
        let (winner, won, lost) = if one.status == 201 { (one, 0, two) } else { (two, 1, one) };
        let winner = winner.expect(201);
        let conflict = lost.refused(409, "duplicate_conflict");
        assert_eq!(conflict["conversion_id"], winner["conversion_id"]);
        let [counted, received] = [won, 1 - won].map(|side| json!(format!("{} EUR", amounts[side])));
        assert_eq!((&conflict["counted"], &conflict["received"]), (&counted, &received));
        (winner["conversion_id"].as_str().unwrap().to_owned(), amounts[won].clone())
    };
    let won: BTreeMap<String, String> =
        stream::iter(0..ROUNDS).map(race).buffer_unordered(10).collect().await;
    let rows = servers.acme().agency.all("/v1/conversions").await;
    assert_eq!((rows.len(), won.len()), (ROUNDS, ROUNDS));
    for row in &rows {
        assert_eq!(
            Some(row["amount"].as_str().unwrap()),
            won.get(row["id"].as_str().unwrap()).map(String::as_str)
        );
    }
    let reported = &servers.totals().await["money"][0]["amount"];
    assert_eq!(sum(std::iter::once(reported)), sum(rows.iter().map(|row| &row["amount"])));
    servers.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daily_cap_holds_on_both_sides_of_midnight() {
    const MOST: usize = 40;
    let servers = Servers::start(Clock::fixed(Clock::System.now())).await;
    let caps = json!({"conversions_per_day": MOST});
    servers.acme().goal(json!({"event_name": "lead", "count": "per_order", "caps": caps})).await;
    let click_id = servers.acme().click().await;
    let clock = &servers.apps[0].clock;
    clock.advance(clock.now().start_of_day().seconds() + DAY - 1 - servers.now());
    let before = servers.now();
    let http = client();
    let lead = async |number: usize| {
        let lead = json!({"goal": "lead", "click_id": click_id, "order_id": number.to_string()});
        send(&http, servers.place(number), "/v1/conversions", before, lead).await
    };
    let midnight = async {
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        clock.advance(1);
    };
    let (answers, ()) =
        join(stream::iter(0..400).map(lead).buffer_unordered(50).collect::<Vec<_>>(), midnight).await;
    assert!(answers.iter().all(|answer| [201, 202].contains(&answer.status)));
    // Whatever comes after midnight fills up the new day, and no more.
    for number in 400..(400 + MOST) {
        lead(number).await;
    }
    servers.acme().agency.report_until("", "/totals/conversions/total", json!(400 + MOST)).await;
    let mut days: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for row in servers.acme().agency.all("/v1/conversions").await {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        let is_over = row["flags"] == json!(["over_cap", "cap:conversions_per_day"]);
        assert_eq!(row["status"] == "pending", is_over, "{row:#}");
        *days.entry(text("received_at")[..10].to_owned()).or_default().entry(text("status")).or_default() +=
            1;
    }
    assert_eq!(days.len(), 2, "{days:?}");
    let approved: usize = days.values().filter_map(|day| day.get("approved")).sum();
    let counters = "SELECT CAST(SUM(conversions) AS BIGINT) FROM goal_counts";
    assert_eq!(servers.apps[0].database.db_number(counters).await, approved as i64, "{days:?}");
    assert_eq!(servers.totals().await["conversions"]["approved"], json!(approved), "{days:?}");
    for day in days.values() {
        let all: usize = day.values().sum();
        assert_eq!(day.get("approved").copied().unwrap_or_default(), all.min(MOST), "{days:?}");
    }
    servers.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_adjustment_that_is_sent_many_times_at_once_is_made_once() {
    let servers = Servers::start(Clock::System).await;
    let click_id = servers.acme().click().await;
    let http = client();
    for round in 0..5 {
        let name = format!("R-{round}");
        let made = servers.acme().report(order(&click_id, &name, "49.90")).await.expect(201);
        let id = made["conversion_id"].as_str().unwrap();
        let amounts = ["10", "20"];
        let refund = |amount: &str| {
            json!({"adjustment_id": name, "kind": "restatement", "goal": "purchase", "order_id": name,
                "amount": amount, "currency": "EUR"})
        };
        let sent = (0..40).map(|number| {
            let (place, amount) = (servers.place(number / 2), amounts[number % 2]);
            send(&http, place, "/v1/adjustments", servers.now(), refund(amount))
        });
        let answers = join_all(sent).await;
        let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
        for answer in &answers {
            *codes.entry(answer.body["code"].as_str().unwrap_or(&answer.text)).or_default() += 1;
        }
        assert_eq!(codes, BTreeMap::from([("adjusted", 1), ("duplicate", 19), ("adjustment_conflict", 20)]));
        let lines = servers.acme().agency.all(&format!("/v1/conversions/{id}/history")).await;
        let row = servers.acme().agency.get(&format!("/v1/conversions/{id}")).await.expect(200);
        assert_eq!((lines.len(), &lines[0]["amount_after"]), (1, &row["amount"]));
        let winner = answers.iter().find(|answer| answer.body["code"] == "adjusted").unwrap();
        assert_eq!(winner.body["amount"], row["amount"]);
    }
    servers.is_clean().await;
}

/// Where each kind may lead a conversion that stands somewhere.
fn is_legal(kind: &str, before: &str, after: &str) -> bool {
    match (kind, before) {
        ("approve", "pending" | "on_hold" | "approved") => after == "approved",
        ("reject", "pending" | "on_hold" | "rejected") => after == "rejected",
        ("hold_end", "on_hold") => after == "approved",
        ("retraction", "approved" | "reversed") => after == "reversed",
        ("retraction", "pending" | "on_hold" | "rejected") => after == "rejected",
        ("restatement", "rejected" | "reversed") => after == "pending",
        ("restatement", _) => after == before,
        ("reopen", "pending" | "rejected") => after == "pending",
        _ => false,
    }
}

/// The conversion's history is a path: each line goes on where the one before has ended, and the row is where the last one
/// ends.
async fn has_legal_history(acme: &Acme, row: &Value, started: &str) -> usize {
    let id = row["id"].as_str().unwrap();
    let mut lines = acme.agency.all(&format!("/v1/conversions/{id}/history")).await;
    lines.reverse();
    let (mut status, mut amount) = (json!(started), json!("10.00"));
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(line["position"], json!(number + 1), "{lines:#?}");
        assert_eq!((&line["status_before"], &line["amount_before"]), (&status, &amount), "{lines:#?}");
        let text = |name: &str| line[name].as_str().unwrap();
        assert!(is_legal(text("kind"), text("status_before"), text("status_after")), "{line:#}");
        (status, amount) = (line["status_after"].clone(), line["amount_after"].clone());
    }
    assert_eq!((&row["status"], &row["amount"]), (&status, &amount), "{row:#}");
    let ends = lines.iter().filter(|line| line["kind"] == "hold_end").count();
    assert!(ends <= 1, "{lines:#?}");
    lines.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_refunds_and_the_end_of_a_hold_at_once_are_a_legal_history() {
    const COUNT: usize = 150;
    let servers = Servers::start(Clock::fixed(Clock::System.now())).await;
    let goal = json!({"event_name": "held", "count": "per_order", "currency": "EUR", "hold_seconds": DAY,
        "payout": {"type": "percent", "percent": "10"}, "revenue": {"type": "percent", "percent": "12.5"}});
    servers.acme().goal(goal).await;
    let click_id = servers.acme().click().await;
    let (now, mut ids) = (servers.now(), Vec::new());
    for number in 0..COUNT {
        let held = json!({"goal": "held", "click_id": click_id, "order_id": number.to_string(), "amount": "10", "currency": "EUR"});
        let held = servers.place(number).report_at(now, held).await.expect(202);
        assert_eq!(held["code"], "accepted_on_hold");
        ids.push(held["conversion_id"].as_str().unwrap().to_owned());
    }
    let clock = &servers.apps[0].clock;
    clock.advance(2 * DAY);
    let now = servers.now();
    let settle = join_all((0..6).map(|number| {
        let app = &servers.apps[number % servers.apps.len()];
        async move { jobs::settle_holds(app.store.clone(), app.clock.clone()).await.unwrap() }
    }));
    let http = client();
    let decide = async |number: usize| {
        let (place, other, id) = (servers.place(number), servers.place(number + 1), &ids[number]);
        let path = format!("/v1/conversions/{id}/adjustments");
        let refund =
            json!({"adjustment_id": format!("R-{number}"), "kind": "retraction", "conversion_id": id});
        let less = json!({"adjustment_id": format!("L-{number}"), "kind": "restatement", "conversion_id": id,
            "amount": "4", "currency": "EUR"});
        let (refunded, restated, decided) = tokio::join!(
            send(&http, other, "/v1/adjustments", now, refund),
            send(&http, place, "/v1/adjustments", now, less),
            place
                .agency
                .post(&path, json!({"kind": if number.is_multiple_of(3) { "reject" } else { "approve" }})),
        );
        assert_eq!((refunded.status, restated.status), (200, 200), "{refunded:?} {restated:?}");
        assert!([200, 409].contains(&decided.status), "{decided:?}");
    };
    let decisions = stream::iter(0..COUNT).map(decide).buffer_unordered(16).collect::<Vec<()>>();
    let bulk = async {
        let body = json!({"kind": "approve", "filter": {"status": "on_hold"}});
        servers.place(1).agency.post("/v1/conversions/bulk", body).await.expect(200)
    };
    tokio::join!(settle, decisions, bulk);
    jobs::settle_holds(servers.apps[0].store.clone(), clock.clone()).await.unwrap();

    let rows = servers.acme().agency.all("/v1/conversions").await;
    let lines = stream::iter(&rows).map(|row| has_legal_history(servers.acme(), row, "on_hold"));
    let lines: Vec<usize> = lines.buffer_unordered(4).collect().await;
    assert!(lines.iter().all(|lines| (2..=5).contains(lines)), "{lines:?}");
    let totals = servers.totals().await;
    for status in ["pending", "on_hold", "approved", "rejected", "reversed"] {
        let of_status: Vec<&Value> = rows.iter().filter(|row| row["status"] == status).collect();
        assert_eq!(totals["conversions"][status], json!(of_status.len()), "{status}: {totals:#}");
        for money in ["amount", "payout", "revenue"] {
            let told = &totals["money"][0]["by_status"][status][money];
            let told = if told.is_null() { 0 } else { sum(std::iter::once(told)) };
            assert_eq!(told, sum(of_status.iter().map(|row| &row[money])), "{money} of {status}: {totals:#}");
        }
    }
    assert_eq!(totals["conversions"]["on_hold"], 0);
    servers.is_clean().await;
}
