//! What advertisers send after a conversion was counted: refunds, new amounts, decisions.

use std::time::Duration;

use serde_json::{Value, json};
use tallyback::{Adjustment, AdjustmentOutcome, Code, ConversionStatus, Reason};
use tallyback_tests::{Acme, Answer, TestApp, client, now, signer};

/// A server on a clock that stands still, and Acme with a key that may decide.
async fn shop() -> (TestApp, Acme) {
    let app = TestApp::at(0).await;
    let mut acme = app.acme().await;
    acme.key = key(&acme, json!(["conversions:write", "adjustments:write", "status:write"])).await;
    (app, acme)
}

async fn key(acme: &Acme, scopes: Value) -> Value {
    let key = json!({"name": "Refunds", "advertiser_ids": [acme.advertiser["id"]], "scopes": scopes});
    acme.agency.make("/v1/signing-keys", key).await
}

/// A sale of 49.90 euros that stands there now; its conversion's id.
async fn sale(acme: &Acme, status: &str, order: &str) -> String {
    let goal = if status == "on_hold" { "held" } else { "purchase" };
    let sale = json!({"goal": goal, "click_id": acme.click().await, "order_id": order, "amount": "49.90", "currency": "EUR"});
    let mut sale = sale;
    if let "pending" | "rejected" = status {
        sale["status"] = json!(status);
    }
    let body = acme.report(sale).await.body;
    let id = body["conversion_id"].as_str().unwrap_or_else(|| panic!("{body:#}")).to_owned();
    if status == "reversed" {
        adjust(
            acme,
            json!({"adjustment_id": format!("to-{order}"), "kind": "retraction", "conversion_id": id}),
        )
        .await
        .expect(200);
    }
    assert_eq!(conversion(acme, &id).await["status"], status);
    id
}

async fn held_goal(acme: &Acme) {
    let goal = json!({"event_name": "held", "count": "per_order", "currency": "EUR", "hold_seconds": 86_400,
        "payout": {"type": "percent", "percent": "10"}, "revenue": {"type": "percent", "percent": "12.5"}});
    acme.goal(goal).await;
}

async fn adjust(acme: &Acme, body: Value) -> Answer {
    adjust_with(acme, &acme.key, body).await
}

async fn adjust_with(acme: &Acme, key: &Value, body: Value) -> Answer {
    let body = body.to_string();
    let request = client().post(format!("{}/v1/adjustments", acme.agency.base_url));
    let request = request.header("content-type", "application/json");
    Answer::to(signer(key).sign(request, "msg_adjustment", now(), body.as_bytes())).await
}

async fn conversion(acme: &Acme, id: &str) -> Value {
    acme.agency.get(&format!("/v1/conversions/{id}")).await.expect(200)
}

async fn history(acme: &Acme, id: &str) -> Vec<Value> {
    acme.agency.all(&format!("/v1/conversions/{id}/history")).await
}

