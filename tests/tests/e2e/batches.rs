//! Batches: many reports in one message, a verdict for each.

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tallyback_tests::{Acme, Answer, TestApp, client, now};

const ARRAY: &str = "application/json";
const LINES: &str = "application/x-ndjson";
const MEBIBYTE: usize = 1024 * 1024;

async fn send(acme: &Acme, query: &str, content_type: &str, body: &[u8]) -> Answer {
    let url = format!("{}/v1/conversions/batch{query}", acme.agency.base_url);
    let request = client().post(url).header(CONTENT_TYPE, content_type);
    Answer::to(acme.signer().sign(request, "batch_1", now(), body)).await
}

async fn batch(acme: &Acme, items: &[Value]) -> Value {
    send(acme, "", ARRAY, json!(items).to_string().as_bytes()).await.expect(200)
}

fn sale(click_id: &str, order: impl std::fmt::Display) -> Value {
    json!({"goal": "purchase", "click_id": click_id, "order_id": order.to_string(), "amount": "10.00", "currency": "EUR"})
}

fn codes(answer: &Value) -> Vec<&str> {
    answer["results"].as_array().unwrap().iter().map(|result| result["code"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_items_are_counted_each_for_itself() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let items: Vec<Value> = (0..1_000).map(|order| sale(&click_id, order)).collect();
    let answer = batch(&acme, &items).await;
    assert_eq!(answer["counts"], json!({"accepted": 1_000, "rejected": 0, "by_code": {"accepted": 1_000}}));
    assert!(answer["message"].as_str().unwrap().contains("not recorded"), "{}", answer["message"]);
    for (index, result) in answer["results"].as_array().unwrap().iter().enumerate() {
        assert_eq!((&result["index"], &result["result"]), (&json!(index), &json!("accepted")), "{result}");
    }
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 1_000);
    let lines = acme.agency.all("/v1/postbacks").await;
    assert_eq!(lines.len(), 1_000);
    assert!(
        lines.iter().all(|line| (&line["message_id"], &line["form"]) == (&json!("batch_1"), &json!("json")))
    );
    let mut places: Vec<_> = lines.iter().map(|line| line["batch_index"].as_i64().unwrap()).collect();
    places.sort_unstable();
    assert_eq!(places, (0..1_000).collect::<Vec<_>>());
    acme.agency.report_until("", "/rows/0/money/0/amount", json!("10000.00")).await;

    let again = batch(&acme, &items).await;
    assert_eq!(again["counts"]["by_code"], json!({"duplicate": 1_000}));
    assert_eq!(again["results"][7]["conversion_id"], answer["results"][7]["conversion_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_few_items_have_is_kept_of_them_alone() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let goal = json!({"event_name": "held", "count": "per_order", "currency": "EUR", "hold_seconds": 86_400,
        "payout": {"type": "percent", "percent": "10"}, "revenue": {"type": "percent", "percent": "12.5"}});
    acme.goal(goal).await;
    let click_id = acme.click().await;
    let is_held = |order: usize| order == 3 || order == 70;
    let items: Vec<Value> = (0..75)
        .map(|order| {
            let mut item = sale(&click_id, order);
            item["goal"] = json!(if is_held(order) { "held" } else { "purchase" });
            item
        })
        .collect();
    let answer = batch(&acme, &items).await;
    assert_eq!(answer["counts"]["by_code"], json!({"accepted": 73, "accepted_on_hold": 2}));
    let conversions = acme.agency.all("/v1/conversions").await;
    let mut held: Vec<&str> = conversions
        .iter()
        .filter(|conversion| !conversion["hold_until"].is_null())
        .map(|conversion| conversion["order_id"].as_str().unwrap())
        .collect();
    held.sort_unstable();
    assert_eq!((conversions.len(), held), (75, vec!["3", "70"]));
    for (order, result) in answer["results"].as_array().unwrap().iter().enumerate() {
        assert_eq!(result["hold_until"].is_null(), !is_held(order), "{result}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_is_refused_keeps_no_other_from_counting() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let first = sale(&click_id, "A-1");
    let items = [
        first.to_string(),
        "{\"goal\":\"a\",\"goal\":\"b\"}".to_owned(),
        "[]".to_owned(),
        "\"text\"".to_owned(),
        "null".to_owned(),
        "{\"goal\":\"\\ud800\"}".to_owned(),
        format!("{{\"metadata\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000)),
        sale("short", "A-2").to_string(),
        json!({"goal": "nothing", "click_id": click_id}).to_string(),
        first.to_string(),
        json!({"goal": "purchase", "click_id": click_id, "order_id": "A-1", "amount": "11", "currency": "EUR"})
            .to_string(),
        json!({"goal": "purchase", "click_id": click_id, "order_id": "A-3", "amount": "1", "currency": "EUR", "validate_only": true})
            .to_string(),
        sale(&click_id, "A-4").to_string(),
    ];
    let body = format!("[{}]", items.join(", "));
    let answer = send(&acme, "", ARRAY, body.as_bytes()).await.expect(200);
    let wanted = [
        "accepted",
        "malformed",
        "malformed",
        "malformed",
        "malformed",
        "malformed",
        "malformed",
        "click_id_malformed",
        "goal_mismatch",
        "duplicate",
        "duplicate_conflict",
        "validated",
        "accepted",
    ];
    assert_eq!(codes(&answer), wanted);
    assert_eq!((&answer["counts"]["accepted"], &answer["counts"]["rejected"]), (&json!(4), &json!(9)));
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results[9]["conversion_id"], results[0]["conversion_id"]);
    for result in results {
        assert!(result["postback_id"].is_string() && result["retry"].is_string(), "{result:#}");
        let is_problem = result["result"] == "rejected";
        assert_eq!(
            (result["type"].is_string(), result["status"].is_u64()),
            (is_problem, is_problem),
            "{result:#}"
        );
    }
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 2);
    assert_eq!(acme.agency.all("/v1/postbacks").await.len(), 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_that_no_number_holds_is_its_items_own_fault() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let with = |amount: &str| sale(&click_id, "A-1").to_string().replace("\"10.00\"", amount);
    let in_metadata = with("\"10.00\"").replacen('{', "{\"metadata\":{\"a\":1e400},", 1);
    let items = [with("1e400"), with("10.5"), in_metadata, with("\"10.00\"")];
    let wanted = ["amount_invalid", "amount_invalid", "malformed", "accepted"];
    let array = format!("[{}]", items.join(","));
    let answer = send(&acme, "", ARRAY, array.as_bytes()).await.expect(200);
    assert_eq!(codes(&answer), wanted, "{answer:#}");
    assert_eq!(answer["results"][2]["errors"][0]["pointer"], "/metadata/a");
    let answer = send(&acme, "", LINES, items[..3].join("\n").as_bytes()).await.expect(200);
    assert_eq!(codes(&answer), wanted[..3], "{answer:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_items_and_a_broken_line_is_its_own() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let body = format!("{}\r\n\n{{\"goal\":\n{}\n", sale(&click_id, 1), sale(&click_id, 2));
    let answer = send(&acme, "", LINES, body.as_bytes()).await.expect(200);
    assert_eq!(codes(&answer), ["accepted", "malformed", "accepted"]);
    let utf16: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let answer = send(&acme, "", LINES, &utf16).await.expect(200);
    assert!(codes(&answer).iter().all(|code| *code == "malformed"), "{answer:#}");
    let with_mark = format!("\u{feff}{}", sale(&click_id, 3));
    let answer = send(&acme, "", LINES, with_mark.as_bytes()).await.expect(200);
    assert!(answer["results"][0]["message"].as_str().unwrap().contains("byte order mark"), "{answer:#}");
    assert_eq!(codes(&send(&acme, "", LINES, b"").await.expect(200)), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_none_is_refused_as_a_whole() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let item = sale(&click_id, 1).to_string();
    for body in
        ["", "{}", &item, "[", &format!("[{item}"), &format!("[{item},]"), &format!("[{item}] x"), "null"]
    {
        let problem = send(&acme, "", ARRAY, body.as_bytes()).await.refused(400, "malformed");
        assert!(problem["message"].as_str().unwrap().contains("at byte"), "{body}: {problem:#}");
        assert!(problem["postback_id"].is_string(), "its owner finds it in the log: {problem:#}");
    }
    let many = format!("[{}]", vec!["{}"; 1_001].join(","));
    send(&acme, "", ARRAY, many.as_bytes()).await.refused(413, "payload_too_large");
    send(&acme, "", LINES, "{}\n".repeat(1_001).as_bytes()).await.refused(413, "payload_too_large");
    send(&acme, "", "text/plain", b"[]").await.refused(415, "unsupported_media_type");

    let url = format!("{}/v1/conversions/batch", app.base_url);
    let request = client().post(&url).header(CONTENT_TYPE, ARRAY);
    let signed = acme.signer().sign(request, "batch_1", now(), format!("[{item}]").as_bytes());
    let altered = signed.try_clone().unwrap().body(format!("[{item} ]"));
    Answer::to(altered).await.refused(401, "signature_invalid");
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 0);
    Answer::to(client().post(&url).header(CONTENT_TYPE, ARRAY).body("[]"))
        .await
        .refused(401, "signature_missing");
    Answer::to(signed).await.expect(200);
    assert_eq!(
        acme.agency.all("/v1/postbacks?code=signature_invalid").await.len(),
        1,
        "one line for the batch"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_exactly_a_mebibyte_is_taken() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let array = |size: usize| filled(&format!("[{}", sale(&click_id, 1)), b' ', "]", size);
    let lines = |size: usize| filled(&format!("{}\n", sale(&click_id, 2)), b'\n', "{}", size);
    for (content_type, wanted, body) in [
        (ARRAY, &["accepted"][..], &array as &dyn Fn(usize) -> Vec<u8>),
        (LINES, &["accepted", "malformed"], &lines),
    ] {
        send(&acme, "", content_type, &body(MEBIBYTE + 1)).await.refused(413, "payload_too_large");
        let answer = send(&acme, "", content_type, &body(MEBIBYTE)).await.expect(200);
        assert_eq!(codes(&answer), wanted, "{content_type}");
    }
}

/// A body of so many bytes: its start, what means nothing, and its end.
fn filled(start: &str, filling: u8, end: &str, size: usize) -> Vec<u8> {
    let between = vec![filling; size - start.len() - end.len()];
    [start.as_bytes(), &between, end.as_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_batch_can_be_a_dry_run() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let body = json!([sale(&click_id, 1), sale(&click_id, 1), sale("x", 2)]).to_string();
    let answer = send(&acme, "?validate_only=true", ARRAY, body.as_bytes()).await.expect(200);
    assert_eq!(codes(&answer), ["validated", "validated", "click_id_malformed"]);
    let answer = send(&acme, "?validate_only=maybe", ARRAY, body.as_bytes()).await.expect(200);
    assert!(codes(&answer).iter().all(|code| *code == "malformed"), "{answer:#}");
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_and_single_reports_at_once_count_each_order_once() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let items: Vec<Value> = (0..500).map(|order| sale(&click_id, order)).collect();
    let batches = futures_util::future::join_all((0..6).map(|_| batch(&acme, &items)));
    let singles = futures_util::future::join_all((0..50).map(|order| acme.report(sale(&click_id, order))));
    let (batches, singles) = tokio::join!(batches, singles);
    let all = batches.iter().flat_map(|answer| codes(answer));
    let accepted = all.filter(|code| *code == "accepted").count();
    let singly = singles.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(accepted + singly, 500);
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 500);
    acme.agency.report_until("", "/rows/0/conversions/total", json!(500)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_cuts_reports_into_batches_and_gives_each_its_result() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let mut sales: Vec<_> = (0..1_200).map(|order| Acme::sale(&click_id, &order.to_string())).collect();
    sales[3] = Acme::sale("cut", "3");
    sales[1_100] = Acme::sale(&click_id, "0");
    let results = acme.sdk().record_batch(&sales).await.unwrap();
    assert_eq!(results.len(), 1_200);
    assert_eq!(results[3].as_ref().unwrap_err().refusal().unwrap().code.as_str(), "click_id_malformed");
    let (first, again) = (results[0].as_ref().unwrap(), results[1_100].as_ref().unwrap());
    assert_eq!((again.outcome.code().as_str(), &again.conversion_id), ("duplicate", &first.conversion_id));
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1_199);
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 1_198);
    assert!(acme.sdk().record_batch(&[]).await.unwrap().is_empty());
}
