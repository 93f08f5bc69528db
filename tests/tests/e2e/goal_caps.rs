//! Goals that take only so much: never one more, whatever races.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tallyback_tests::{Acme, Process, TestApp, TestDatabase, now};

use super::{storms::report_all, tallyback, verify::verify};

const DAY: i64 = 86_400;

/// A goal per order that pays a tenth, with caps.
async fn capped(acme: &Acme, caps: Value) -> Value {
    let payout = json!({"type": "percent", "percent": "10"});
    let goal = json!({"event_name": "order", "count": "per_order", "currency": "EUR", "payout": payout, "caps": caps});
    acme.goal(goal).await
}

async fn change(acme: &Acme, goal: &Value, changes: Value) {
    acme.agency.patch(&format!("/v1/goals/{}", goal["id"].as_str().unwrap()), changes).await.expect(200);
}

fn order(click_id: &str, order: &str, amount: &str) -> Value {
    json!({"goal": "order", "click_id": click_id, "order_id": order, "amount": amount, "currency": "EUR"})
}

/// Reports so many orders one after the other; how each is answered.
async fn codes(acme: &Acme, click_id: &str, orders: std::ops::Range<usize>) -> Vec<String> {
    let mut codes = Vec::new();
    for number in orders {
        let answer = acme.report(order(click_id, &format!("A-{number}"), "100")).await;
        codes.push(answer.body["code"].as_str().unwrap().to_owned());
    }
    codes
}

fn taken(codes: &[String]) -> usize {
    codes.iter().filter(|code| *code == "accepted").count()
}

/// Reports so many orders at once, to these places in turn; how many were answered how, with the flags.
async fn storm(places: &[Acme], click_id: &str, orders: usize) -> BTreeMap<(String, String), usize> {
    let bodies = (0..orders).map(|number| order(click_id, &format!("S-{number}"), "100")).collect();
    let answers = report_all(places, bodies).await.into_iter().map(|answer| answer.body);
    let mut counts = BTreeMap::new();
    for answer in answers {
        let code = answer["code"].as_str().unwrap().to_owned();
        *counts.entry((code, answer["flags"].to_string())).or_default() += 1;
    }
    counts
}

