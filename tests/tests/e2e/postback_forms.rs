//! One contract, whatever the form: signed query, form, JSON.

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tallyback_tests::{Acme, Answer, TestApp, client, now};

async fn post(acme: &Acme, path: &str, content_type: &str, body: &[u8]) -> Answer {
    let request = client().post(format!("{}{path}", acme.agency.base_url)).header(CONTENT_TYPE, content_type);
    Answer::to(acme.signer().sign(request, "msg_form", now(), body)).await
}

async fn form(acme: &Acme, body: &str) -> Answer {
    post(acme, "/v1/postback", "application/x-www-form-urlencoded", body.as_bytes()).await
}

async fn json_text(acme: &Acme, body: &str) -> Answer {
    post(acme, "/v1/conversions", "application/json", body.as_bytes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_counts_the_same() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let parameters =
        |order: &str| format!("goal=purchase&click_id={click_id}&order_id={order}&amount=49.90&currency=EUR");
    let by_url = acme.report_by_url(&parameters("A-1")).await.expect(201);
    let by_form = form(&acme, &parameters("A-2")).await.expect(201);
    let by_json = json_text(&acme, &json!({"goal": "purchase", "click_id": click_id, "order_id": "A-3", "amount": "49.90", "currency": "EUR"}).to_string()).await.expect(201);
    for answer in [&by_url, &by_form, &by_json] {
        assert_eq!(
            (&answer["result"], &answer["code"], &answer["retry"]),
            (&json!("accepted"), &json!("accepted"), &json!("no"))
        );
        for name in ["message", "postback_id", "conversion_id", "status", "hold_until", "hint", "flags"] {
            assert!(answer.get(name).is_some(), "{name}: {answer:#}");
        }
    }
    let again = form(&acme, &parameters("A-1")).await.expect(200);
    assert_eq!((&again["code"], &again["conversion_id"]), (&json!("duplicate"), &by_url["conversion_id"]));

    let conversions = acme.agency.all("/v1/conversions").await;
    assert_eq!(conversions.len(), 3);
    assert!(
        conversions.iter().all(|row| (&row["amount"], &row["payout"]) == (&json!("49.90"), &json!("4.99")))
    );
    let mut forms: Vec<_> = acme
        .agency
        .all("/v1/postbacks?code=accepted")
        .await
        .iter()
        .map(|line| line["form"].to_string())
        .collect();
    forms.sort();
    assert_eq!(forms, ["\"form\"", "\"json\"", "\"query\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_are_read() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let mut order = 0;
    for goal in ["goal", "event", "et", "goal_ref"] {
        order += 1;
        acme.report_by_url(&format!(
            "{goal}=purchase&click_id={click_id}&order_id=G{order}&amount=1&currency=EUR"
        ))
        .await
        .expect(201);
    }
    for id in ["click_id", "kcid", "transaction_id", "tid", "cid", "clickid", "subid"] {
        order += 1;
        acme.report_by_url(&format!("goal=purchase&{id}={click_id}&order_id=G{order}&amount=1&currency=EUR"))
            .await
            .expect(201);
    }
    for name in ["order_id", "txid", "action_id", "invoice_id"] {
        order += 1;
        acme.report_by_url(&format!(
            "goal=purchase&click_id={click_id}&{name}=G{order}&amount=1&currency=EUR"
        ))
        .await
        .expect(201);
    }
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_query_ends_with_its_signature() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let good = acme
        .signer()
        .query(&format!("goal=purchase&click_id={click_id}&order_id=A-1&amount=1&currency=EUR"), now());
    let get =
        async |query: &str| Answer::to(client().get(format!("{}/v1/postback?{query}", app.base_url))).await;
    get("goal=purchase").await.refused(401, "signature_missing");
    Answer::to(client().get(format!("{}/v1/postback", app.base_url))).await.refused(401, "signature_missing");
    for bad in [
        good.replace("amount=1&", "amount=2&"),
        format!("{good}&amount=2"),
        format!("amount=2&{good}"),
        good.replace("&sig=", "&sig=0"),
        good.to_uppercase(),
    ] {
        let answer = get(&bad).await;
        assert_eq!(answer.status, 401, "{bad}: {}", answer.text);
    }
    get(&good).await.expect(201);
    let old = acme
        .signer()
        .query(&format!("goal=purchase&click_id={click_id}&order_id=A-9&amount=1&currency=EUR"), now() - 301);
    get(&old).await.refused(401, "timestamp_out_of_tolerance");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_can_be_text() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let good = acme
        .report_by_url(&format!(
            "goal=purchase&click_id={click_id}&order_id=A-1&amount=1&currency=EUR&format=text"
        ))
        .await;
    assert!(good.status == 201 && good.text.starts_with("OK cnv_"), "{}", good.text);
    let bad = acme
        .report_by_url(&format!(
            "goal=Purchase&click_id={click_id}&order_id=A-1&amount=1&currency=EUR&format=text"
        ))
        .await;
    assert_eq!((bad.status, bad.text.as_str()), (422, "ERR goal_mismatch"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_says_where() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"x\"",
        "{\"goal\":\"a\",\"goal\":\"b\"}",
        "{\"goal\":1e400}",
        "\u{feff}{}",
        "{\"goal\":\"\\ud800\"}",
    ] {
        let problem = json_text(&acme, body).await.refused(400, "malformed");
        assert!(problem["postback_id"].is_string(), "{body}: {problem:#}");
    }
    post(&acme, "/v1/conversions", "application/json", b"\xff\xfe{\x00}\x00").await.refused(400, "malformed");
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    json_text(&acme, &format!("{{\"metadata\":{deep}}}")).await.refused(400, "malformed");

    let several = json_text(
        &acme,
        &json!({"click_id": 7, "metadata": "text", "order_id": "x".repeat(129)}).to_string(),
    )
    .await;
    let problem = several.refused(400, "malformed");
    assert!(problem["errors"].as_array().unwrap().len() >= 3, "{problem:#}");
    assert!(
        problem["errors"].as_array().unwrap().iter().all(|error| error["pointer"].is_string()),
        "{problem:#}"
    );

    acme.report_by_url(&format!(
        "goal=purchase&click_id={click_id}&click_id={click_id}&order_id=1&amount=1&currency=EUR"
    ))
    .await
    .refused(400, "malformed");
    acme.report_by_url(&format!(
        "goal=purchase&click_id={click_id}&kcid={click_id}&order_id=1&amount=1&currency=EUR"
    ))
    .await
    .refused(400, "malformed");
    for nul in [
        json!({"order_id": "a\u{0}"}),
        json!({"goal": "\u{0}"}),
        json!({"metadata": {"a\u{0}": "b"}}),
        json!({"advertiser": "ext:\u{0}"}),
    ] {
        json_text(&acme, &nul.to_string()).await.refused(400, "malformed");
    }
    acme.agency.get("/v1/conversions?order_id=%00").await.refused(422, "validation_failed");
    let at_once = json!({"status": "foo", "event_time": "bar", "validate_only": "baz", "click_id": click_id});
    let problem = json_text(&acme, &at_once.to_string()).await.refused(400, "malformed");
    let errors = problem["errors"].as_array().unwrap().iter();
    let pointers: Vec<_> = errors.map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/goal", "/status", "/event_time", "/validate_only"]);
    let unknown = format!("goal=purchase&click_id={click_id}&order_id=1&email=jane%40example.com");
    acme.report_by_url(&unknown).await.refused(400, "pii_in_url");

    for literal in ["{payout}", "%25TID%25", "TRANSACTION_ID", "{transaction_id}"] {
        acme.report_by_url(&format!("goal=purchase&click_id={literal}&order_id=1&amount=1&currency=EUR"))
            .await
            .refused(400, "unresolved_macro");
    }
    let personal = acme
        .report_by_url(&format!(
            "goal=purchase&click_id={click_id}&order_id=1&amount=1&currency=EUR&adv_sub1=jane%40example.com"
        ))
        .await;
    personal.refused(400, "pii_in_url");
    let lines = acme.agency.all("/v1/postbacks?code=pii_in_url").await;
    assert!(lines.len() == 2 && !json!(lines).to_string().contains("jane"), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn size_type_and_method_come_first() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let large = vec![b' '; 64 * 1024 + 1];
    post(&acme, "/v1/conversions", "application/json", &large).await.refused(413, "payload_too_large");
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
        post(&acme, "/v1/conversions", content_type, b"{}").await.refused(415, "unsupported_media_type");
    }
    post(&acme, "/v1/postback", "application/json", b"{}").await.refused(415, "unsupported_media_type");
    for (method, path, allowed) in [
        ("DELETE", "/v1/conversions", "POST"),
        ("PUT", "/v1/postback", "GET"),
        ("POST", "/v1/reports", "GET"),
    ] {
        let method = method.parse().unwrap();
        let answer = Answer::to(client().request(method, format!("{}{path}", app.base_url))).await;
        assert!(answer.header("allow").unwrap().contains(allowed), "{:?}", answer.headers);
        answer.refused(405, "method_not_allowed");
    }
    Answer::to(client().get(format!("{}/v1/shoes", app.base_url))).await.refused(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_parameter_is_kept_from_harm_and_flagged() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let answer = acme
        .report_by_url(&format!("goal=purchase&click_id={click_id}&order_id=1&amount=1&currency=EUR&shoe=42"))
        .await
        .expect(201);
    assert_eq!(answer["flags"], json!(["unknown_parameter"]));
    let empty = acme
        .report_by_url(&format!(
            "goal=purchase&click_id={click_id}&order_id=2&amount=1&currency=EUR&status=&event_time=&coupon="
        ))
        .await;
    assert_eq!(empty.expect(201)["flags"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_beside_is_kept() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let hash = "a".repeat(64);
    let sale = Acme::sale(&click_id, "A-1")
        .adv_sub(1, "grün 👟")
        .coupon("AUTUMN")
        .lead_id("L-1")
        .email_sha256(&hash)
        .metadata(json!({"size": [42, "a"]}));
    let recorded = acme.sdk().record(&sale).await.unwrap();
    let row =
        acme.agency.get(&format!("/v1/conversions/{}", recorded.conversion_id.unwrap())).await.expect(200);
    let wanted: Value = json!({"adv_sub1": "grün 👟", "coupon": "AUTUMN", "lead_id": "L-1", "email_sha256": hash, "metadata": {"size": [42, "a"]}});
    assert_eq!(row["parameters"], wanted);
    acme.report_by_url(&format!(
        "goal=purchase&click_id={click_id}&order_id=2&amount=1&currency=EUR&email_sha256={hash}"
    ))
    .await
    .refused(400, "malformed");
}
