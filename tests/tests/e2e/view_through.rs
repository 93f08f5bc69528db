//! Conversions that are credited to an impression.

use serde_json::{Value, json};
use tallyback_tests::{Acme, TestApp, visit};

use super::verify::verify;

const DAY: i64 = 86_400;

async fn impression(acme: &Acme) -> String {
    let shown = acme.agency.make("/v1/impressions", json!({"link": acme.link["id"]})).await;
    shown["impression_id"].as_str().unwrap().to_owned()
}

fn sale(click_id: &str, order_id: &str) -> Value {
    json!({"goal": "purchase", "click_id": click_id, "order_id": order_id, "amount": "49.90", "currency": "EUR"})
}

async fn view_window(acme: &Acme, seconds: i64) {
    let path = format!("/v1/goals/{}", acme.goal["id"].as_str().unwrap());
    acme.agency.patch(&path, json!({"view_window_seconds": seconds})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impression_is_credited_with_nothing_unless_the_goal_says_so() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    assert_eq!(acme.goal["view_window_seconds"], 0);
    let id = impression(&acme).await;
    let problem = acme.report(sale(&id, "A-1")).await.refused(422, "mode_not_allowed");
    assert!(problem["hint"].as_str().unwrap().contains("view_window_seconds"), "{problem:#}");
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 0);
    view_window(&acme, DAY).await;
    acme.report(sale(&id, "A-1")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_tells_that_it_is_view_through() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    view_window(&acme, DAY).await;
    let (shown, clicked) = (impression(&acme).await, visit(&acme.click_url()).await.click_id());
    let viewed = acme.report(sale(&shown, "A-1")).await.expect(201);
    acme.report(sale(&clicked, "A-2")).await.expect(201);
    for (order, id, is_view) in [("A-1", &shown, true), ("A-2", &clicked, false)] {
        let conversion = acme.agency.all(&format!("/v1/conversions?order_id={order}")).await[0].clone();
        assert_eq!((&conversion["view_through"], &conversion["click_id"]), (&json!(is_view), &json!(id)));
        for member in ["link_id", "campaign_id", "publisher_id"] {
            assert!(conversion[member].is_string(), "{member}: {conversion:#}");
        }
        assert_eq!(conversion["status"], "approved");
    }
    let again = acme.report(sale(&shown.to_uppercase(), "A-1")).await.expect(200);
    assert_eq!((&again["code"], &again["conversion_id"]), (&json!("duplicate"), &viewed["conversion_id"]));
    acme.report(sale(&clicked, "A-1")).await.refused(409, "order_attributed_elsewhere");
    let log = acme.agency.get("/v1/postbacks?limit=100").await.expect(200);
    let of_view = log["data"].as_array().unwrap().iter().find(|line| line["id"] == viewed["postback_id"]);
    assert_eq!(of_view.unwrap()["request"]["click_id"], shown);
    let report = acme.agency.report_until("dimensions=link", "/totals/conversions/approved", json!(2)).await;
    assert_eq!(report["rows"][0]["dimensions"]["link"], acme.link["id"]);
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impression_expires_with_the_goals_view_window() {
    let app = TestApp::at(-2 * DAY).await;
    let acme = app.acme().await;
    view_window(&acme, DAY).await;
    let (in_time, late, click) = (impression(&acme).await, impression(&acme).await, acme.click().await);
    let at = |clock: &tallyback_server::clock::Clock| clock.now().seconds();
    app.clock.advance(DAY);
    acme.report_at(at(&app.clock), sale(&in_time, "A-1")).await.expect(201);
    app.clock.advance(1);
    let problem = acme.report_at(at(&app.clock), sale(&late, "A-2")).await.refused(410, "click_expired");
    assert_eq!(
        (&problem["age_seconds"], &problem["window_seconds"]),
        (&json!(DAY + 1), &json!(DAY)),
        "{problem:#}"
    );
    assert!(problem["detail"].as_str().unwrap().contains("impression"), "{problem:#}");
    acme.report_at(at(&app.clock), sale(&click, "A-3")).await.expect(201);
    let again = acme.report_at(at(&app.clock), sale(&in_time, "A-1")).await.expect(200);
    assert_eq!(again["code"], "duplicate");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impressions_id_is_never_taken_for_a_clicks() {
    let app = TestApp::start().await;
    let (acme, stranger) = (app.acme().await, app.acme().await);
    view_window(&acme, DAY).await;
    let shown = impression(&acme).await;
    let as_click = format!("1{}", &shown[1..]);
    let as_impression = format!("2{}", &acme.click().await[1..]);
    for wrong in [&as_click, &as_impression, &impression(&stranger).await] {
        acme.report(sale(wrong, "A-1")).await.refused(404, "click_not_found");
    }
    acme.report(sale(&shown[..20], "A-1")).await.refused(400, "click_id_malformed");
    // A genuine id whose row is not there waits for a decision, as a click's does.
    app.database.db_execute("DELETE FROM impressions").await;
    let waiting = acme.report(sale(&shown, "A-1")).await.expect(202);
    assert_eq!(waiting["flags"], json!(["click_row_missing"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impression_by_a_machine_waits_for_a_decision() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    view_window(&acme, DAY).await;
    let shown = json!({"link": acme.link["id"], "user_agent": "Googlebot/2.1"});
    let shown = acme.agency.make("/v1/impressions", shown).await;
    let waiting = acme.report(sale(shown["impression_id"].as_str().unwrap(), "A-1")).await.expect(202);
    assert_eq!(waiting["flags"], json!(["bot_click"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_window_is_a_number_of_seconds() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let made = acme.goal(json!({"event_name": "view", "view_window_seconds": DAY})).await;
    assert_eq!(made["view_window_seconds"], DAY);
    let path = format!("/v1/goals/{}", made["id"].as_str().unwrap());
    for wrong in [json!(-1), json!(315_360_001)] {
        acme.agency
            .patch(&path, json!({"view_window_seconds": wrong}))
            .await
            .refused(422, "validation_failed");
    }
    let off = acme.agency.patch(&path, json!({"view_window_seconds": 0})).await.expect(200);
    assert_eq!(off["view_window_seconds"], 0);
}
