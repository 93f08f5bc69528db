//! Every outcome that has nothing to do with goals and clicks, the order of the checks, and headers of all kinds.

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tallyback_server::{clock::Clock, config::Config};
use tallyback_tests::{Acme, Answer, Raw, TestApp, client, now};

fn sale(click_id: &str, order: impl std::fmt::Display) -> Value {
    json!({"goal": "purchase", "click_id": click_id, "order_id": order.to_string(), "amount": "1.00", "currency": "EUR"})
}

async fn post(acme: &Acme, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut request = client().post(format!("{}/v1/conversions", acme.agency.base_url)).body(body.to_vec());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::to(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_strange_signature_header_is_refused_and_nothing_breaks() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let (signer, body) = (acme.signer(), sale(&acme.click().await, 1).to_string());
    let at = now();
    let good = signer.signature("msg_1", at, body.as_bytes());
    let base64 = &good[3..];
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, base64).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut signatures: Vec<String> = ["", "   ", "v1", "v1,", ",v1", "garbage"].map(str::to_owned).to_vec();
    signatures.extend([
        good[..11].to_owned(),
        format!("v0,{base64}"),
        format!("v1a,{base64}"),
        base64.to_owned(),
        format!("v1,{hex}"),
        format!("v1,{}", hex.to_uppercase()),
        format!("{good}garbage"),
        "garbage ".repeat(1_000) + &good,
        "x".repeat(40 * 1_024),
    ]);
    if base64.contains(['+', '/']) {
        signatures.push(good.replace('+', "-").replace('/', "_"));
    }
    signatures.push(good.trim_end_matches('=').to_owned());
    let json_type = ("content-type", "application/json");
    let (key_id, text) = (signer.key_id.as_str(), at.to_string());
    for signature in &signatures {
        let headers = [
            json_type,
            ("x-key-id", key_id),
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", &text),
            ("webhook-signature", signature),
        ];
        let answer = post(&acme, &headers, body.as_bytes()).await;
        assert_eq!(answer.status, 401, "{:.60}: {}", signature, answer.text);
    }
    let milliseconds = (at * 1_000).to_string();
    for timestamp in [
        "-1",
        "0",
        "1e3",
        "+5",
        &format!("0{at}"),
        &milliseconds,
        "9223372036854775808",
        &format!("{at}.0"),
        "",
    ] {
        let signature = signature_over(&acme, "msg_1", timestamp, body.as_bytes());
        let headers = [
            json_type,
            ("x-key-id", key_id),
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", &signature),
        ];
        let answer = post(&acme, &headers, body.as_bytes()).await;
        answer.refused(401, "timestamp_out_of_tolerance");
    }
    for id in ["msg.1", "", &"x".repeat(1_024)] {
        let signature = signer.signature(id, at, body.as_bytes());
        let headers = [
            json_type,
            ("x-key-id", key_id),
            ("webhook-id", id),
            ("webhook-timestamp", &text),
            ("webhook-signature", &signature),
        ];
        post(&acme, &headers, body.as_bytes()).await.refused(401, "signature_invalid");
    }
    let twice = [
        json_type,
        ("x-key-id", key_id),
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", &text),
        ("webhook-signature", &good),
        ("webhook-signature", &good),
    ];
    post(&acme, &twice, body.as_bytes()).await.refused(401, "signature_invalid");
    let length = body.len();
    let host = app.base_url.trim_start_matches("http://");
    let head = format!(
        "POST /v1/conversions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nX-Key-Id: {key_id}\r\nwebhook-id: msg_1\r\nwebhook-timestamp: {text}\r\nwebhook-signature: v1,\u{e9}\u{20ac}\r\n\r\n{body}"
    );
    let answer = Raw::sending(&app.base_url, &head).await.answer().await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 0);
    let headers = [
        json_type,
        ("x-key-id", key_id),
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", &text),
        ("webhook-signature", &good),
    ];
    post(&acme, &headers, body.as_bytes()).await.expect(201);
}

