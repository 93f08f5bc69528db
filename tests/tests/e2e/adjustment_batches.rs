//! Batches of adjustments: many in one message, a verdict for each.

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tallyback::{Adjustment, AdjustmentOutcome};
use tallyback_server::clock::Clock;
use tallyback_tests::{Acme, Answer, TestApp, client, now, signer};

use super::verify::verify;

const ARRAY: &str = "application/json";
const LINES: &str = "application/x-ndjson";

/// Acme with a key that may refund and decide.
async fn shop(app: &TestApp) -> Acme {
    let mut acme = app.acme().await;
    let scopes = json!(["conversions:write", "adjustments:write", "status:write"]);
    acme.key = key(&acme, scopes, false).await;
    acme
}

async fn key(acme: &Acme, scopes: Value, test: bool) -> Value {
    let key =
        json!({"name": "Refunds", "advertiser_ids": [acme.advertiser["id"]], "scopes": scopes, "test": test});
    acme.agency.make("/v1/signing-keys", key).await
}

async fn send_with(acme: &Acme, key: &Value, query: &str, content_type: &str, body: &[u8]) -> Answer {
    let url = format!("{}/v1/adjustments/batch{query}", acme.agency.base_url);
    let request = client().post(url).header(CONTENT_TYPE, content_type);
    Answer::to(signer(key).sign(request, "refunds_1", now(), body)).await
}

async fn send(acme: &Acme, query: &str, content_type: &str, body: &[u8]) -> Answer {
    send_with(acme, &acme.key, query, content_type, body).await
}

async fn batch(acme: &Acme, items: &[Value]) -> Value {
    send(acme, "", ARRAY, json!(items).to_string().as_bytes()).await.expect(200)
}

/// So many sales of 10 euros, `0` to `count - 1`.
async fn sell(acme: &Acme, count: usize) {
    let click_id = acme.click().await;
    let sale = |order: usize| Acme::sale(&click_id, &order.to_string()).amount("10.00", "EUR");
    let sales: Vec<_> = (0..count).map(sale).collect();
    let results = acme.sdk().record_batch(&sales).await.unwrap();
    assert!(results.iter().all(Result::is_ok));
}

fn refund(name: impl std::fmt::Display, order: usize) -> Value {
    json!({"adjustment_id": format!("R-{name}"), "kind": "retraction", "goal": "purchase", "order_id": order.to_string()})
}

fn codes(answer: &Value) -> Vec<&str> {
    answer["results"].as_array().unwrap().iter().map(|result| result["code"].as_str().unwrap()).collect()
}

