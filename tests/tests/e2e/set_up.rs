//! The REST API of what a partner sets up.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};
use tallyback_tests::{Answer, TestApp, client};

#[tokio::test(flavor = "multi_thread")]
async fn every_resource_is_made_read_listed_changed_and_archived() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let (agency, advertiser, campaign) = (&acme.agency, &acme.advertiser["id"], &acme.campaign["id"]);
    for (path, body) in [
        ("/v1/advertisers", json!({"name": "New"})),
        ("/v1/publishers", json!({"name": "New"})),
        (
            "/v1/campaigns",
            json!({"name": "New", "advertiser_id": advertiser, "landing_url": "https://new.example/"}),
        ),
        ("/v1/creatives", json!({"name": "New", "advertiser_id": advertiser})),
        ("/v1/links", json!({"name": "New", "campaign_id": campaign})),
        ("/v1/goals", json!({"name": "New", "event_name": "new", "advertiser_id": advertiser})),
    ] {
        let mut body = body;
        body["external_id"] = json!("mine");
        let made = agency.make(path, body.clone()).await;
        let one = format!("{path}/{}", made["id"].as_str().unwrap());
        assert_eq!(
            (&made["status"], &made["external_id"], &made["name"]),
            (&json!("active"), &json!("mine"), &json!("New"))
        );
        assert_eq!(agency.get(&one).await.expect(200), made);
        assert_eq!(agency.get(&format!("{path}/ext:mine")).await.expect(200), made);
        assert_eq!(agency.all(path).await[0], made, "newest first");
        body["name"] = json!("Another");
        let taken = if path == "/v1/goals" {
            vec!["external_id_taken", "event_name_taken"]
        } else {
            vec!["external_id_taken"]
        };
        let refused = agency.post(path, body).await;
        assert!(
            refused.status == 409 && taken.contains(&refused.body["code"].as_str().unwrap()),
            "{}",
            refused.text
        );

        let changed = agency.patch(&one, json!({"name": "Changed"})).await.expect(200);
        let mut wanted = made.clone();
        (wanted["name"], wanted["updated_at"]) = (json!("Changed"), changed["updated_at"].clone());
        assert_eq!(changed, wanted, "what is left out stays");
        let cleared = agency.patch(&one, json!({"external_id": null})).await.expect(200);
        assert_eq!(cleared["external_id"], Value::Null);
        agency.get(&format!("{path}/ext:mine")).await.refused(404, "not_found");

        assert_eq!(agency.archive(&one).await["status"], "archived");
        assert_eq!(agency.archive(&one).await["status"], "archived", "again");
        assert!(agency.all(path).await.iter().all(|row| row["id"] != made["id"]));
        assert_eq!(agency.get(&one).await.expect(200)["status"], "archived");
        assert_eq!(agency.patch(&one, json!({"status": "active"})).await.expect(200)["status"], "active");
        assert!(agency.all(path).await.iter().any(|row| row["id"] == made["id"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_faults_are_told_at_once() {
    let app = TestApp::start().await;
    let agency = app.agency().await;
    let goal = json!({
        "event_name": "", "count": "twice", "payout": {"type": "percent", "percent": "1000000"}, "currency": "euro",
        "hold_seconds": -1, "click_window_seconds": 0, "hold_end": "x", "default_status": "y", "external_id": "",
    });
    let problem = agency.post("/v1/goals", goal).await.refused(422, "validation_failed");
    let pointers: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    for wanted in [
        "/event_name",
        "/count",
        "/payout",
        "/currency",
        "/hold_seconds",
        "/click_window_seconds",
        "/hold_end",
        "/default_status",
        "/external_id",
    ] {
        assert!(pointers.contains(&wanted), "{wanted}: {problem:#}");
    }
    let missing = agency.post("/v1/campaigns", json!({})).await.refused(422, "validation_failed");
    assert_eq!(missing["errors"].as_array().unwrap().len(), 3, "{missing:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_landing_page_is_a_web_page() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    for bad in [
        "javascript:alert(1)",
        "data:text/html,x",
        "//shop.example",
        "shop.example",
        "ftp://shop.example",
        "https://",
        "https:///x",
        "https://user:pw@shop.example/",
        "https://user@shop.example/",
        "https://shop.example/\r\nx",
        "https://{sub1}/",
        "https://shop.example{sub1}/",
        "{sub1}://shop.example/",
        "https://shop.example/?x={shoe}",
        " https://shop.example",
        "",
    ] {
        let body = json!({"advertiser_id": acme.advertiser["id"], "name": "x", "landing_url": bad});
        let problem = acme.agency.post("/v1/campaigns", body).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], "/landing_url", "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_json_objects_of_known_fields() {
    let app = TestApp::start().await;
    let agency = app.agency().await;
    let send = async |content_type: &str, body: Vec<u8>| {
        let request = client().post(format!("{}/v1/advertisers", app.base_url)).bearer_auth(&agency.api_key);
        Answer::to(request.header(CONTENT_TYPE, content_type).body(body)).await
    };
    for body in [
        "",
        "{",
        "[]",
        "null",
        "{\"name\": 1}",
        "{\"name\":\"a\",\"name\":\"b\"}",
        "{\"shoe\": 1}",
        "{\"name\":\"\\ud800\"}",
        &"[".repeat(60_000),
    ] {
        send("application/json", body.into()).await.refused(400, "malformed");
    }
    send("application/json", b"{\"name\":\"\xff\"}".to_vec()).await.refused(400, "malformed");
    send("text/plain", b"{}".to_vec()).await.refused(415, "unsupported_media_type");
    send("application/json", vec![b' '; 70_000]).await.refused(413, "payload_too_large");
    for name in ["", &"x".repeat(201), "a\u{0}b", "a\nb"] {
        send("application/json", json!({"name": name}).to_string().into())
            .await
            .refused(422, "validation_failed");
    }
    let made = send("application/json; charset=utf-8", json!({"name": "Grün 👟"}).to_string().into())
        .await
        .expect(201);
    assert_eq!(made["name"], "Grün 👟");
    assert_eq!(agency.all("/v1/advertisers").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_a_request_id() {
    let app = TestApp::start().await;
    let agency = app.agency().await;
    let id = |headers: &HeaderMap| headers["x-request-id"].to_str().unwrap().to_owned();
    let good = agency.get("/v1/advertisers").await;
    let bad = agency.get("/v1/advertisers/x").await;
    assert!(id(&good.headers).starts_with("req_") && id(&good.headers) != id(&bad.headers));
    assert_eq!(bad.body["request_id"], id(&bad.headers).as_str());
    for path in ["/v1/shoes", "/c/zzzzzzz", "/livez", "/docs"] {
        id(&Answer::to(client().get(format!("{}{path}", app.base_url))).await.headers);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signing_secret_is_shown_once() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let secret = acme.key["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"));
    let listed = acme.agency.get("/v1/signing-keys").await.expect(200);
    assert!(!listed.to_string().contains("whsec_") && !listed.to_string().contains("secret"), "{listed:#}");
    assert_eq!(listed["data"][0]["id"], acme.key["id"]);
    acme.agency
        .post("/v1/signing-keys", json!({"name": "x", "scopes": ["shoes:write"]}))
        .await
        .refused(422, "validation_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_without_a_key() {
    let app = TestApp::start().await;
    for path in ["/livez", "/readyz"] {
        let answer = Answer::to(client().get(format!("{}{path}", app.base_url))).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
}
