//! One test for each outcome about goals, clicks, publishers and money that no other topic has; and which one is answered
//! where two things are wrong at once.

use serde_json::{Value, json};
use tallyback_tests::{Acme, TestApp};

const DAY: i64 = 86_400;

fn sale(click_id: &str, order_id: &str) -> Value {
    json!({"goal": "purchase", "click_id": click_id, "order_id": order_id, "amount": "49.90", "currency": "EUR"})
}

fn with(mut body: Value, changes: Value) -> Value {
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body
}

async fn change(acme: &Acme, goal: &Value, changes: Value) {
    acme.agency.patch(&format!("/v1/goals/{}", goal["id"].as_str().unwrap()), changes).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_goal_of_other_campaigns_is_not_in_this_one() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let other = json!({"advertiser_id": acme.advertiser["id"], "name": "Winter", "landing_url": "https://shop.example"});
    let other = acme.agency.make("/v1/campaigns", other).await;
    let click_id = acme.click().await;
    change(&acme, &acme.goal, json!({"campaign_ids": [other["id"]]})).await;
    let refused = acme.report(sale(&click_id, "A-1")).await.refused(422, "goal_not_in_campaign");
    assert_eq!(refused["retry"], "after_fix");
    assert!(
        refused["detail"].as_str().unwrap().contains(acme.campaign["id"].as_str().unwrap()),
        "{refused:#}"
    );
    change(&acme, &acme.goal, json!({"campaign_ids": [other["id"], acme.campaign["id"], other["id"]]})).await;
    acme.report(sale(&click_id, "A-1")).await.expect(201);
    change(&acme, &acme.goal, json!({"campaign_ids": [other["id"]]})).await;
    assert_eq!(acme.report(sale(&click_id, "A-1")).await.expect(200)["code"], "duplicate", "it is counted");
    change(&acme, &acme.goal, json!({"campaign_ids": []})).await;
    acme.report(sale(&click_id, "A-2")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_faster_than_the_goal_takes_for_possible_is_flagged() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    change(&acme, &acme.goal, json!({"minimum_click_to_conversion_seconds": 3_600})).await;
    let made = acme.report(sale(&click_id, "A-1")).await.expect(201);
    assert_eq!((&made["flags"], &made["status"]), (&json!(["too_fast"]), &json!("approved")));
    change(&acme, &acme.goal, json!({"minimum_click_to_conversion_seconds": 0})).await;
    assert_eq!(acme.report(sale(&click_id, "A-2")).await.expect(201)["flags"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_earlier_of_two_faults_is_answered() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    acme.goal(json!({"event_name": "paused", "count": "per_order"})).await;
    let paused = acme.goal(json!({"event_name": "stopped", "modes": ["partner"]})).await;
    change(&acme, &paused, json!({"status": "paused"})).await;
    let click_id = acme.click().await;
    app.clock.advance(40 * DAY);
    let now = app.clock.now().seconds();
    let old = sale(&click_id, "A-1");
    let cut = json!({"click_id": &click_id[..15]});
    let early = json!({"event_time": app.clock.now().plus_seconds(-50 * DAY).to_string()});
    for (changes, status, code) in [
        (json!({}), 410, "click_expired"),
        (json!({"goal": "purchas", "click_id": &click_id[..15]}), 422, "goal_mismatch"),
        (json!({"goal": "stopped", "click_id": &click_id[..15]}), 422, "goal_inactive"),
        (with(json!({"amount": null}), cut.clone()), 422, "amount_required"),
        (with(json!({"order_id": null}), cut.clone()), 422, "order_id_required"),
        (with(json!({"currency": null}), cut.clone()), 422, "currency_required"),
        (with(json!({"currency": "USD"}), cut.clone()), 422, "currency_invalid"),
        (with(json!({"publisher_id": "nobody"}), cut), 400, "click_id_malformed"),
        (json!({"publisher_id": "nobody"}), 422, "publisher_not_permitted"),
        (early, 422, "conversion_precedes_click"),
        (json!({"amount": "1,5", "goal": "purchas"}), 422, "amount_invalid"),
        (json!({"event_time": now * 1_000, "goal": "purchas"}), 422, "timestamp_in_milliseconds"),
        (json!({"event_time": now + 660, "click_id": "x"}), 422, "event_in_future"),
    ] {
        let answer = acme.report_at(now, with(old.clone(), changes.clone())).await;
        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (status, Some(code)),
            "{changes}: {}",
            answer.text
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_whose_row_is_gone_is_purged_when_it_is_old() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    app.database.db_execute("DELETE FROM clicks").await;
    app.clock.advance(DAY);
    let young = acme.report_at(app.clock.now().seconds(), sale(&click_id, "A-1")).await.expect(202);
    assert_eq!(young["flags"], json!(["click_row_missing"]));
    app.clock.advance(180 * DAY);
    let purged =
        acme.report_at(app.clock.now().seconds(), sale(&click_id, "A-2")).await.refused(410, "click_purged");
    assert_eq!(
        (&purged["click_age_seconds"], &purged["kept_seconds"]),
        (&json!(181 * DAY), &json!(180 * DAY))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_times_and_money_are_kept_or_refused() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    app.clock.advance(9 * DAY);
    let now = app.clock.now().seconds();
    let report = async |changes: Value| acme.report_at(now, with(sale(&click_id, "A-1"), changes)).await;
    report(json!({"event_time": now - 8 * DAY})).await.expect(201);
    report(json!({"event_time": now - 8 * DAY})).await.expect(200);
    report(json!({"amount": "59.90"})).await.refused(409, "duplicate_conflict");
    report(json!({"currency": "USD", "order_id": "A-1"})).await.refused(422, "currency_invalid");
    report(json!({"event_time": now + 660, "order_id": "A-2"})).await.refused(422, "event_in_future");
    report(json!({"event_time": "8 days ago", "order_id": "A-2"})).await.refused(400, "malformed");
    report(json!({"event_time": now as f64 + 0.5, "order_id": "A-2"})).await.refused(400, "malformed");
    report(json!({"order_id": ""})).await.refused(422, "order_id_required");
    for wrong in ["x".repeat(129), "x".repeat(256), "A\u{0}1".to_owned(), "A\n1".to_owned()] {
        report(json!({"order_id": wrong})).await.refused(400, "malformed");
    }
    let longest = "x".repeat(128);
    for kept in ["🧦", "\u{202e}1-A", "a b", "Ä", " A-1", "a-1", longest.as_str()] {
        let made = report(json!({"order_id": kept})).await.expect(201);
        let path = format!("/v1/conversions/{}", made["conversion_id"].as_str().unwrap());
        assert_eq!(acme.agency.get(&path).await.expect(200)["order_id"], kept);
        assert_eq!(report(json!({"order_id": kept})).await.expect(200)["code"], "duplicate");
    }
}
