//! The log of postbacks: what is in a line, what is taken out of it, and how lines are found.

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tallyback_tests::{Acme, Answer, TestApp, client, now};

fn sale(click_id: &str, order: &str) -> Value {
    json!({"goal": "purchase", "click_id": click_id, "order_id": order, "amount": "1.00", "currency": "EUR"})
}

async fn line(acme: &Acme, answer: &Value) -> Value {
    let id = answer["postback_id"].as_str().unwrap();
    acme.agency.get(&format!("/v1/postbacks/{id}")).await.expect(200)
}

async fn post(acme: &Acme, path: &str, content_type: &str, body: &[u8]) -> Answer {
    let request = client().post(format!("{}{path}", acme.agency.base_url)).header(CONTENT_TYPE, content_type);
    Answer::to(acme.signer().sign(request, "msg_log", now(), body)).await
}

/// The orders of the lines that a query finds, newest first.
async fn orders(acme: &Acme, query: &str) -> Vec<String> {
    let lines = acme.agency.all(&format!("/v1/postbacks?{query}")).await;
    lines.iter().map(|line| line["order_id"].as_str().unwrap_or("-").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_says_how_the_postback_came() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let said = |line: &Value| {
        let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
        [text("method"), text("path"), text("source_ip"), text("message_id")].join(" ")
    };
    let body = sale(&click_id, "A-1").to_string();
    let at = now();
    let by_json = line(&acme, &acme.report_at(at, sale(&click_id, "A-1")).await.expect(201)).await;
    assert_eq!(said(&by_json), "POST /v1/conversions 127.0.0.1 msg_by_hand");
    assert_eq!((&by_json["bytes"], &by_json["signed_at"]), (&json!(body.len()), &json!(at.to_string())));
    assert_eq!((&by_json["order_id"], &by_json["request"]), (&json!("A-1"), &sale(&click_id, "A-1")));

    let parameters = format!("goal=purchase&tid={click_id}&order_id=A-2&amount=1&currency=EUR&shoe=42");
    let by_url = line(&acme, &acme.report_by_url(&parameters).await.expect(201)).await;
    assert_eq!(said(&by_url), "GET /v1/postback 127.0.0.1 -");
    assert_eq!(
        (&by_url["request"]["click_id"], &by_url["request"]["shoe"]),
        (&json!(click_id), &json!("42"))
    );
    assert!(by_url["signed_at"].as_str().unwrap().parse::<i64>().unwrap() >= at, "{by_url:#}");

    let form = post(&acme, "/v1/postback", "application/x-www-form-urlencoded", parameters.as_bytes()).await;
    assert_eq!(said(&line(&acme, &form.expect(200)).await), "POST /v1/postback 127.0.0.1 msg_log");

    let batch = json!([sale(&click_id, "A-3"), "shoe"]).to_string();
    let batch = post(&acme, "/v1/conversions/batch", "application/json", batch.as_bytes()).await.expect(200);
    for item in batch["results"].as_array().unwrap() {
        let line = line(&acme, item).await;
        assert_eq!(said(&line), "POST /v1/conversions/batch 127.0.0.1 msg_log", "{line:#}");
    }
    let refused =
        post(&acme, "/v1/conversions/batch", "application/json", b"{}").await.refused(400, "malformed");
    assert_eq!(said(&line(&acme, &refused).await), "POST /v1/conversions/batch 127.0.0.1 msg_log");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_kept_as_far_as_it_helps() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let body = format!(r#"{{"goal": "purchase", "email": "janeroe@example.com", {}"#, "x".repeat(9_000));
    let answer =
        post(&acme, "/v1/conversions", "application/json", body.as_bytes()).await.refused(400, "malformed");
    let request = line(&acme, &answer).await["request"].clone();
    assert_eq!(request["unreadable_bytes"], body.len());
    let beginning = request["beginning"].as_str().unwrap();
    assert!(beginning.starts_with(r#"{"goal": "purchase", "email": [redacted], xxx"#), "{beginning}");
    assert_eq!(beginning.len(), 4_096);
    let repeated =
        acme.report_by_url("goal=a&goal=b&adv_sub1=janeroe%40example.com").await.refused(400, "malformed");
    let request = line(&acme, &repeated).await["request"].clone();
    let beginning = request["beginning"].as_str().unwrap();
    assert!(beginning.starts_with("goal=a&goal=b&adv_sub1=[redacted]&key_id=key_"), "{beginning}");
    assert!(beginning.ends_with("&sig=[redacted]"), "{beginning}");
    let long = sale(&"x".repeat(60_000), "A-1");
    let answer = acme.report(long).await.refused(400, "click_id_malformed");
    assert_eq!(answer["received_characters"], 60_000);
    assert_eq!(
        line(&acme, &answer).await["request"]["click_id"],
        format!("{}... (60000 bytes)", "x".repeat(500))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_personal_data_are_nowhere_in_the_log() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let secret = acme.key["secret"].as_str().unwrap();
    let mut sent = sale(&click_id, "A-1");
    sent["metadata"] = json!({
        "note": "write to janeroe@example.com now", "deep": [{"tel": "+49 151 12345678"}], "phone": "015112345678",
        "janeroe@example.com": true, "token": "opensesame", "secret": secret,
    });
    sent["coupon"] = json!("from janeroe@example.com again");
    sent["unheard_of"] = json!({"email": "janeroe"});
    let answer = acme.report(sent.clone()).await.expect(201);
    let logged = line(&acme, &answer).await;
    let kept = json!({"note": "write to [redacted] now", "deep": [{"tel": "[redacted]"}], "phone": "[redacted]", "[redacted]": true, "token": "[redacted]", "secret": "[redacted]"});
    assert_eq!(
        (&logged["request"]["metadata"], &logged["request"]["coupon"]),
        (&kept, &json!("from [redacted] again"))
    );
    // A refusal tells its sender what was sent; the log does not.
    let wrong = json!({"goal": "janeroe@example.com", "click_id": click_id});
    let problem = acme.report(wrong).await.refused(422, "goal_mismatch");
    assert!(problem["detail"].as_str().unwrap().contains("janeroe@example.com"), "{problem:#}");
    acme.report_by_url("goal=purchase&click_id=x&adv_sub1=%2B49%20151-12345678")
        .await
        .refused(400, "pii_in_url");
    acme.report_by_url(&format!("goal=purchase&click_id={secret}")).await;
    post(&acme, "/v1/conversions", "application/json", br#"{"x":"janeroe@example.com"#).await.expect(400);
    // Somebody who cannot sign.
    let stranger = Acme {
        key: json!({"id": acme.key["id"], "secret": format!("whsec_{}=", "A".repeat(43))}),
        ..acme.clone()
    };
    stranger.report(sent.clone()).await.refused(401, "signature_invalid");
    stranger.report_by_url("goal=a&click_id=b&x=janeroe%40example.com&y=%2b4915112345678").await.expect(401);
    let mut query = acme.signer().query("goal=purchase&click_id=x", now());
    query.pop();
    Answer::to(client().get(format!("{}/v1/postback?{query}", app.base_url))).await.expect(401);
    let signature = query.rsplit('=').next().unwrap();
    let api_key = &acme.agency.api_key;
    acme.report(json!({"goal": "purchase", "click_id": "x", "adv_sub1": api_key})).await.expect(422);

    let request = client().post(format!("{}/v1/conversions", app.base_url));
    let request = request.header("content-type", "application/json");
    let body = sale(&click_id, "A-2").to_string();
    Answer::to(acme.signer().sign(request, secret, now(), body.as_bytes())).await.expect(201);

    let explained = json!(acme.agency.all("/v1/postbacks").await).to_string();
    let columns = "request || answer || COALESCE(trace, '') || COALESCE(message_id, '')";
    let private = ["janeroe", "12345678", "opensesame", &secret[10..], signature, &api_key[10..]];
    for private in private {
        assert!(!explained.contains(private), "{private} in {explained}");
        let query = format!("SELECT COUNT(*) FROM postbacks WHERE {columns} LIKE '%{private}%'");
        assert_eq!(app.database.db_number(&query).await, 0, "{private} is in the database");
    }
    assert_eq!(acme.agency.all("/v1/postbacks").await.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_fills_the_log_with_more_than_a_line_may_hold() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let unknown: serde_json::Map<String, Value> =
        (0..2_000).map(|number| (format!("x{number}"), json!("y".repeat(20)))).collect();
    acme.report(Value::Object(unknown)).await.refused(400, "malformed");
    acme.report(json!({"goal": "purchase", "click_id": "x", "metadata": {"a": vec!["y"; 15_000]}}))
        .await
        .expect(400);
    let repeated = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(5_000));
    post(&acme, "/v1/conversions", "application/json", repeated.as_bytes()).await.refused(400, "malformed");
    let mut stranger = acme.clone();
    stranger.key["secret"] = json!(format!("whsec_{}=", "A".repeat(43)));
    stranger.report(json!({"goal": "x".repeat(60_000)})).await.refused(401, "signature_invalid");
    let longest =
        "SELECT CAST(MAX(LENGTH(request) + LENGTH(answer) + LENGTH(trace)) AS BIGINT) FROM postbacks";
    let longest = app.database.db_number(longest).await;
    assert!(longest < 8_000, "{longest}");
    let unsigned = client().post(format!("{}/v1/conversions", app.base_url)).json(&sale("x", "1"));
    Answer::to(unsigned).await.refused(401, "signature_missing");
    acme.agency.all("/v1/postbacks").await;
    assert_eq!(app.database.db_number("SELECT COUNT(*) FROM postbacks").await, 4, "nobody owns the fifth");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_found_by_what_they_are_about() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let lead = acme.goal(json!({"event_name": "lead", "count": "once"})).await;
    let sister = Acme::set_up(acme.agency.clone()).await;
    let (one, two) = (acme.click().await, acme.click().await);
    // Ids that are made in the same moment have no order.
    let at = || {
        app.clock.advance(1);
        app.clock.now().seconds()
    };
    acme.report_at(at(), sale(&one, "A-1")).await.expect(201);
    acme.report_at(at(), sale(&one, "A-1")).await.expect(200);
    sister.report_at(at(), sale(&sister.click().await, "S-1")).await.expect(201);
    app.clock.advance(60);
    let middle = app.clock.now();
    acme.report_at(at(), sale(&two, "A-2")).await.expect(201);
    acme.report_at(at(), json!({"goal": "lead", "click_id": two, "order_id": "L-1"})).await.expect(201);
    app.clock.advance(60);
    let late = app.clock.now();
    acme.report_at(at(), json!({"goal": "Purchase", "click_id": one, "order_id": "A-3"})).await.expect(422);
    acme.report_at(
        at(),
        json!({"goal": "purchase", "click_id": "x", "order_id": "A-4", "amount": "1", "currency": "EUR"}),
    )
    .await
    .expect(400);

    let id = |thing: &Value| thing["id"].as_str().unwrap().to_owned();
    let acmes = ["A-4", "A-3", "L-1", "A-2", "A-1", "A-1"];
    for (query, wanted) in [
        (String::new(), vec!["A-4", "A-3", "L-1", "A-2", "S-1", "A-1", "A-1"]),
        ("code=duplicate".into(), vec!["A-1"]),
        ("code=goal_mismatch,click_id_malformed".into(), vec!["A-4", "A-3"]),
        ("code=accepted,goal_mismatch".into(), vec!["A-3", "L-1", "A-2", "S-1", "A-1"]),
        ("code=click_expired".into(), vec![]),
        ("result=rejected".into(), vec!["A-4", "A-3"]),
        ("result=accepted".into(), vec!["L-1", "A-2", "S-1", "A-1", "A-1"]),
        (format!("advertiser_id={}", id(&acme.advertiser)), acmes.to_vec()),
        (format!("advertiser_id={}", id(&sister.advertiser)), vec!["S-1"]),
        (format!("goal_id={}", id(&lead)), vec!["L-1"]),
        (format!("click_id={}", two.to_uppercase()), vec!["L-1", "A-2"]),
        (format!("click_id={one}&result=rejected"), vec!["A-3"]),
        ("order_id=A-1".into(), vec!["A-1", "A-1"]),
        ("order_id=A-1&code=accepted".into(), vec!["A-1"]),
        ("order_id=A-4".into(), vec!["A-4"]),
        (format!("received_from={middle}"), vec!["A-4", "A-3", "L-1", "A-2"]),
        (format!("received_to={middle}"), vec!["S-1", "A-1", "A-1"]),
        (format!("received_from={middle}&received_to={late}"), vec!["L-1", "A-2"]),
    ] {
        assert_eq!(orders(&acme, &query).await, wanted, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_a_click_and_of_an_order_is_found() {
    let app = TestApp::at(0).await;
    let mut acme = app.acme().await;
    let key = json!({
        "name": "Refunds", "advertiser_ids": [acme.advertiser["id"]],
        "scopes": ["conversions:write", "adjustments:write", "status:write"],
    });
    acme.key = acme.agency.make("/v1/signing-keys", key).await;
    let path = format!("/v1/goals/{}", acme.goal["id"].as_str().unwrap());
    acme.agency.patch(&path, json!({"modes": ["transaction", "customer"]})).await.expect(200);
    let (one, two) = (acme.click().await, acme.click().await);
    // Ids that are made in the same moment have no order.
    let at = || {
        app.clock.advance(1);
        app.clock.now().seconds()
    };
    let with = |mut body: Value, name: &str, value: &str| {
        body[name] = json!(value);
        body
    };
    let counted = acme.report_at(at(), with(sale(&one, "A-1"), "customer_id", "c-1")).await.expect(201);
    let rebill = json!({"goal": "purchase", "customer_id": "c-1", "order_id": "A-2", "amount": "1", "currency": "EUR"});
    acme.report_at(at(), rebill).await.expect(201);
    acme.report_at(at(), with(sale(&one, "A-3"), "amount", "1,5")).await.refused(422, "amount_invalid");
    acme.report_at(at(), with(sale(&one, "A-4"), "status", "done")).await.refused(400, "malformed");
    acme.report_at(at(), sale(&two, "B-1")).await.expect(201);
    for (name, kind, code) in
        [("R-1", "retraction", "adjusted"), ("R-2", "approve", "transition_not_allowed")]
    {
        let body = json!({"adjustment_id": name, "kind": kind, "conversion_id": counted["conversion_id"]})
            .to_string();
        at();
        let request = client().post(format!("{}/v1/adjustments", acme.agency.base_url));
        let request = request.header(CONTENT_TYPE, "application/json");
        let answer = Answer::to(acme.signer().sign(request, name, at(), body.as_bytes())).await;
        assert_eq!(answer.body["code"], code, "{}", answer.text);
    }
    let of_click = ["A-1", "A-1", "A-4", "A-3", "A-2", "A-1"];
    assert_eq!(orders(&acme, &format!("click_id={one}")).await, of_click);
    assert_eq!(orders(&acme, "order_id=A-1").await, ["A-1"; 3]);
    assert_eq!(orders(&acme, "order_id=A-1&code=transition_not_allowed").await, ["A-1"]);
    assert_eq!(orders(&acme, &format!("click_id={two}")).await, ["B-1"]);

    // Whose order is an address has it in the ledger alone.
    let private = sale(&two, "janeroe@example.com");
    for status in [201, 200] {
        let answer = acme.report_at(at(), private.clone()).await.expect(status);
        let line = line(&acme, &answer).await;
        assert_eq!((&line["order_id"], &line["request"]["order_id"]), (&Value::Null, &json!("[redacted]")));
    }
    assert_eq!(orders(&acme, "order_id=janeroe%40example.com").await, ["-"], "found through its conversion");
    assert_eq!(orders(&acme, "order_id=%5Bredacted%5D").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filtered_list_has_pages() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    for number in 0..5 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        acme.report(json!({"goal": "shoe", "click_id": "x", "order_id": format!("{number}")}))
            .await
            .expect(422);
        acme.report(json!({"click_id": "x"})).await.expect(400);
    }
    let path = "/v1/postbacks?limit=2&code=goal_mismatch&result=rejected";
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = acme.agency.get(&format!("{path}{cursor}")).await.expect(200);
        seen.extend(page["data"].as_array().unwrap().iter().map(|line| line["order_id"].to_string()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ["\"4\"", "\"3\"", "\"2\"", "\"1\"", "\"0\""]);
    acme.agency.get(&format!("/v1/postbacks?limit=2{cursor}")).await.refused(400, "cursor_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_means_nothing_is_refused() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let stranger = app.acme().await;
    let foreign = stranger.click().await;
    for query in [
        "code=goal_mismatch,shoe",
        "code=",
        "result=maybe",
        "click_id=x",
        "order_id=",
        "received_from=yesterday",
        "received_to=1",
    ] {
        let problem =
            acme.agency.get(&format!("/v1/postbacks?{query}")).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], query.split('=').next().unwrap(), "{problem:#}");
    }
    for foreign in
        [format!("click_id={foreign}"), format!("goal_id={}", stranger.goal["id"].as_str().unwrap())]
    {
        acme.agency.get(&format!("/v1/postbacks?{foreign}")).await.refused(404, "not_found");
    }
}