fn hundred_of_a_thousand(cap: &str) -> BTreeMap<(String, String), usize> {
    let over = format!(r#"["over_cap","cap:{cap}"]"#);
    BTreeMap::from([
        (("accepted".to_owned(), "[]".to_owned()), 100),
        (("accepted_pending".to_owned(), over), 900),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_later_takes_no_room_of_an_earlier_day() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let goal = capped(&acme, json!({"conversions_per_day": 2})).await;
    let click_id = acme.click().await;
    let mut early = order(&click_id, "A-0", "100");
    early["goal"] = json!("Order");
    let early = acme.report(early).await.refused(422, "goal_mismatch");
    app.clock.advance(DAY);
    let report = async |name: &str| acme.report_at(now() + DAY, order(&click_id, name, "100")).await;
    for name in ["A-1", "A-2"] {
        report(name).await.expect(201);
    }
    report("A-3").await.expect(202);
    change(&acme, &goal, json!({"event_name": "Order"})).await;
    let path = format!("/v1/postbacks/{}/rerun", early["postback_id"].as_str().unwrap());
    let counted = acme.agency.post(&path, json!({})).await.expect(200);
    assert_eq!((&counted["code"], &counted["flags"]), (&json!("accepted"), &json!([])), "{counted:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_of_a_hundred_takes_a_hundred_of_a_thousand_at_once() {
    for (cap, most) in [("conversions_total", json!(100)), ("payout_per_month", json!("1000"))] {
        let app = TestApp::start().await;
        let acme = app.acme().await;
        capped(&acme, json!({cap: most})).await;
        let click_id = acme.click().await;
        assert_eq!(storm(std::slice::from_ref(&acme), &click_id, 1_000).await, hundred_of_a_thousand(cap));
        let report = acme.agency.report_until("", "/totals/conversions/approved", json!(100)).await;
        assert_eq!(report["totals"]["conversions"]["pending"], 900);
        assert_eq!(verify(&app.database, &[]).await.code, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_share_a_goals_cap() {
    let database = TestDatabase::create().await;
    // A SQLite database belongs to one process.
    if !database.is_postgres() {
        return;
    }
    let one = Process::serve(tallyback(), &database, &[]).await;
    let spool = database.folder.path().join("another-spool.db").display().to_string();
    let two = Process::serve(tallyback(), &database, &["--spool", &spool]).await;
    let acme = Acme::set_up(one.agency(&database).await).await;
    capped(&acme, json!({"conversions_total": 100})).await;
    let click_id = acme.click().await;
    let places = [acme.clone(), acme.at(&two.base_url)];
    assert_eq!(storm(&places, &click_id, 1_000).await, hundred_of_a_thousand("conversions_total"));
    assert_eq!(verify(&database, &[]).await.code, Some(0));
    one.kill().await;
    two.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_cap_is_named_and_begins_anew_with_its_period() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let goal = capped(&acme, json!({"conversions_per_day": 2, "conversions_per_month": 3})).await;
    let first_of = |time: String| {
        tallyback_server::domain::time::Timestamp::parse(&format!("{}-01T00:00:00Z", &time[..7])).unwrap()
    };
    let next_month = first_of(first_of(app.clock.now().to_string()).plus_seconds(32 * DAY).to_string());
    let go_to = |time: tallyback_server::domain::time::Timestamp| {
        app.clock.advance(time.seconds() - app.clock.now().seconds())
    };
    go_to(next_month.plus_seconds(3_600));
    change(&acme, &goal, json!({"click_window_seconds": 200 * DAY})).await;
    let click_id = acme.click().await;
    let flags = async |name: &str| {
        acme.report_at(app.clock.now().seconds(), order(&click_id, name, "100")).await.body["flags"].clone()
    };
    assert_eq!([flags("1").await, flags("2").await], [json!([]), json!([])]);
    assert_eq!(flags("3").await, json!(["over_cap", "cap:conversions_per_day"]));
    go_to(next_month.plus_seconds(DAY - 1));
    assert_eq!(
        flags("4").await,
        json!(["over_cap", "cap:conversions_per_day"]),
        "the last second of the day"
    );
    go_to(next_month.plus_seconds(DAY));
    assert_eq!(flags("5").await, json!([]), "another day");
    assert_eq!(flags("6").await, json!(["over_cap", "cap:conversions_per_month"]));
    let month_after = first_of(next_month.plus_seconds(32 * DAY).to_string());
    go_to(month_after.plus_seconds(-1));
    assert_eq!(flags("7").await, json!(["over_cap", "cap:conversions_per_month"]));
    go_to(month_after);
    assert_eq!(flags("8").await, json!([]), "another month");
    assert_eq!(
        acme.report_at(app.clock.now().seconds(), order(&click_id, "8", "100")).await.expect(200)["code"],
        "duplicate"
    );
    assert_eq!(flags("9").await, json!([]), "a repetition takes nothing");
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_cap_takes_what_fits() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let goal = capped(&acme, json!({"payout_total": "25"})).await;
    assert_eq!(goal["caps"]["payout_total"], "25.00");
    let click_id = acme.click().await;
    for (name, amount, status) in [
        ("1", "100", "approved"),
        ("2", "160", "pending"),
        ("3", "150", "approved"),
        ("4", "0.0001", "pending"),
        ("5", "0", "approved"),
    ] {
        let made = acme.report(order(&click_id, name, amount)).await.body;
        assert_eq!(made["status"], status, "{name}: {made:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_a_cap_counts_and_a_cap_can_be_raised_and_lifted() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let goal = capped(&acme, json!({})).await;
    let click_id = acme.click().await;
    assert_eq!(taken(&codes(&acme, &click_id, 0..3).await), 3);
    let mut next = 3;
    for (caps, taken_now) in [
        (json!({"conversions_total": 4}), 1),
        (json!({"payout_total": "40"}), 0),
        (json!({"payout_total": "60"}), 2),
        (json!(null), 5),
        (json!({"conversions_per_day": 11}), 0),
        (json!({"conversions_per_day": 12, "payout_total": "1000"}), 1),
    ] {
        change(&acme, &goal, json!({"caps": caps})).await;
        let codes = codes(&acme, &click_id, next..next + 5).await;
        assert_eq!(taken(&codes), taken_now, "{caps}");
        next += 5;
    }
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_a_cap_is_counted_and_waits() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let goal = capped(&acme, json!({"conversions_total": 1})).await;
    change(&acme, &goal, json!({"hold_seconds": DAY})).await;
    let click_id = acme.click().await;
    assert_eq!(acme.report(order(&click_id, "1", "100")).await.expect(202)["code"], "accepted_on_hold");
    let over = acme.report(order(&click_id, "2", "100")).await.expect(202);
    assert_eq!((&over["code"], &over["hold_until"]), (&json!("accepted_pending"), &Value::Null));
    let mut dry = order(&click_id, "3", "100");
    dry["validate_only"] = json!(true);
    assert_eq!(acme.report(dry).await.expect(200)["would_be"], "accepted_pending");
    let mut rejected = order(&click_id, "4", "100");
    rejected["status"] = json!("rejected");
    assert_eq!(acme.report(rejected).await.expect(201)["status"], "rejected", "nobody is paid for it");
    let shown = acme
        .agency
        .get(&format!("/v1/conversions/{}", over["conversion_id"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(
        (&shown["flags"], &shown["payout"]),
        (&json!(["over_cap", "cap:conversions_total"]), &json!("10.00"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_takes_no_place() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    capped(&acme, json!({"conversions_total": 1})).await;
    let click_id = acme.click().await;
    for _ in 0..3 {
        let mut dry = order(&click_id, "1", "100");
        dry["validate_only"] = json!(true);
        assert_eq!(acme.report(dry).await.expect(200)["would_be"], "accepted");
    }
    acme.report(order(&click_id, "1", "100")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn caps_are_in_the_goals_currency_whatever_the_advertisers() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let path = format!("/v1/advertisers/{}", acme.advertiser["id"].as_str().unwrap());
    acme.agency.patch(&path, json!({"currency": "JPY"})).await.expect(200);
    let rates = json!({"rates": [{"base": "EUR", "quote": "JPY", "date": "2026-01-01", "rate": "163.3"}]});
    acme.agency.send(reqwest::Method::PUT, "/v1/currency-rates", Some(rates)).await.expect(200);
    let goal = capped(&acme, json!({"payout_total": "25"})).await;
    let click_id = acme.click().await;
    assert_eq!(taken(&codes(&acme, &click_id, 0..4).await), 2);
    change(&acme, &goal, json!({"caps": {"payout_total": "35"}})).await;
    assert_eq!(taken(&codes(&acme, &click_id, 4..8).await), 1, "also where it is counted anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_column_holds_in_all_is_counted_and_compared() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let goal = json!({"event_name": "order", "count": "per_order", "currency": "EUR", "payout": {"type": "dynamic"}});
    let goal = acme.goal(goal).await;
    let click_id = acme.click().await;
    for number in 0..12 {
        acme.report(order(&click_id, &format!("L-{number}"), "999999999999.9999")).await.expect(201);
    }
    change(&acme, &goal, json!({"caps": {"payout_total": "1000"}})).await;
    let over = acme.report(order(&click_id, "L-12", "10")).await.expect(202);
    assert_eq!(over["flags"], json!(["over_cap", "cap:payout_total"]), "{over:#}");
    let verified = verify(&app.database, &[]).await;
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_counts_what_a_conversion_was_restated_to() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let path = format!("/v1/advertisers/{}", acme.advertiser["id"].as_str().unwrap());
    acme.agency.patch(&path, json!({"currency": "JPY"})).await.expect(200);
    let rate =
        |base: &str, rate: &str| json!({"base": base, "quote": "JPY", "date": "2026-01-01", "rate": rate});
    let rates = json!({"rates": [rate("EUR", "163.3"), rate("USD", "150")]});
    acme.agency.send(reqwest::Method::PUT, "/v1/currency-rates", Some(rates)).await.expect(200);
    let goal = capped(&acme, json!({"payout_total": "1000"})).await;
    let click_id = acme.click().await;
    let mut restated = 0;
    for (reported, currency, amount, into) in [
        ("100", "EUR", "30", "EUR"),
        ("100", "EUR", "4899", "JPY"),
        ("0", "EUR", "30", "EUR"),
        ("100", "USD", "32.66", "USD"),
        ("100", "USD", "4899", "JPY"),
    ] {
        restated += 1;
        let mut sale = order(&click_id, &format!("R-{restated}"), reported);
        sale["currency"] = json!(currency);
        let made = acme.report(sale).await.expect(201);
        let path = format!("/v1/conversions/{}/adjustments", made["conversion_id"].as_str().unwrap());
        let change = json!({"kind": "restatement", "amount": amount, "currency": into});
        acme.agency.post(&path, change).await.expect(200);
    }
    // Each of the five is worth 30 euros now, and pays 3. A new cap makes the count anew: there is room for 2 of 10 more.
    change(&acme, &goal, json!({"caps": {"payout_total": "35"}})).await;
    assert_eq!(taken(&codes(&acme, &click_id, 0..3).await), 2);
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
}