const STATUSES: [&str; 5] = ["pending", "on_hold", "approved", "rejected", "reversed"];

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_leads_each_status_where_the_table_says() {
    let (app, acme) = shop().await;
    held_goal(&acme).await;
    for (kind, to) in [
        ("retraction", ["rejected", "rejected", "reversed", "rejected", "reversed"]),
        ("restatement", ["pending", "on_hold", "approved", "pending", "pending"]),
        ("approve", ["approved", "approved", "approved", "-", "-"]),
        ("reject", ["rejected", "rejected", "-", "rejected", "-"]),
        ("reopen", ["pending", "-", "-", "pending", "-"]),
    ] {
        for (from, to) in STATUSES.iter().zip(to) {
            let name = format!("{kind}-{from}");
            let id = sale(&acme, from, &name).await;
            let lines = history(&acme, &id).await.len();
            let mut body = json!({"adjustment_id": name, "kind": kind, "conversion_id": id});
            if kind == "restatement" {
                body["amount"] = json!("20.00");
                body["currency"] = json!("EUR");
            }
            let answer = adjust(&acme, body).await;
            let now = conversion(&acme, &id).await;
            if to == "-" {
                let problem = answer.refused(409, "transition_not_allowed");
                assert_eq!((&problem["conversion_status"], &now["status"]), (&json!(from), &json!(from)));
                assert_eq!(problem["conversion_id"], json!(id), "{problem:#}");
                assert_eq!(history(&acme, &id).await.len(), lines, "{name}");
                continue;
            }
            let is_idle = *from == to && kind != "restatement";
            let body = answer.expect(200);
            let code = if is_idle { "adjusted_nothing" } else { "adjusted" };
            assert_eq!(
                (&body["code"], &body["status"], &now["status"]),
                (&json!(code), &json!(to), &json!(to)),
                "{name}"
            );
            let line = &history(&acme, &id).await[0];
            assert_eq!((&line["status_before"], &line["status_after"]), (&json!(from), &json!(to)), "{name}");
            assert_eq!(
                (&line["kind"], &line["actor"], &line["reason"]),
                (&json!(kind), &json!("advertiser"), &json!("order_update"))
            );
            assert_eq!(line["postback_id"], body["postback_id"]);
        }
    }
    reports_equal_rows(&app, &acme).await;
}

