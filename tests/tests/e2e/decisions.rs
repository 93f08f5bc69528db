//! What a partner decides about conversions: one by one, and in bulk.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tallyback_tests::{Acme, TestApp};

async fn pending(acme: &Acme, goal: &str, order: &str) -> String {
    let sale = json!({"goal": goal, "click_id": acme.click().await, "order_id": order, "amount": "10.00", "currency": "EUR", "status": "pending"});
    acme.report(sale).await.expect(202)["conversion_id"].as_str().unwrap().to_owned()
}

async fn adjust(acme: &Acme, id: &str, body: Value) -> tallyback_tests::Answer {
    acme.agency.post(&format!("/v1/conversions/{id}/adjustments"), body).await
}

async fn status(acme: &Acme, id: &str) -> Value {
    acme.agency.get(&format!("/v1/conversions/{id}")).await.expect(200)["status"].clone()
}

async fn bulk(acme: &Acme, body: Value) -> Value {
    acme.agency.post("/v1/conversions/bulk", body).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_leads_a_conversion_through_its_life() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let id = pending(&acme, "purchase", "A-1").await;
    for (kind, to) in
        [("reject", "rejected"), ("reopen", "pending"), ("approve", "approved"), ("retraction", "reversed")]
    {
        let body = json!({"kind": kind, "reason": "advertiser_dispute", "note": "By phone."});
        let adjusted = adjust(&acme, &id, body).await.expect(200);
        assert_eq!(
            (&adjusted["conversion"]["status"], &adjusted["adjustment"]["kind"]),
            (&json!(to), &json!(kind))
        );
    }
    let lines = acme.agency.all(&format!("/v1/conversions/{id}/history")).await;
    let positions: Vec<_> = lines.iter().map(|line| line["position"].as_i64().unwrap()).collect();
    assert_eq!(positions, [4, 3, 2, 1]);
    assert!(lines.iter().all(|line| line["actor"] == "partner"
        && line["reason"] == "advertiser_dispute"
        && line["note"] == "By phone."
        && line["api_key_id"].is_string()
        && line["key_id"].is_null()));
    let page = acme.agency.get(&format!("/v1/conversions/{id}/history?limit=3")).await.expect(200);
    assert_eq!((page["data"].as_array().unwrap().len(), &page["has_more"]), (3, &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_partner_cannot_do_says_why() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let id = pending(&acme, "purchase", "A-1").await;
    for (body, status, code) in [
        (json!({}), 422, "validation_failed"),
        (json!({"kind": "hold_end"}), 422, "validation_failed"),
        (json!({"kind": "approve", "reason": "x"}), 422, "validation_failed"),
        (json!({"kind": "approve", "note": "x".repeat(501)}), 422, "validation_failed"),
        (json!({"kind": "restatement", "amount": "1,0"}), 422, "validation_failed"),
        (json!({"kind": "restatement"}), 422, "amount_required"),
        (json!({"kind": "restatement", "amount": "1"}), 422, "currency_required"),
        (json!({"kind": "restatement", "amount": "1", "currency": "USD"}), 422, "currency_invalid"),
        (json!({"kind": "approve", "amount": "1", "currency": "EUR"}), 400, "malformed"),
        (json!({"kind": "approve", "status": "approved"}), 400, "malformed"),
    ] {
        adjust(&acme, &id, body).await.refused(status, code);
    }
    adjust(&acme, &id, json!({"kind": "approve", "adjustment_id": "D-1"})).await.expect(200);
    adjust(&acme, &id, json!({"kind": "approve", "adjustment_id": "D-1"})).await.expect(200);
    adjust(&acme, &id, json!({"kind": "reject"})).await.refused(409, "transition_not_allowed");
    adjust(&acme, &id, json!({"kind": "retraction", "adjustment_id": "D-1"}))
        .await
        .refused(409, "adjustment_conflict");
    assert_eq!(acme.agency.all(&format!("/v1/conversions/{id}/history")).await.len(), 1);
    for (body, pointer) in [
        (json!({"kind": "retraction", "filter": {}}), "/kind"),
        (json!({"kind": "approve"}), "/filter"),
        (json!({"kind": "approve", "filter": {"status": "approved"}}), "/filter/status"),
        (json!({"kind": "approve", "filter": {"event_from": "yesterday"}}), "/filter/event_from"),
        (json!({"kind": "approve", "filter": {"flag": "Bot Click"}}), "/filter/flag"),
    ] {
        let problem = acme.agency.post("/v1/conversions/bulk", body).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let stranger = app.acme().await;
    let filter = json!({"kind": "approve", "filter": {"advertiser_id": stranger.advertiser["id"]}});
    acme.agency.post("/v1/conversions/bulk", filter).await.refused(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_decision_changes_what_its_filter_takes_in() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let other = acme.goal(json!({"event_name": "other", "count": "per_order", "currency": "EUR"})).await;
    let (one, two) = (pending(&acme, "purchase", "A-1").await, pending(&acme, "other", "A-2").await);
    let approved =
        acme.sdk().record(&Acme::sale(&acme.click().await, "A-3")).await.unwrap().conversion_id.unwrap();
    let link = &acme.link;
    let now = app.clock.now();
    for (filter, matched) in [
        (json!({}), 2),
        (json!({"goal_id": other["id"]}), 1),
        (json!({"advertiser_id": acme.advertiser["id"]}), 2),
        (json!({"publisher_id": acme.publisher["id"]}), 2),
        (json!({"campaign_id": link["campaign_id"]}), 2),
        (json!({"status": "on_hold"}), 0),
        (json!({"flag": "requested_pending"}), 2),
        (json!({"flag": "bot_click"}), 0),
        (json!({"event_from": now.plus_seconds(-60), "event_to": now.plus_seconds(60)}), 2),
        (json!({"event_to": now.plus_seconds(-60)}), 0),
        (json!({"event_from": now.plus_seconds(60)}), 0),
    ] {
        let outcome = bulk(&acme, json!({"kind": "approve", "filter": filter, "dry_run": true})).await;
        assert_eq!(outcome, json!({"matched": matched, "changed": 0, "dry_run": true}), "{filter}");
    }
    assert_eq!((status(&acme, &one).await, status(&acme, &two).await), (json!("pending"), json!("pending")));
    let rejected = bulk(
        &acme,
        json!({"kind": "reject", "reason": "terms_violation", "filter": {"goal_id": other["id"]}}),
    )
    .await;
    assert_eq!(rejected, json!({"matched": 1, "changed": 1, "dry_run": false}));
    assert_eq!(
        bulk(&acme, json!({"kind": "approve", "filter": {}})).await,
        json!({"matched": 1, "changed": 1, "dry_run": false})
    );
    for (id, wanted) in [(&one, "approved"), (&two, "rejected"), (&approved, "approved")] {
        assert_eq!(status(&acme, id).await, wanted);
    }
    assert_eq!(acme.agency.all(&format!("/v1/conversions/{approved}/history")).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_bulk_decisions_at_once_change_each_conversion_once() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let count = 450;
    let click = acme.click().await;
    let orders: Vec<String> = (0..count).map(|number| format!("A-{number}")).collect();
    for orders in orders.chunks(50) {
        join_all(orders.iter().map(|order| {
            let sale = json!({"goal": "purchase", "click_id": click, "order_id": order, "amount": "1", "currency": "EUR", "status": "pending"});
            acme.report(sale)
        }))
        .await;
    }
    let approve = || bulk(&acme, json!({"kind": "approve", "filter": {}}));
    let reject = || bulk(&acme, json!({"kind": "reject", "filter": {}}));
    let (one, two, three) = tokio::join!(approve(), reject(), approve());
    let changed: i64 = [one, two, three].iter().map(|outcome| outcome["changed"].as_i64().unwrap()).sum();
    assert_eq!(changed, count);
    assert_eq!(app.database.db_number("SELECT count(*) FROM adjustments").await, count);
    let report = acme.agency.get("/v1/reports").await.expect(200);
    let of = |status: &str| report["totals"]["conversions"][status].as_i64().unwrap();
    assert_eq!((of("approved") + of("rejected"), of("pending")), (count, 0), "{report:#}");
}
