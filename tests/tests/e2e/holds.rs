//! The end of refund periods: once, and whoever decides before it wins. `life` has their order, and times of downtime.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tallyback_server::{clock::Clock, jobs};
use tallyback_tests::{Acme, TestApp};

const DAY: i64 = 86_400;

async fn shop(hold_end: &str) -> (TestApp, Acme) {
    let app = TestApp::with(Clock::fixed(Clock::System.now()), |_| {}).await;
    let acme = app.acme().await;
    let goal = json!({"event_name": "held", "count": "per_order", "currency": "EUR", "hold_seconds": DAY,
        "hold_end": hold_end,
        "payout": {"type": "percent", "percent": "10"}, "revenue": {"type": "percent", "percent": "12.5"}});
    acme.goal(goal).await;
    (app, acme)
}

async fn held(acme: &Acme, order: &str) -> String {
    let sale = json!({"goal": "held", "click_id": acme.click().await, "order_id": order, "amount": "10.00", "currency": "EUR"});
    let body = acme.report(sale).await.expect(202);
    assert_eq!(body["code"], "accepted_on_hold");
    body["conversion_id"].as_str().unwrap().to_owned()
}

async fn decide(acme: &Acme, id: &str, kind: &str) -> Value {
    acme.agency.post(&format!("/v1/conversions/{id}/adjustments"), json!({"kind": kind})).await.expect(200)
}

async fn history(acme: &Acme, id: &str) -> Vec<(String, String, String)> {
    let lines = acme.agency.all(&format!("/v1/conversions/{id}/history")).await;
    let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
    lines
        .iter()
        .map(|line| (text(line, "kind"), text(line, "status_before"), text(line, "status_after")))
        .collect()
}

fn line(kind: &str, before: &str, after: &str) -> (String, String, String) {
    (kind.to_owned(), before.to_owned(), after.to_owned())
}

async fn settle(app: &TestApp) {
    jobs::settle_holds(app.store.clone(), app.clock.clone()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_hold_does_what_the_goal_says_once() {
    for (hold_end, status) in [("approve", "approved"), ("reject", "rejected")] {
        let (app, acme) = shop(hold_end).await;
        let id = held(&acme, "A-1").await;
        settle(&app).await;
        assert_eq!(history(&acme, &id).await, []);
        app.clock.advance(DAY + 1);
        join_all((0..8).map(|_| settle(&app))).await;
        assert_eq!(history(&acme, &id).await, [line("hold_end", "on_hold", status)]);
        let report = acme.agency.get("/v1/reports").await.expect(200);
        assert_eq!(report["totals"]["conversions"][status], 1, "{report:#}");
        assert_eq!(report["totals"]["conversions"]["on_hold"], 0, "{report:#}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_decides_before_the_end_wins() {
    let (app, acme) = shop("approve").await;
    let mut ids = Vec::new();
    for (kind, status) in [("retraction", "rejected"), ("reject", "rejected"), ("approve", "approved")] {
        let id = held(&acme, kind).await;
        assert_eq!(decide(&acme, &id, kind).await["conversion"]["status"], status);
        ids.push((id, kind, status));
    }
    app.clock.advance(2 * DAY);
    settle(&app).await;
    for (id, kind, status) in ids {
        assert_eq!(history(&acme, &id).await, [line(kind, "on_hold", status)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restated_amount_waits_on_with_its_hold() {
    let (app, acme) = shop("approve").await;
    let id = held(&acme, "A-1").await;
    let restated = json!({"kind": "restatement", "amount": "4.00", "currency": "EUR"});
    acme.agency.post(&format!("/v1/conversions/{id}/adjustments"), restated).await.expect(200);
    app.clock.advance(2 * DAY);
    settle(&app).await;
    let row = acme.agency.get(&format!("/v1/conversions/{id}")).await.expect(200);
    assert_eq!(
        (&row["status"], &row["amount"], &row["payout"]),
        (&json!("approved"), &json!("4.00"), &json!("0.40"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_runs_from_the_event() {
    let (app, acme) = shop("approve").await;
    let click_id = acme.click().await;
    app.clock.advance(2 * DAY);
    let event = app.clock.now().seconds() - DAY / 2;
    let sale = json!({"goal": "held", "click_id": click_id, "order_id": "A-1", "amount": "10.00", "currency": "EUR", "event_time": event});
    let held = acme.report_at(app.clock.now().seconds(), sale).await.expect(202);
    let until = tallyback_server::domain::time::Timestamp::from_seconds(event + DAY);
    assert_eq!(held["hold_until"], until.to_string());
}
