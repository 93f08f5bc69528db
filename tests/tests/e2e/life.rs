//! The life of a conversion after it was counted: new amounts by its own terms, repetitions of its report, the end of its hold.

use futures_util::future::join;
use reqwest::Method;
use serde_json::{Value, json};
use tallyback_server::jobs;
use tallyback_tests::{Acme, Answer, TestApp};

use super::verify::verify;

const DAY: i64 = 86_400;

async fn change(acme: &Acme, kind: &str, made: &Value, changes: Value) {
    let path = format!("/v1/{kind}/{}", made["id"].as_str().unwrap());
    acme.agency.patch(&path, changes).await.expect(200);
}

async fn put_rate(acme: &Acme, base: &str, rate: &str) {
    let rates = json!({"rates": [{"base": base, "quote": "EUR", "date": "2026-01-01", "rate": rate}]});
    acme.agency.send(Method::PUT, "/v1/currency-rates", Some(rates)).await.expect(200);
}

/// Reports a conversion; its id.
async fn counted(app: &TestApp, acme: &Acme, report: Value) -> String {
    let answer = acme.report_at(app.clock.now().seconds(), report).await;
    let id = answer.body["conversion_id"].as_str().map(str::to_owned);
    id.unwrap_or_else(|| panic!("{}", answer.text))
}

async fn restate(acme: &Acme, id: &str, amount: &str, currency: &str) -> Answer {
    let body =
        json!({"kind": "restatement", "amount": amount, "currency": currency, "reason": "item_returned"});
    acme.agency.post(&format!("/v1/conversions/{id}/adjustments"), body).await
}

/// What a conversion is worth, as it is shown.
async fn money(acme: &Acme, id: &str) -> [String; 4] {
    let shown = acme.agency.get(&format!("/v1/conversions/{id}")).await.expect(200);
    ["amount", "currency", "payout", "revenue"].map(|name| shown[name].as_str().unwrap_or("-").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_amount_is_worth_what_the_conversions_own_terms_say() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let own = json!({"publisher_id": acme.publisher["id"], "payout": {"type": "percent", "percent": "20"}});
    let goal = json!({"event_name": "order", "count": "per_order", "currency": "EUR", "overrides": [own],
        "payout": {"type": "percent", "percent": "10"}, "revenue": {"type": "fixed", "amount": "3"}});
    let goal = acme.goal(goal).await;
    let order = json!({"goal": "order", "click_id": acme.click().await, "order_id": "A-1", "amount": "100", "currency": "EUR"});
    let id = counted(&app, &acme, order).await;
    assert_eq!(money(&acme, &id).await, ["100.00", "EUR", "20.00", "3.00"]);
    let later = json!({"overrides": [], "payout": {"type": "percent", "percent": "50"},
        "revenue": {"type": "percent", "percent": "60"}});
    change(&acme, "goals", &goal, later).await;
    restate(&acme, &id, "40", "EUR").await.expect(200);
    assert_eq!(money(&acme, &id).await, ["40.00", "EUR", "8.00", "3.00"]);
    let report = acme.agency.get("/v1/reports").await.expect(200);
    assert_eq!(report["totals"]["money"][0]["payout"], "8.00", "{report:#}");
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_converted_conversion_is_restated_in_either_currency_at_its_own_rate() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    change(&acme, "advertisers", &acme.advertiser, json!({"currency": "EUR"})).await;
    let goal = json!({"event_name": "order", "count": "per_order", "currency": "USD",
        "payout": {"type": "percent", "percent": "10"}, "revenue": {"type": "fixed", "amount": "5"}});
    acme.goal(goal).await;
    put_rate(&acme, "USD", "0.5").await;
    let order = json!({"goal": "order", "click_id": acme.click().await, "order_id": "A-1", "amount": "100", "currency": "USD"});
    let id = counted(&app, &acme, order.clone()).await;
    assert_eq!(money(&acme, &id).await, ["50.00", "EUR", "5.00", "2.50"]);
    put_rate(&acme, "USD", "0.9").await;
    for (amount, currency, wanted) in [
        ("60", "USD", ["30.00", "EUR", "3.00", "2.50"]),
        ("20", "EUR", ["20.00", "EUR", "2.00", "2.50"]),
        ("80", "USD", ["40.00", "EUR", "4.00", "2.50"]),
    ] {
        restate(&acme, &id, amount, currency).await.expect(200);
        assert_eq!(money(&acme, &id).await, wanted, "{amount} {currency}");
    }
    let refused = restate(&acme, &id, "60", "GBP").await.refused(422, "currency_invalid");
    assert!(refused["detail"].as_str().unwrap().contains("was reported in USD"), "{refused:#}");
    let shown = acme.agency.get(&format!("/v1/conversions/{id}")).await.expect(200);
    assert_eq!(
        [&shown["original_amount"], &shown["original_currency"], &shown["exchange_rate"]],
        [&json!("100.00"), &json!("USD"), &json!("0.5")],
        "what was reported stays"
    );
    let again = acme.report_at(app.clock.now().seconds(), order).await.expect(200);
    assert_eq!((&again["code"], &again["conversion_id"]), (&json!("duplicate"), &json!(id)));
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_without_money_is_restated_in_its_advertisers_currency() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    acme.goal(json!({"event_name": "lead"})).await;
    let lead = json!({"goal": "lead", "click_id": acme.click().await});
    let id = counted(&app, &acme, lead.clone()).await;
    change(&acme, "advertisers", &acme.advertiser, json!({"currency": "EUR"})).await;
    restate(&acme, &id, "10", "USD").await.refused(422, "currency_invalid");
    restate(&acme, &id, "10", "EUR").await.expect(200);
    assert_eq!(money(&acme, &id).await, ["10.00", "EUR", "0.00", "0.00"]);
    let again = acme.report_at(app.clock.now().seconds(), lead).await.expect(200);
    assert_eq!(again["code"], "duplicate", "the report had no amount");
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_comes_again_repeats_what_was_reported_whatever_was_done_since() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let sale = json!({"goal": "purchase", "click_id": acme.click().await, "order_id": "A-1", "amount": "49.90", "currency": "EUR"});
    let id = counted(&app, &acme, sale.clone()).await;
    let path = format!("/v1/conversions/{id}/adjustments");
    let restated = |amount: &str| json!({"kind": "restatement", "amount": amount, "currency": "EUR"});
    for (body, status) in [
        (restated("20"), "approved"),
        (restated("30"), "approved"),
        (json!({"kind": "retraction"}), "reversed"),
        (restated("40"), "pending"),
        (json!({"kind": "reject"}), "rejected"),
        (json!({"kind": "reopen"}), "pending"),
        (json!({"kind": "approve"}), "approved"),
    ] {
        acme.agency.post(&path, body).await.expect(200);
        let again = acme.report_at(app.clock.now().seconds(), sale.clone()).await.expect(200);
        let told = (&again["code"], &again["conversion_id"], &again["status"]);
        assert_eq!(told, (&json!("duplicate"), &json!(id), &json!(status)));
        let mut other = sale.clone();
        other["amount"] = json!("41");
        let conflict =
            acme.report_at(app.clock.now().seconds(), other).await.refused(409, "duplicate_conflict");
        assert_eq!((&conflict["counted"], &conflict["received"]), (&json!("49.90 EUR"), &json!("41.00 EUR")));
    }
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 1);
}