/// Totals equal rows.
async fn verified(app: &TestApp) {
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_items_are_made_each_for_itself() {
    let app = TestApp::start().await;
    let acme = shop(&app).await;
    sell(&acme, 700).await;
    let mut items: Vec<Value> = (0..700).map(|order| refund(order, order)).collect();
    // The same again, the same name for something else, and what cannot be made.
    items.extend((0..100).map(|order| refund(order, order)));
    items.extend((0..100).map(|order| refund(order, order + 1)));
    items.extend((0..50).map(|order| refund(format!("new-{order}"), 5_000 + order)));
    items.extend((0..50).map(|_| json!({"kind": "refund"})));
    let answer = batch(&acme, &items).await;
    let wanted = json!({"adjusted": 700, "duplicate": 100, "adjustment_conflict": 100, "conversion_not_found": 50, "malformed": 50});
    assert_eq!(answer["counts"], json!({"accepted": 800, "rejected": 200, "by_code": wanted}));
    for (index, result) in answer["results"].as_array().unwrap().iter().enumerate() {
        assert_eq!(result["index"], json!(index));
        assert!(result["postback_id"].is_string(), "{result:#}");
    }
    assert_eq!(answer["results"][703]["conversion_id"], answer["results"][3]["conversion_id"]);
    let lines = acme.agency.all("/v1/postbacks").await;
    let mut places: Vec<_> = lines
        .iter()
        .filter(|line| line["about"] == "adjustment")
        .map(|line| line["batch_index"].as_i64().unwrap())
        .collect();
    places.sort_unstable();
    assert_eq!(places, (0..1_000).collect::<Vec<_>>(), "each has a line of the log");
    let rows = acme.agency.all("/v1/conversions").await;
    assert!(rows.iter().all(|row| row["status"] == "reversed"));
    let history = acme.agency.all(&format!("/v1/conversions/{}/history", text(&rows[0]["id"]))).await;
    assert_eq!(history.len(), 1, "{history:#?}");
    acme.agency.report_until("", "/rows/0/conversions/reversed", json!(700)).await;
    verified(&app).await;

    let again = batch(&acme, &items[..700]).await;
    assert_eq!(again["counts"]["by_code"], json!({"duplicate": 700}));
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_is_refused_keeps_no_other_from_being_made() {
    let app = TestApp::start().await;
    let acme = shop(&app).await;
    sell(&acme, 6).await;
    let mut unsure = refund(9, 4);
    unsure["validate_only"] = json!(true);
    let items = [
        refund(0, 0).to_string(),
        "{\"kind\":\"retraction\",\"kind\":\"approve\"}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        json!({"adjustment_id": "\u{0}", "kind": "retraction", "goal": "purchase", "order_id": "1"}).to_string(),
        json!({"adjustment_id": "R-1", "kind": "restatement", "goal": "purchase", "order_id": "1", "amount": "4.00", "currency": "EUR"}).to_string(),
        json!({"adjustment_id": "R-2", "kind": "restatement", "goal": "purchase", "order_id": "1"}).to_string(),
        json!({"adjustment_id": "R-3", "kind": "reject", "goal": "purchase", "order_id": "2"}).to_string(),
        json!({"adjustment_id": "R-4", "kind": "retraction", "goal": "nothing", "order_id": "2"}).to_string(),
        unsure.to_string(),
        refund(5, 5).to_string(),
        refund("once more", 5).to_string(),
    ];
    let answer = send(&acme, "", ARRAY, format!("[{}]", items.join(",")).as_bytes()).await.expect(200);
    let wanted = [
        "adjusted",
        "malformed",
        "malformed",
        "malformed",
        "malformed",
        "adjusted",
        "amount_required",
        "transition_not_allowed",
        "goal_mismatch",
        "validated",
        "adjusted",
        "adjusted_nothing",
    ];
    assert_eq!(codes(&answer), wanted, "{answer:#}");
    assert!(
        text(&answer["results"][1]["message"]).contains("kind") || answer["results"][1]["errors"].is_array()
    );
    assert!(text(&answer["results"][2]["message"]).starts_with("The item"), "{answer:#}");
    let statuses: Vec<_> = acme.agency.all("/v1/conversions").await;
    let reversed = statuses.iter().filter(|row| row["status"] == "reversed").count();
    assert_eq!(reversed, 2);
    verified(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_that_no_number_holds_is_its_items_own_fault() {
    let app = TestApp::start().await;
    let acme = shop(&app).await;
    sell(&acme, 1).await;
    let restated = json!({"adjustment_id": "R-1", "kind": "restatement", "goal": "purchase", "order_id": "0", "amount": "4.00", "currency": "EUR"});
    let with = |amount: &str| restated.to_string().replace("\"4.00\"", amount);
    let url = format!("{}/v1/adjustments", app.base_url);
    for amount in ["1e400", "4.5"] {
        let request = client().post(&url).header(CONTENT_TYPE, ARRAY);
        let signed = acme.signer().sign(request, "refund_1", now(), with(amount).as_bytes());
        let problem = Answer::to(signed).await.refused(422, "amount_invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/amount", "{problem:#}");
    }
    let reason = with("\"4.00\"").replacen('{', "{\"reason\":1e400,", 1);
    let body = format!("[{},{},{reason},{}]", with("1e400"), with("4.5"), with("\"4.00\""));
    let answer = send(&acme, "", ARRAY, body.as_bytes()).await.expect(200);
    assert_eq!(codes(&answer), ["amount_invalid", "amount_invalid", "malformed", "adjusted"], "{answer:#}");
    assert_eq!(answer["results"][2]["errors"][0]["pointer"], "/reason");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_items_and_a_broken_line_is_its_own() {
    let app = TestApp::start().await;
    let acme = shop(&app).await;
    sell(&acme, 3).await;
    let body = format!("{}\r\n\n{{\"kind\":\n{}\n", refund(0, 0), refund(1, 1));
    let answer = send(&acme, "", LINES, body.as_bytes()).await.expect(200);
    assert_eq!(codes(&answer), ["adjusted", "malformed", "adjusted"]);
    assert_eq!(codes(&send(&acme, "", LINES, b"").await.expect(200)), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_none_is_refused_as_a_whole() {
    let app = TestApp::start().await;
    let acme = shop(&app).await;
    sell(&acme, 1).await;
    let item = refund(0, 0).to_string();
    for body in ["", "{}", &item, "[", &format!("[{item}"), &format!("[{item},]"), "null"] {
        let problem = send(&acme, "", ARRAY, body.as_bytes()).await.refused(400, "malformed");
        assert!(problem["postback_id"].is_string(), "its owner finds it in the log: {problem:#}");
    }
    let many = format!("[{}]", vec!["{}"; 1_001].join(","));
    send(&acme, "", ARRAY, many.as_bytes()).await.refused(413, "payload_too_large");
    send(&acme, "", LINES, "{}\n".repeat(1_001).as_bytes()).await.refused(413, "payload_too_large");
    send(&acme, "", "text/plain", b"[]").await.refused(415, "unsupported_media_type");

    let url = format!("{}/v1/adjustments/batch", app.base_url);
    let request = client().post(&url).header(CONTENT_TYPE, ARRAY);
    let signed = acme.signer().sign(request, "refunds_1", now(), format!("[{item}]").as_bytes());
    let altered = signed.try_clone().unwrap().body(format!("[{item} ]"));
    let problem = Answer::to(altered).await.refused(401, "signature_invalid");
    assert_eq!(problem["postback_id"], Value::Null, "a stranger learns nothing");
    let powerless = key(&acme, json!(["conversions:write"]), false).await;
    let body = format!("[{item}]");
    send_with(&acme, &powerless, "", ARRAY, body.as_bytes()).await.refused(403, "scope_missing");
    let rows = acme.agency.all("/v1/conversions").await;
    assert_eq!(rows[0]["status"], "approved", "nothing was made so far");
    assert_eq!(codes(&Answer::to(signed).await.expect(200)), ["adjusted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_exactly_a_mebibyte_is_taken() {
    let app = TestApp::start().await;
    let acme = shop(&app).await;
    sell(&acme, 2).await;
    for (content_type, filling, end) in [(ARRAY, ' ', "]"), (LINES, '\n', "")] {
        let start = if end.is_empty() { refund(1, 1).to_string() } else { format!("[{}", refund(0, 0)) };
        let body = |size: usize| {
            let between = filling.to_string().repeat(size - start.len() - end.len());
            format!("{start}{between}{end}").into_bytes()
        };
        let large = send(&acme, "", content_type, &body(1024 * 1024 + 1)).await;
        large.refused(413, "payload_too_large");
        let answer = send(&acme, "", content_type, &body(1024 * 1024)).await.expect(200);
        assert_eq!(codes(&answer), ["adjusted"], "{content_type}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_runs_and_test_keys_change_nothing() {
    let app = TestApp::start().await;
    let acme = shop(&app).await;
    sell(&acme, 2).await;
    let body = json!([refund(0, 0), refund(1, 1), refund(2, 9)]).to_string();
    let wanted = ["validated", "validated", "conversion_not_found"];
    let answer = send(&acme, "?validate_only=true", ARRAY, body.as_bytes()).await.expect(200);
    assert_eq!(codes(&answer), wanted);
    let test_key = key(&acme, json!(["conversions:write", "adjustments:write"]), true).await;
    let answer = send_with(&acme, &test_key, "", ARRAY, body.as_bytes()).await.expect(200);
    assert_eq!(codes(&answer), wanted);
    let answer = send(&acme, "?validate_only=maybe", ARRAY, body.as_bytes()).await.expect(200);
    assert!(codes(&answer).iter().all(|code| *code == "malformed"), "{answer:#}");
    assert!(acme.agency.all("/v1/conversions").await.iter().all(|row| row["status"] == "approved"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_needs_its_own_scope_in_each_item() {
    let app = TestApp::start().await;
    let acme = shop(&app).await;
    sell(&acme, 2).await;
    let refunds_only = key(&acme, json!(["conversions:write", "adjustments:write"]), false).await;
    let decision = json!({"adjustment_id": "D-1", "kind": "approve", "goal": "purchase", "order_id": "0"});
    let body = json!([decision, refund(1, 1)]).to_string();
    let answer = send_with(&acme, &refunds_only, "", ARRAY, body.as_bytes()).await.expect(200);
    assert_eq!(codes(&answer), ["scope_missing", "adjusted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_partners_conversions_are_not_found() {
    let app = TestApp::start().await;
    let (acme, other) = (shop(&app).await, shop(&app).await);
    sell(&acme, 1).await;
    let rows = acme.agency.all("/v1/conversions").await;
    let by_id = json!({"adjustment_id": "R-1", "kind": "retraction", "conversion_id": rows[0]["id"]});
    let answer = batch(&other, &[by_id, refund(2, 0)]).await;
    assert_eq!(codes(&answer), ["conversion_not_found", "conversion_not_found"]);
    assert_eq!(acme.agency.all("/v1/conversions").await[0]["status"], "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_at_once_make_each_adjustment_once() {
    let app = TestApp::start().await;
    let acme = shop(&app).await;
    sell(&acme, 150).await;
    let forth: Vec<Value> = (0..150).map(|order| refund(order, order)).collect();
    let back: Vec<Value> = forth.iter().rev().cloned().collect();
    let batches = (0..6).map(|number| batch(&acme, if number % 2 == 0 { &forth } else { &back }));
    let answers = futures_util::future::join_all(batches).await;
    let count =
        |wanted: &str| answers.iter().flat_map(|answer| codes(answer)).filter(|code| *code == wanted).count();
    assert_eq!((count("adjusted"), count("duplicate")), (150, 750));
    acme.agency.report_until("", "/rows/0/conversions/reversed", json!(150)).await;
    verified(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_gives_each_adjustment_its_result() {
    let app = TestApp::start().await;
    let acme = shop(&app).await;
    sell(&acme, 2).await;
    let adjustments = [
        Adjustment::retraction("R-0").order("purchase", "0"),
        Adjustment::retraction("R-1").order("purchase", "7"),
        Adjustment::restatement("R-2", "5.00", "EUR").order("purchase", "1"),
        Adjustment::retraction("R-0").order("purchase", "0"),
    ];
    let results = acme.sdk().adjust_batch(&adjustments).await.unwrap();
    assert_eq!(results[0].as_ref().unwrap().outcome, AdjustmentOutcome::Adjusted);
    assert_eq!(results[1].as_ref().unwrap_err().refusal().unwrap().code.as_str(), "conversion_not_found");
    assert_eq!(results[2].as_ref().unwrap().amount.as_deref(), Some("5.00"));
    assert_eq!(results[3].as_ref().unwrap().outcome, AdjustmentOutcome::Duplicate);
    assert!(acme.sdk().adjust_batch(&[]).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_item_counts_for_the_rate_limit() {
    let app = TestApp::with(Clock::System, |config| config.limits.reports_per_minute = Some(5)).await;
    let acme = shop(&app).await;
    sell(&acme, 2).await;
    let items = [refund(0, 0), refund(1, 1)];
    assert_eq!(codes(&batch(&acme, &items).await), ["adjusted", "adjusted"]);
    let body = json!(items).to_string();
    let problem = send(&acme, "", ARRAY, body.as_bytes()).await;
    assert!(problem.header("retry-after").is_some() && problem.header("ratelimit").is_some());
    problem.refused(429, "rate_limited");
    let refund = Adjustment::retraction("R-0").order("purchase", "0");
    let single = acme.sdk_that_sends_once();
    assert_eq!(single.adjust(&refund).await.unwrap().outcome, AdjustmentOutcome::Duplicate);
    assert!(single.adjust(&refund).await.is_err(), "that was the fifth");
}
