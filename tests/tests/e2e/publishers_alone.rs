//! Reports without a click or a customer: the publisher alone is credited, in rows of their own.

use serde_json::{Value, json};
use tallyback_tests::{Acme, Answer, TestApp, client, now};

use super::verify::verify;

async fn with_goal(app: &TestApp) -> Acme {
    let acme = app.acme().await;
    let payout = json!({"type": "percent", "percent": "10"});
    acme.goal(json!({"event_name": "call", "modes": ["transaction", "partner"], "payout": payout})).await;
    acme
}

fn call(publisher: &Value, order: &str) -> Value {
    json!({"goal": "call", "publisher_id": publisher, "order_id": order, "amount": "40", "currency": "EUR"})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_publisher_alone_is_credited() {
    let app = TestApp::start().await;
    let acme = with_goal(&app).await;
    let made = acme.report(call(&acme.publisher["id"], "A-1")).await.expect(201);
    let shown = acme
        .agency
        .get(&format!("/v1/conversions/{}", made["conversion_id"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!((&shown["match_mode"], &shown["rebill"]), (&json!("partner"), &json!(false)));
    assert_eq!((&shown["publisher_id"], &shown["payout"]), (&acme.publisher["id"], &json!("4.00")));
    for none in ["click_id", "link_id", "campaign_id", "creative_id", "clicked_at"] {
        assert!(shown[none].is_null(), "{none}");
    }
    assert_eq!(acme.report(call(&acme.publisher["id"], "A-1")).await.expect(200)["code"], "duplicate");
    let mut other = call(&acme.publisher["id"], "A-1");
    other["amount"] = json!("41");
    acme.report(other).await.refused(409, "duplicate_conflict");
    let second = acme.agency.make("/v1/publishers", json!({"name": "Second"})).await;
    acme.report(call(&second["id"], "A-1")).await.refused(409, "order_attributed_elsewhere");
    let mut by_click = call(&acme.publisher["id"], "A-1");
    by_click["click_id"] = json!(acme.click().await);
    acme.report(by_click).await.refused(409, "order_attributed_elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_needed_and_permitted_is_checked_in_order() {
    let app = TestApp::start().await;
    let acme = with_goal(&app).await;
    let own = acme.publisher["id"].clone();
    let mut without_order = call(&own, "A-1");
    without_order.as_object_mut().unwrap().remove("order_id");
    acme.report(without_order.clone()).await.refused(422, "order_id_required");
    without_order["publisher_id"] = json!("nobody");
    acme.report(without_order).await.refused(422, "order_id_required");
    let stranger = app.acme().await;
    for unknown in [json!("nobody"), json!("ext:nobody"), stranger.publisher["id"].clone()] {
        acme.report(call(&unknown, "A-1")).await.refused(422, "publisher_not_permitted");
    }
    let mut purchase = call(&own, "A-1");
    purchase["goal"] = json!("purchase");
    let refused = acme.report(purchase).await.refused(422, "mode_not_allowed");
    assert_eq!(
        (&refused["mode"], &refused["modes"]),
        (&json!("partner"), &json!(["transaction", "customer"]))
    );

    let publisher = format!("/v1/publishers/{}", own.as_str().unwrap());
    let advertiser = format!("/v1/advertisers/{}", acme.advertiser["id"].as_str().unwrap());
    for (path, closed, open) in [
        (&publisher, json!({"status": "paused"}), json!({"status": "active"})),
        (&advertiser, json!({"blocked_publisher_ids": [own]}), json!({"blocked_publisher_ids": []})),
        (&advertiser, json!({"publisher_ids": []}), json!({"publisher_ids": [own]})),
    ] {
        acme.agency.patch(path, closed.clone()).await.expect(200);
        acme.report(call(&own, "A-1")).await.refused(422, "publisher_not_permitted");
        acme.agency.patch(path, open).await.expect(200);
    }
    let first = acme.report(call(&own, "A-1")).await.expect(201);
    // What is counted stays counted: its repetition is none of the publisher's matter any more.
    for (path, closed, open) in [
        (&publisher, json!({"status": "paused"}), json!({"status": "active"})),
        (&publisher, json!({"status": "archived"}), json!({"status": "active"})),
        (&advertiser, json!({"blocked_publisher_ids": [own]}), json!({"blocked_publisher_ids": []})),
    ] {
        acme.agency.patch(path, closed.clone()).await.expect(200);
        let again = acme.report(call(&own, "A-1")).await.expect(200);
        let told = (&again["code"], &again["conversion_id"]);
        assert_eq!(told, (&json!("duplicate"), &first["conversion_id"]), "{closed}");
        acme.report(call(&own, "A-3")).await.refused(422, "publisher_not_permitted");
        acme.agency.patch(path, open).await.expect(200);
    }
    let late = app.clock.now().plus_seconds(-121 * 86_400).to_string();
    let mut late_call = call(&own, "A-2");
    late_call["event_time"] = json!(late);
    acme.report(late_call).await.refused(422, "reporting_delay_exceeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_alone_needs_a_signature_while_others_are_observed_too() {
    let app = TestApp::start().await;
    let acme = with_goal(&app).await;
    let advertiser = format!("/v1/advertisers/{}", acme.advertiser["id"].as_str().unwrap());
    acme.agency.patch(&advertiser, json!({"signing": "observe"})).await.expect(200);
    let secret = format!("whsec_{}=", "A".repeat(43));
    let stranger = Acme { key: json!({"id": acme.key["id"], "secret": secret}), ..acme.clone() };
    let sale = call(&acme.publisher["id"], "A-1");
    stranger.report(sale.clone()).await.refused(401, "signature_invalid");
    acme.report_at(now() - 400, sale.clone()).await.refused(401, "timestamp_out_of_tolerance");
    let unsigned = client().post(format!("{}/v1/conversions", app.base_url)).json(&sale);
    let unsigned = unsigned.header("x-key-id", acme.signer().key_id);
    Answer::to(unsigned).await.refused(401, "signature_missing");
    acme.report(sale).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_click_led_to_reads_not_linked() {
    let app = TestApp::start().await;
    let acme = with_goal(&app).await;
    let click_id = acme.click().await;
    acme.report(json!({"goal": "purchase", "click_id": click_id, "order_id": "A-1", "amount": "49.90", "currency": "EUR"})).await.expect(201);
    acme.report(call(&acme.publisher["id"], "B-1")).await.expect(201);
    for dimension in ["campaign", "creative", "link"] {
        let path = format!("dimensions={dimension}");
        let report = acme.agency.report_until(&path, "/totals/conversions/approved", json!(2)).await;
        let rows = report["rows"].as_array().unwrap();
        let alone: Vec<_> =
            rows.iter().filter(|row| row["dimensions"][dimension] == "(not linked)").collect();
        assert_eq!(alone.len(), 1, "{report:#}");
        assert_eq!((&alone[0]["clicks"], &alone[0]["conversions"]["total"]), (&json!(0), &json!(1)));
        assert_eq!(
            (&alone[0]["conversion_rate"], &alone[0]["money"][0]["epc"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(alone[0]["money"][0]["amount"], "40.00");
        let linked = rows.iter().find(|row| row["dimensions"][dimension] != "(not linked)").unwrap();
        assert_eq!((&linked["conversion_rate"], &linked["money"][0]["epc"]), (&json!(1.0), &json!("4.99")));
        assert_eq!(report["totals"]["money"][0]["amount"], "89.90");
        assert_eq!(report["totals"]["conversion_rate"], 1.0, "nothing is spread over clicks");
    }
    let report = acme.agency.get("/v1/reports?dimensions=publisher").await.expect(200);
    assert_eq!(report["rows"].as_array().unwrap().len(), 1, "one publisher");
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_wins_over_the_publisher_that_is_named_beside_it() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let other = acme.agency.make("/v1/publishers", json!({"name": "Other"})).await;
    let click_id = acme.click().await;
    let mut sale = json!({"goal": "purchase", "click_id": click_id, "order_id": "A-1", "amount": "1", "currency": "EUR"});
    sale["publisher_id"] = other["id"].clone();
    let made = acme.report(sale.clone()).await.expect(201);
    assert_eq!(made["flags"], json!(["publisher_mismatch"]));
    let shown = acme
        .agency
        .get(&format!("/v1/conversions/{}", made["conversion_id"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(shown["publisher_id"], acme.publisher["id"]);
    (sale["order_id"], sale["publisher_id"]) = (json!("A-2"), acme.publisher["id"].clone());
    assert_eq!(acme.report(sale).await.expect(201)["flags"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_of_a_blocked_publishers_click_waits() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let path = format!("/v1/advertisers/{}", acme.advertiser["id"].as_str().unwrap());
    acme.agency.patch(&path, json!({"blocked_publisher_ids": [acme.publisher["id"]]})).await.expect(200);
    let sale = json!({"goal": "purchase", "click_id": click_id, "order_id": "A-1", "amount": "1", "currency": "EUR"});
    assert_eq!(acme.report(sale).await.expect(202)["flags"], json!(["publisher_blocked"]));
}
