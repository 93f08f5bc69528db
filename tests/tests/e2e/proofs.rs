//! Other proofs than a signature that is enforced: static tokens, and advertisers that only observe.

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tallyback_tests::{Acme, Answer, TestApp, client, now};

fn sale(click_id: &str, order: impl std::fmt::Display) -> Value {
    json!({"goal": "purchase", "click_id": click_id, "order_id": order.to_string(), "amount": "1.00", "currency": "EUR"})
}

fn parameters(click_id: &str, order: &str) -> String {
    format!("goal=purchase&click_id={click_id}&order_id={order}&amount=1.00&currency=EUR")
}

async fn get(acme: &Acme, query: &str) -> Answer {
    Answer::to(client().get(format!("{}/v1/postback?{query}", acme.agency.base_url))).await
}

async fn set(acme: &Acme, body: Value) {
    let path = format!("/v1/advertisers/{}", acme.advertiser["id"].as_str().unwrap());
    acme.agency.patch(&path, body).await.expect(200);
}

async fn token(acme: &Acme, more: Value) -> String {
    let mut body = json!({"name": "Old shop", "kind": "token", "advertiser_ids": [acme.advertiser["id"]]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    acme.agency.make("/v1/signing-keys", body).await["secret"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_taken_where_the_advertiser_allows_it_and_waits_for_a_decision() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let weak = token(&acme, json!({})).await;
    let query = |order: &str, token: &str| format!("token={token}&{}", parameters(&click_id, order));
    get(&acme, &query("1", &weak)).await.refused(403, "token_not_allowed");
    set(&acme, json!({"static_token": "allowed"})).await;
    let answer = get(&acme, &query("1", &weak)).await.expect(202);
    assert_eq!((&answer["code"], &answer["flags"]), (&json!("accepted_pending"), &json!(["weak_token"])));

    let rejected = format!("{}&status=rejected", query("1r", &weak));
    assert_eq!(get(&acme, &rejected).await.expect(202)["status"], "pending", "nothing of it is final");

    let bound = token(&acme, json!({"allowed_ips": ["127.0.0.1"]})).await;
    get(&acme, &query("2", &bound)).await.expect(201);
    let elsewhere = token(&acme, json!({"allowed_ips": ["192.0.2.1"]})).await;
    get(&acme, &query("3", &elsewhere)).await.refused(403, "source_ip_not_allowed");

    let url = format!("{}/v1/postback", app.base_url);
    let form = |body: String| {
        let form = client().post(&url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        Answer::to(form.body(body))
    };
    form(query("4", &weak)).await.expect(202);
    form(query("5", "")).await.refused(401, "signature_missing");
    get(&acme, &query("5", "")).await.refused(401, "signature_missing");

    let altered = weak.replace("tbt_", "tbk_");
    let mut typo = weak.clone();
    typo.replace_range(40..41, if &weak[40..41] == "0" { "1" } else { "0" });
    for wrong in ["x", "tbt_", altered.as_str(), typo.as_str(), &weak[..80]] {
        let answer = get(&acme, &query("5", wrong)).await;
        assert_eq!(answer.status, 401, "{wrong}: {}", answer.text);
    }
    let lines = json!(acme.agency.all("/v1/postbacks").await).to_string();
    assert!(!lines.contains("tbt_") && !lines.contains(&weak[30..]), "a token is never logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_a_key_of_one_advertiser_that_can_be_rotated_and_revoked() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    set(&acme, json!({"static_token": "allowed"})).await;
    for wrong in [
        json!({"name": "x", "kind": "token"}),
        json!({"name": "x", "kind": "token", "advertiser_ids": []}),
        json!({"name": "x", "kind": "token", "advertiser_ids": [acme.advertiser["id"]], "scopes": ["conversions:write", "status:write"]}),
        json!({"name": "x", "kind": "shoe"}),
    ] {
        acme.agency.post("/v1/signing-keys", wrong).await.refused(422, "validation_failed");
    }
    let first = token(&acme, json!({})).await;
    let listed = acme.agency.get("/v1/signing-keys").await.expect(200);
    assert!(listed["data"][0]["kind"] == "token" && !listed.to_string().contains("tbt_"), "{listed:#}");
    let path = format!("/v1/signing-keys/{}", listed["data"][0]["id"].as_str().unwrap());
    let next = acme.agency.post(&format!("{path}/rotate"), json!({})).await.expect(201);
    let next = next["secret"].as_str().unwrap();
    assert!(next.starts_with("tbt_"));
    for (order, token) in [("1", first.as_str()), ("2", next)] {
        get(&acme, &format!("{}&token={token}", parameters(&click_id, order))).await.expect(202);
    }
    acme.agency.post(&format!("{path}/revoke"), json!({})).await.expect(200);
    let old = get(&acme, &format!("{}&token={first}", parameters(&click_id, "3"))).await;
    old.refused(401, "signature_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advertiser_that_observes_takes_what_enforcing_would_refuse_and_says_so() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let key = json!({"name": "Decides", "advertiser_ids": [acme.advertiser["id"]], "scopes": ["conversions:write", "status:write"]});
    let acme = Acme { key: acme.agency.make("/v1/signing-keys", key).await, ..acme };
    let stranger = Acme {
        key: json!({"id": acme.key["id"], "secret": format!("whsec_{}=", "A".repeat(43))}),
        ..acme.clone()
    };
    stranger.report(sale(&click_id, 1)).await.refused(401, "signature_invalid");

    set(&acme, json!({"signing": "observe"})).await;
    let taken = stranger.report(sale(&click_id, 1)).await.expect(201);
    assert_eq!(taken["flags"], json!(["signature_not_enforced"]));
    acme.report_at(now() - 400, sale(&click_id, 2)).await.expect(201);
    let unsigned =
        client().post(format!("{}/v1/conversions", app.base_url)).header(CONTENT_TYPE, "application/json");
    let unsigned = unsigned.header("x-key-id", acme.signer().key_id);
    Answer::to(unsigned.body(sale(&click_id, 3).to_string())).await.expect(201);
    get(&acme, &format!("{}&key_id={}", parameters(&click_id, "4"), acme.signer().key_id)).await.expect(201);
    acme.report(sale(&click_id, 5)).await.expect(201);

    acme.goal(json!({"event_name": "lead", "default_status": "pending"})).await;
    let decided = json!({"goal": "lead", "click_id": click_id, "status": "approved"});
    let answer = stranger.report(decided.clone()).await.expect(202);
    assert!(
        answer["flags"].to_string().contains("status_not_permitted"),
        "without a signature nothing is decided: {answer:#}"
    );

    let lines = acme.agency.all("/v1/postbacks").await;
    let would: Vec<_> = lines.iter().rev().map(|line| line["not_enforced"].as_str().unwrap_or("-")).collect();
    assert_eq!(
        would,
        [
            "-",
            "signature_invalid",
            "timestamp_out_of_tolerance",
            "signature_missing",
            "signature_invalid",
            "-",
            "signature_invalid"
        ]
    );
    let path = format!("/v1/advertisers/{}/signing", acme.advertiser["id"].as_str().unwrap());
    let forecast = acme.agency.get(&format!("{path}?days=3")).await.expect(200);
    assert_eq!(
        (&forecast["signing"], &forecast["postbacks"], &forecast["would_be_refused"]),
        (&json!("observe"), &json!(6), &json!(5))
    );
    let by: Vec<_> = forecast["by_code_and_key"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["code"].as_str().unwrap(), row["postbacks"].as_i64().unwrap()))
        .collect();
    assert_eq!(by, [("signature_invalid", 3), ("signature_missing", 1), ("timestamp_out_of_tolerance", 1)]);
    acme.agency.get(&format!("{path}?days=91")).await.refused(422, "validation_failed");

    set(&acme, json!({"signing": "enforce"})).await;
    stranger.report(sale(&click_id, 6)).await.refused(401, "signature_invalid");
    let events = acme.agency.all("/v1/audit-events").await;
    let changes = events.iter().filter(|event| event["action"] == "advertiser.signing_changed");
    assert_eq!(
        changes.map(|event| event["details"]["signing"].as_str().unwrap()).collect::<Vec<_>>(),
        ["enforce", "observe"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn observing_is_for_the_advertiser_that_is_meant_and_for_live_keys() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let other = Acme::set_up(acme.agency.clone()).await;
    let click_id = acme.click().await;
    set(&acme, json!({"signing": "observe"})).await;
    let wide = acme.agency.make("/v1/signing-keys", json!({"name": "All"})).await;
    let forged = json!({"id": wide["id"], "secret": format!("whsec_{}=", "A".repeat(43))});
    let forged = Acme { key: forged, ..acme.clone() };
    forged.report(sale(&click_id, 1)).await.refused(401, "signature_invalid");
    let mut named = sale(&click_id, 1);
    named["advertiser"] = other.advertiser["id"].clone();
    forged.report(named.clone()).await.refused(401, "signature_invalid");
    named["advertiser"] = acme.advertiser["id"].clone();
    forged.report(named.clone()).await.expect(201);
    acme.agency
        .post(&format!("/v1/signing-keys/{}/revoke", wide["id"].as_str().unwrap()), json!({}))
        .await
        .expect(200);
    named["order_id"] = json!("2");
    forged.report(named).await.refused(401, "signature_invalid");
}