/// The signature over a timestamp that is no number.
fn signature_over(acme: &Acme, id: &str, timestamp: &str, body: &[u8]) -> String {
    use tallyback_server::domain::signature::{SigningSecret, sign_message};
    let secret = SigningSecret::parse(acme.key["secret"].as_str().unwrap()).unwrap();
    sign_message(&secret, id, timestamp, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_flipped_bit_and_each_other_way_to_write_the_body_is_refused() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let (signer, at) = (acme.signer(), now());
    let click_id = acme.click().await;
    let body = format!(
        r#"{{"goal":"purchase","click_id":"{click_id}","order_id":"\u00e9","amount":"1.0","currency":"EUR"}}"#
    );
    let signature = signer.signature("msg_1", at, body.as_bytes());
    let text = at.to_string();
    let headers = [
        ("content-type", "application/json"),
        ("x-key-id", signer.key_id.as_str()),
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", text.as_str()),
        ("webhook-signature", signature.as_str()),
    ];
    // One bit of every byte; every bit of all four parts is flipped in the unit tests of the signature.
    for place in 0..body.len() {
        let mut altered = body.clone().into_bytes();
        altered[place] ^= 1 << (place % 8);
        post(&acme, &headers, &altered).await.refused(401, "signature_invalid");
    }
    let value: Value = serde_json::from_str(&body).unwrap();
    for other in [
        value.to_string(),
        body.replace(':', ": "),
        body.replace("\"1.0\"", "\"1\""),
        body.replace("\\u00e9", "é"),
    ] {
        post(&acme, &headers, other.as_bytes()).await.refused(401, "signature_invalid");
    }
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 0);
    post(&acme, &headers, body.as_bytes()).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_two_things_are_wrong_the_earlier_check_answers() {
    let behind_a_proxy = |config: &mut Config| {
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        config.limits.reports_per_minute = Some(9);
    };
    let app = TestApp::with(Clock::System, behind_a_proxy).await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let json_type = ("content-type", "application/json");
    let (large, https) = (vec![b'x'; 64 * 1024 + 1], ("x-forwarded-proto", "https"));
    let plain = ("x-forwarded-proto", "http");
    post(&acme, &[plain, ("content-type", "text/plain")], &large).await.refused(403, "https_required");
    post(&acme, &[https, ("content-type", "text/plain")], &large)
        .await
        .refused(415, "unsupported_media_type");
    post(&acme, &[https, json_type, ("content-encoding", "gzip")], b"{}")
        .await
        .refused(415, "unsupported_media_type");
    post(&acme, &[https, json_type], &large).await.refused(413, "payload_too_large");
    post(&acme, &[https, json_type], b"{").await.refused(401, "signature_missing");
    let unknown = [
        https,
        json_type,
        ("x-key-id", "key_00000000000000000000000000"),
        ("webhook-id", "x"),
        ("webhook-timestamp", "1"),
        ("webhook-signature", "v1,x"),
    ];
    post(&acme, &unknown, b"{").await.refused(401, "signature_invalid");

    // Signature before time, time before scope, scope before what is sent; then sizes, names, goals, clicks.
    let send = async |timestamp: i64, body: &str| {
        let request = client()
            .post(format!("{}/v1/conversions", app.base_url))
            .header(CONTENT_TYPE, "application/json")
            .header("x-forwarded-proto", "https");
        Answer::to(acme.signer().sign(request, "msg_1", timestamp, body.as_bytes())).await
    };
    send(now() - 400, "{").await.refused(401, "timestamp_out_of_tolerance");
    send(now(), "{").await.refused(400, "malformed");
    let macros = json!({"goal": "nothing", "click_id": "{click_id}", "amount": "x"}).to_string();
    send(now(), &macros).await.refused(400, "unresolved_macro");
    let parameters =
        json!({"goal": "nothing", "click_id": "cut", "amount": "1,5", "currency": "EUR"}).to_string();
    send(now(), &parameters).await.refused(422, "amount_invalid");
    let goal = json!({"goal": "nothing", "click_id": "cut"}).to_string();
    send(now(), &goal).await.refused(422, "goal_mismatch");
    let click = json!({"goal": "purchase", "click_id": "cut", "order_id": "1", "amount": "1", "currency": "EUR", "event_time": 1}).to_string();
    send(now(), &click).await.refused(400, "click_id_malformed");
    let windows = json!({"goal": "purchase", "click_id": click_id, "order_id": "1", "amount": "1", "currency": "EUR", "event_time": 1}).to_string();
    send(now(), &windows).await.refused(422, "conversion_precedes_click");
    send(now(), &sale(&click_id, 1).to_string()).await.expect(201);
    send(now(), &sale(&click_id, 2).to_string()).await.expect(201);
    send(now(), &sale(&click_id, 1).to_string()).await.expect(200);
    let limited = send(now(), "{").await;
    assert_eq!(limited.header("ratelimit-policy"), Some("\"reports\";q=9;w=60"));
    limited.refused(429, "rate_limited");
    send(now() - 400, "{").await.refused(401, "timestamp_out_of_tolerance");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_headers_of_the_rate_limit_are_true() {
    let app = TestApp::on(
        tallyback_tests::TestDatabase::create().await,
        Clock::fixed(Clock::System.now()),
        |config| config.limits.reports_per_minute = Some(20),
    )
    .await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let number = |answer: &Answer, name: &str| -> i64 {
        let header = answer.header("ratelimit").unwrap();
        header
            .split(';')
            .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
            .unwrap()
            .parse()
            .unwrap()
    };
    let mut order = 0;
    for _ in 0..4 {
        order += 1;
        let first = acme.report_at(app.clock.now().seconds(), sale(&click_id, order)).await;
        let (left, wait) = (number(&first, "r"), number(&first, "t"));
        assert_eq!((first.status, left, wait), (201, 19, 60));
        app.clock.advance(7);
        for _ in 0..left {
            order += 1;
            acme.report_at(app.clock.now().seconds(), sale(&click_id, order)).await.expect(201);
        }
        let over = acme.report_at(app.clock.now().seconds(), sale(&click_id, order)).await;
        assert_eq!((number(&over, "r"), over.header("retry-after")), (0, Some("53")));
        let problem = over.refused(429, "rate_limited");
        assert_eq!(problem["retry"], "yes");
        let line = problem["postback_id"].as_str().unwrap();
        let line = acme.agency.get(&format!("/v1/postbacks/{line}/explain")).await.expect(200);
        assert_eq!((&line["code"], &line["http_status"]), (&json!("rate_limited"), &json!(429)));
        let failed = line["checks"].as_array().unwrap().iter().find(|check| check["outcome"] == "failed");
        assert_eq!(failed.unwrap()["check"], "rate_limit");
        app.clock.advance(53);
    }
    let other = app.acme().await;
    other.report_at(app.clock.now().seconds(), sale(&other.click().await, 1)).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_the_limit_has_a_line_until_it_becomes_a_flood() {
    let config = |config: &mut Config| config.limits.reports_per_minute = Some(1);
    let clock = Clock::fixed(Clock::System.now());
    let app = TestApp::with(clock, config).await;
    let mut acme = app.acme().await;
    let key = json!({"name": "Shop", "scopes": ["conversions:write", "adjustments:write"]});
    acme.key = acme.agency.make("/v1/signing-keys", key).await;
    let click_id = acme.click().await;
    let at = || app.clock.now().seconds();
    acme.report_at(at(), sale(&click_id, 0)).await.expect(201);
    let batch = json!([sale(&click_id, 1), sale(&click_id, 2)]).to_string();
    let adjustment = json!({"adjustment_id": "R", "kind": "retraction", "goal": "purchase", "order_id": "0"});
    let requests = [
        ("conversions", sale(&click_id, 1).to_string()),
        ("conversions/batch", batch),
        ("adjustments", adjustment.to_string()),
        ("adjustments/batch", json!([adjustment]).to_string()),
    ];
    let send = async |path: &str, body: &str| {
        let request =
            client().post(format!("{}/v1/{path}", app.base_url)).header(CONTENT_TYPE, "application/json");
        let request = acme.signer().sign(request, &format!("msg_{path}"), at(), body.as_bytes());
        Answer::to(request).await.refused(429, "rate_limited")
    };
    for (path, body) in &requests {
        let refused = send(path, body).await;
        assert!(refused["retry_after_seconds"].is_i64(), "{path}: {refused}");
        let line = refused["postback_id"].as_str().unwrap();
        let line = acme.agency.get(&format!("/v1/postbacks/{line}")).await.expect(200);
        assert_eq!(
            (&line["code"], &line["message_id"]),
            (&json!("rate_limited"), &json!(format!("msg_{path}")))
        );
    }
    let lines = acme.agency.all("/v1/postbacks?code=rate_limited").await;
    assert_eq!(lines.len(), 4);
    let single = lines.iter().find(|line| line["path"] == "/v1/conversions").unwrap();
    assert_eq!(single["request"]["order_id"], "1", "what came: {single:#}");
    let (path, body) = &requests[0];
    let mut without = 0;
    for _ in 0..300 {
        without += usize::from(send(path, body).await["postback_id"].is_null());
    }
    assert_eq!((without, acme.agency.all("/v1/postbacks?code=rate_limited").await.len()), (4, 300));
    app.clock.advance(60);
    acme.report_at(at(), sale(&click_id, 3)).await.expect(201);
    assert!(!send(path, body).await["postback_id"].is_null(), "another minute");
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_cannot_fill_the_log() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let stranger = Acme {
        key: json!({"id": acme.key["id"], "secret": format!("whsec_{}=", "A".repeat(43))}),
        ..acme.clone()
    };
    let mut limited = 0;
    for _ in 0..310 {
        let answer = stranger.report(sale(&click_id, 1)).await;
        assert!([401, 429].contains(&answer.status), "{}", answer.text);
        limited += usize::from(answer.status == 429);
    }
    assert_eq!((limited, acme.agency.all("/v1/postbacks").await.len()), (10, 300));
    acme.report(sale(&click_id, 1)).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_wrong_signatures_are_told_when_to_come_back() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let stranger = Acme {
        key: json!({"id": acme.key["id"], "secret": format!("whsec_{}=", "A".repeat(43))}),
        ..acme.clone()
    };
    let at = |seconds: i64| app.clock.now().seconds() + seconds;
    for _ in 0..300 {
        let refused = stranger.report_at(at(0), sale(&click_id, 1)).await;
        assert_eq!(refused.header("ratelimit"), None, "an unknown key would be answered the same");
        refused.refused(401, "signature_invalid");
    }
    app.clock.advance(7);
    let query = stranger.signer().query("goal=purchase&click_id=x", at(0));
    let by_url = Answer::to(client().get(format!("{}/v1/postback?{query}", app.base_url))).await;
    let mut refusals = vec![by_url];
    for (path, body) in [
        ("conversions", "{}"),
        ("conversions/batch", "[]"),
        ("adjustments", "{}"),
        ("adjustments/batch", "[]"),
    ] {
        let request =
            client().post(format!("{}/v1/{path}", app.base_url)).header(CONTENT_TYPE, "application/json");
        let signed = stranger.signer().sign(request, "msg_1", at(0), body.as_bytes());
        refusals.push(Answer::to(signed).await);
    }
    for refused in refusals {
        assert_eq!(refused.header("retry-after"), Some("53"), "{}", refused.text);
        assert_eq!(refused.header("ratelimit"), Some("\"wrong_signatures\";r=0;t=53"));
        assert_eq!(refused.header("ratelimit-policy"), Some("\"wrong_signatures\";q=300;w=60"));
        refused.refused(429, "rate_limited");
    }
    acme.report_at(at(0), sale(&click_id, 1)).await.expect(201);
    app.clock.advance(53);
    stranger.report_at(at(0), sale(&click_id, 1)).await.refused(401, "signature_invalid");
}