/// What the report says of each status is what the rows add up to.
async fn reports_equal_rows(app: &TestApp, acme: &Acme) {
    let rows = acme.agency.all("/v1/conversions").await;
    let report = acme.agency.get("/v1/reports").await.expect(200);
    for status in STATUSES {
        let of_status = rows.iter().filter(|row| row["status"] == status).count();
        assert_eq!(report["totals"]["conversions"][status], json!(of_status), "{status}: {report:#}");
    }
    tallyback_server::jobs::fold_totals(app.store.clone()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restatement_restates_all_money_by_the_goals_rule() {
    let (_app, acme) = shop().await;
    let id = sale(&acme, "approved", "A-1").await;
    let restated = json!({"adjustment_id": "R-1", "kind": "restatement", "goal": "purchase", "order_id": "A-1",
        "amount": "20.01", "currency": "EUR", "reason": "item_returned", "note": "Two of three came back."});
    let body = adjust(&acme, restated).await.expect(200);
    assert_eq!(
        (&body["amount"], &body["currency"], &body["conversion_id"]),
        (&json!("20.01"), &json!("EUR"), &json!(id))
    );
    let row = conversion(&acme, &id).await;
    assert_eq!(
        (&row["amount"], &row["payout"], &row["revenue"]),
        (&json!("20.01"), &json!("2.001"), &json!("2.50125"))
    );
    let line = history(&acme, &id).await.remove(0);
    for (name, value) in [
        ("amount_before", "49.90"),
        ("amount_after", "20.01"),
        ("requested_amount", "20.01"),
        ("payout_before", "4.99"),
        ("payout_after", "2.001"),
        ("revenue_before", "6.2375"),
        ("revenue_after", "2.50125"),
        ("currency", "EUR"),
        ("reason", "item_returned"),
        ("note", "Two of three came back."),
        ("adjustment_id", "R-1"),
    ] {
        assert_eq!(line[name], value, "{name}");
    }
    assert_eq!(line["key_id"], acme.key["id"]);
    let money = &acme.agency.get("/v1/reports").await.expect(200)["totals"]["money"];
    assert_eq!((money.as_array().unwrap().len(), &money[0]["amount"]), (1, &json!("20.01")), "{money:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adjustment_is_made_once_under_its_id() {
    let (_app, acme) = shop().await;
    let (one, two) = (sale(&acme, "approved", "A-1").await, sale(&acme, "approved", "A-2").await);
    let refund = json!({"adjustment_id": "R-1", "kind": "retraction", "goal": "purchase", "order_id": "A-1"});
    let first = adjust(&acme, refund.clone()).await.expect(200);
    assert_eq!((&first["code"], &first["status"]), (&json!("adjusted"), &json!("reversed")));
    let mut by_id = refund.clone();
    by_id.as_object_mut().unwrap().retain(|name, _| !["goal", "order_id"].contains(&name.as_str()));
    by_id["conversion_id"] = json!(one);
    let mut by_both = by_id.clone();
    (by_both["order_id"], by_both["colour"]) = (json!("A-1"), json!("red"));
    for (again, flags) in
        [(refund.clone(), json!([])), (by_id, json!([])), (by_both, json!(["unknown_parameter"]))]
    {
        let again = adjust(&acme, again).await.expect(200);
        assert_eq!(again["flags"], flags, "{again:#}");
        assert_eq!(
            (&again["code"], &again["status"], &again["status_before"]),
            (&json!("duplicate"), &first["status"], &json!("approved"))
        );
    }
    for (name, value) in [
        ("order_id", json!("A-2")),
        ("reason", json!("test_action")),
        ("note", json!("x")),
        ("kind", json!("approve")),
    ] {
        let mut other = refund.clone();
        other[name] = value;
        let problem = adjust(&acme, other).await.refused(409, "adjustment_conflict");
        assert_eq!(problem["conversion_id"], json!(one), "{problem:#}");
    }
    assert_eq!(history(&acme, &one).await.len(), 1);
    assert_eq!(conversion(&acme, &two).await["status"], "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_told_the_same_under_any_key_whatever_the_body_has() {
    let (_app, acme) = shop().await;
    let known = key(&acme, json!(["adjustments:write"])).await;
    let body = json!({"adjustment_id": "R-1", "kind": "retraction", "goal": "purchase", "order_id": "A-1", "colour": "red"});
    let mut answers = Vec::new();
    for key_id in [known["id"].clone(), json!(format!("key_{}", "0".repeat(26)))] {
        let mut forged = known.clone();
        (forged["id"], forged["secret"]) = (key_id, json!(format!("whsec_{}=", "A".repeat(43))));
        let mut told = adjust_with(&acme, &forged, body.clone()).await.refused(401, "signature_invalid");
        told.as_object_mut().unwrap().remove("request_id");
        answers.push(told);
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_advertisers_may_give_the_same_id() {
    let (app, acme) = shop().await;
    sale(&acme, "approved", "A-1").await;
    let _ = &app;
    let other = Acme::set_up(acme.agency.clone()).await;
    let other = Acme { key: key(&other, json!(["conversions:write", "adjustments:write"])).await, ..other };
    sale(&other, "approved", "A-1").await;
    for shop in [&acme, &other] {
        let refund =
            json!({"adjustment_id": "R-1", "kind": "retraction", "goal": "purchase", "order_id": "A-1"});
        assert_eq!(adjust(shop, refund).await.expect(200)["code"], "adjusted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reason_is_kept() {
    let (_app, acme) = shop().await;
    let id = sale(&acme, "pending", "A-1").await;
    for (number, reason) in Reason::KNOWN.iter().enumerate() {
        let body = json!({"adjustment_id": format!("R-{number}"), "kind": "restatement", "conversion_id": id,
            "amount": format!("{number}.00"), "currency": "EUR", "reason": reason});
        adjust(&acme, body).await.expect(200);
        assert_eq!(history(&acme, &id).await[0]["reason"], *reason);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_adjusted_says_why() {
    let (app, acme) = shop().await;
    let id = sale(&acme, "approved", "A-1").await;
    let stranger = Acme::set_up(acme.agency.clone()).await;
    let foreign = sale(&stranger, "approved", "A-9").await;
    let refund = json!({"adjustment_id": "R-1", "kind": "retraction", "conversion_id": id});
    let with = |name: &str, value: Value| {
        let mut body = refund.clone();
        body[name] = value;
        body
    };
    let order = |goal: &str, order: &str| json!({"adjustment_id": "R-1", "kind": "retraction", "goal": goal, "order_id": order});
    let restated = |amount: Value, currency: Value| json!({"adjustment_id": "R-1", "kind": "restatement", "conversion_id": id, "amount": amount, "currency": currency});
    for (body, status, code) in [
        (with("kind", json!("refund")), 400, "malformed"),
        (with("kind", json!("hold_end")), 400, "malformed"),
        (with("kind", json!(7)), 400, "malformed"),
        (with("reason", json!("because")), 400, "malformed"),
        (with("adjustment_id", json!("")), 400, "malformed"),
        (with("adjustment_id", json!("x".repeat(129))), 400, "malformed"),
        (with("note", json!("x".repeat(501))), 400, "malformed"),
        (with("note", json!("ask jo@shop.example")), 400, "malformed"),
        (with("conversion_id", json!("17")), 400, "malformed"),
        (with("amount", json!("1")), 400, "malformed"),
        (with("validate_only", json!("perhaps")), 400, "malformed"),
        (with("amount", json!("{amount}")), 400, "unresolved_macro"),
        (with("adjustment_id", json!("{refund_id}")), 400, "unresolved_macro"),
        (with("conversion_id", json!("{conversion_id}")), 400, "unresolved_macro"),
        (order("Purchase", "A-1"), 422, "goal_mismatch"),
        (order("purchase", "A-7"), 404, "conversion_not_found"),
        (order("purchase", "A-9"), 404, "conversion_not_found"),
        (with("order_id", json!("A-2")), 404, "conversion_not_found"),
        (restated(Value::Null, Value::Null), 422, "amount_required"),
        (restated(json!("20"), Value::Null), 422, "currency_required"),
        (restated(json!("20,00"), json!("EUR")), 422, "amount_invalid"),
        (restated(json!("-1"), json!("EUR")), 422, "amount_invalid"),
        (restated(json!("20"), json!("EURO")), 422, "currency_invalid"),
        (restated(json!("20"), json!("USD")), 422, "currency_invalid"),
    ] {
        adjust(&acme, body).await.refused(status, code);
    }
    let absent = format!("cnv_{}", "0".repeat(26));
    let mut answers = Vec::new();
    for id in [absent.as_str(), &foreign] {
        let mut problem =
            adjust(&acme, with("conversion_id", json!(id))).await.refused(404, "conversion_not_found");
        for own in ["postback_id", "request_id"] {
            problem.as_object_mut().unwrap().remove(own);
        }
        answers.push(problem);
    }
    assert_eq!(answers[0], answers[1], "another advertiser's is like none at all");
    assert_eq!(history(&acme, &id).await.len(), 0);
    let logged = acme.agency.all("/v1/postbacks?code=conversion_not_found").await;
    assert!(logged.len() == 5 && logged.iter().all(|line| line["about"] == "adjustment"), "{logged:#?}");
    drop(app);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_needs_the_scopes() {
    let (_app, acme) = shop().await;
    let id = sale(&acme, "pending", "A-1").await;
    let reports_only = key(&acme, json!(["conversions:write", "status:write"])).await;
    let refunds_only = key(&acme, json!(["adjustments:write"])).await;
    let body = |kind: &str| json!({"adjustment_id": format!("x-{kind}"), "kind": kind, "conversion_id": id});
    adjust_with(&acme, &reports_only, body("retraction")).await.refused(403, "scope_missing");
    for kind in ["approve", "reject", "reopen"] {
        let problem = adjust_with(&acme, &refunds_only, body(kind)).await.refused(403, "scope_missing");
        assert!(problem["detail"].as_str().unwrap().contains("status:write"), "{problem:#}");
    }
    let mut wrong_twice = body("reject");
    wrong_twice["reason"] = json!("because");
    adjust_with(&acme, &refunds_only, wrong_twice).await.refused(403, "scope_missing");
    assert_eq!(adjust_with(&acme, &refunds_only, body("retraction")).await.expect(200)["status"], "rejected");
    let unsigned =
        client().post(format!("{}/v1/adjustments", acme.agency.base_url)).json(&body("retraction"));
    Answer::to(unsigned).await.refused(401, "signature_missing");
    let mut wrong = acme.key.clone();
    wrong["secret"] = refunds_only["secret"].clone();
    let problem = adjust_with(&acme, &wrong, body("retraction")).await.refused(401, "signature_invalid");
    assert_eq!(problem["postback_id"], Value::Null, "{problem:#}");
    let line = &acme.agency.all("/v1/postbacks?code=signature_invalid").await[0];
    assert_eq!(line["request"]["kind"], Value::Null, "{line:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_that_an_adjustment_is_named_after_is_not_kept() {
    let (_app, acme) = shop().await;
    let id = sale(&acme, "pending", "A-1").await;
    let body = json!({"adjustment_id": "jane@example.com", "kind": "retraction", "conversion_id": id});
    assert_eq!(adjust(&acme, body).await.expect(200)["adjustment_id"], "jane@example.com");
    let line = &acme.agency.all("/v1/postbacks?code=adjusted").await[0];
    let kept = (&line["request"]["adjustment_id"], &line["answer"]["adjustment_id"]);
    assert_eq!(kept, (&json!("[redacted]"), &json!("[redacted]")), "{line:#}");
    assert_eq!(line["answer"]["status_before"], "pending", "{line:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing() {
    let (_app, acme) = shop().await;
    let id = sale(&acme, "approved", "A-1").await;
    let refund =
        json!({"adjustment_id": "R-1", "kind": "retraction", "conversion_id": id, "validate_only": true});
    let body = adjust(&acme, refund).await.expect(200);
    assert_eq!((&body["code"], &body["would_be"]), (&json!("validated"), &json!("adjusted")), "{body:#}");
    assert_eq!(conversion(&acme, &id).await["status"], "approved");
    assert_eq!(history(&acme, &id).await.len(), 0);
    assert_eq!(acme.agency.all("/v1/postbacks?code=validated").await[0]["about"], "adjustment");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_adjusts() {
    let app = TestApp::start().await;
    let mut acme = app.acme().await;
    acme.key = key(&acme, json!(["conversions:write", "adjustments:write", "status:write"])).await;
    let sdk = acme.sdk();
    let sold = sdk.record(&Acme::sale(&acme.click().await, "A-1")).await.unwrap();
    let less =
        Adjustment::restatement("R-1", "20.00", "EUR").order("purchase", "A-1").reason(Reason::ItemReturned);
    let adjusted = sdk.adjust(&less).await.unwrap();
    assert_eq!(
        (&adjusted.outcome, adjusted.amount.as_deref()),
        (&AdjustmentOutcome::Adjusted, Some("20.00"))
    );
    assert_eq!(
        (&adjusted.status, &adjusted.conversion_id),
        (&Some(ConversionStatus::Approved), &sold.conversion_id)
    );
    assert_eq!(sdk.adjust(&less).await.unwrap().outcome, AdjustmentOutcome::Duplicate);
    let refund =
        Adjustment::retraction("R-2").conversion(sold.conversion_id.clone().unwrap()).note("All of it.");
    assert_eq!(sdk.adjust(&refund).await.unwrap().status, Some(ConversionStatus::Reversed));
    let nothing = Adjustment::retraction("R-3").order("purchase", "A-1");
    assert_eq!(sdk.adjust(&nothing).await.unwrap().outcome, AdjustmentOutcome::Nothing);
    let refused = sdk.adjust(&Adjustment::approve("R-4").order("purchase", "A-1")).await.unwrap_err();
    assert_eq!(refused.refusal().unwrap().code, Code::TransitionNotAllowed);
    let refused = sdk.adjust(&Adjustment::reject("R-5").order("purchase", "A-2")).await.unwrap_err();
    assert_eq!(refused.refusal().unwrap().code, Code::ConversionNotFound);
    tokio::time::timeout(
        Duration::from_secs(5),
        sdk.adjust(&Adjustment::reopen("R-6").order("purchase", "A-1")),
    )
    .await
    .unwrap()
    .unwrap_err();
}