/// So many conversions whose holds end one second after the other, the last that was reported first.
async fn held(app: &TestApp, acme: &Acme, count: i64) {
    let goal = json!({"event_name": "held", "count": "per_order", "currency": "EUR", "hold_seconds": DAY,
        "payout": {"type": "percent", "percent": "10"}});
    acme.goal(goal).await;
    let click_id = acme.click().await;
    app.clock.advance(DAY / 2);
    let now = app.clock.now().seconds();
    for number in 0..count {
        let order = json!({"goal": "held", "click_id": click_id, "order_id": number.to_string(), "amount": "10",
            "currency": "EUR", "event_time": now - number});
        assert_eq!(acme.report_at(now, order).await.expect(202)["code"], "accepted_on_hold");
    }
}

/// When the hold of each conversion was to end, and when it did.
async fn ends(acme: &Acme) -> Vec<(String, String)> {
    let mut ends = Vec::new();
    for row in acme.agency.all("/v1/conversions").await {
        let id = row["id"].as_str().unwrap();
        let lines = acme.agency.all(&format!("/v1/conversions/{id}/history")).await;
        assert_eq!((lines.len(), &row["status"]), (1, &json!("approved")));
        assert_eq!((&lines[0]["kind"], &lines[0]["actor"]), (&json!("hold_end"), &json!("system")));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        ends.push((text(&row["hold_until"]), text(&lines[0]["created_at"])));
    }
    ends.sort();
    ends
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_end_once_and_in_the_order_of_their_ends() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    held(&app, &acme, 250).await;
    app.clock.advance(2 * DAY);
    let settled = std::sync::atomic::AtomicBool::new(false);
    let settle = async {
        jobs::settle_holds(app.store.clone(), app.clock.clone()).await.unwrap();
        settled.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    // Whatever is settled in one transaction has one time; the next one has a later one.
    let time_passes = async {
        while !settled.load(std::sync::atomic::Ordering::Relaxed) {
            app.clock.advance(1);
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    join(settle, time_passes).await;
    let ends = ends(&acme).await;
    let mut times: Vec<&String> = ends.iter().map(|(_, ended)| ended).collect();
    assert!(times.is_sorted(), "{ends:#?}");
    times.dedup();
    assert!(times.len() > 1, "all of them ended at once, so that their order is not seen");
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_that_end_while_the_server_is_down_are_settled_when_it_is_back() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    held(&app, &acme, 20).await;
    let clock = app.clock.clone();
    let database = app.stop().await;
    clock.advance(20 * DAY);
    let app = TestApp::on(database, clock, |_| {}).await;
    let acme = acme.at(&app.base_url);
    let report = acme.agency.report_until("", "/totals/conversions/approved", json!(20)).await;
    assert_eq!(report["totals"]["conversions"]["on_hold"], 0, "{report:#}");
    assert_eq!(ends(&acme).await.len(), 20);
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
}
