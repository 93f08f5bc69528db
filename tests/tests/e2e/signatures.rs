//! Who may report: signatures, timestamps, keys, and the way the request came.

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tallyback_server::{clock::Clock, config::Config};
use tallyback_tests::{Acme, Answer, TestApp, client, now};

fn sale(click_id: &str) -> Value {
    json!({"goal": "purchase", "click_id": click_id, "order_id": "A-1", "amount": "49.90", "currency": "EUR"})
}

async fn send(acme: &Acme, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut request = client().post(format!("{}/v1/conversions", acme.agency.base_url));
    request = request.header(CONTENT_TYPE, "application/json").body(body.to_vec());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::to(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_message_is_refused_with_one_answer() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let signer = acme.signer();
    let body = sale(&acme.click().await).to_string();
    let (id, at) = ("msg_1", now().to_string());
    let good = signer.signature(id, now(), body.as_bytes());
    let headers = |key: &'static str, value: &str| {
        let mut headers = vec![
            ("x-key-id", signer.key_id.clone()),
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", at.clone()),
            ("webhook-signature", good.clone()),
        ];
        headers.iter_mut().filter(|(name, _)| *name == key).for_each(|(_, old)| *old = value.to_owned());
        headers
    };
    let send = async |headers: Vec<(&'static str, String)>, body: &[u8]| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        send(&acme, &headers, body).await
    };

    let mut answers = Vec::new();
    let unknown = "key_00000000000000000000000000";
    for (name, value) in [
        ("webhook-id", "msg_2"),
        ("webhook-timestamp", &(now() - 1).to_string()),
        ("x-key-id", unknown),
        ("x-key-id", "nonsense"),
    ] {
        answers.push(send(headers(name, value), body.as_bytes()).await.refused(401, "signature_invalid"));
    }
    for altered in [body.replace("49.90", "49.91"), format!("{body} "), body.replace("49.90", "49.9")] {
        answers.push(send(headers("", ""), altered.as_bytes()).await.refused(401, "signature_invalid"));
    }
    for bad in [
        "v1",
        "v1,",
        ",v1",
        &good[..11],
        &good.replace("v1,", "v0,"),
        &good.replace("v1,", "v1a,"),
        &format!("{good}A"),
        &good.to_lowercase(),
        " ",
        &"v1,AAAA ".repeat(900),
    ] {
        answers.push(
            send(headers("webhook-signature", bad), body.as_bytes()).await.refused(401, "signature_invalid"),
        );
    }
    for answer in &mut answers {
        answer.as_object_mut().unwrap().remove("request_id");
        assert!(answer["postback_id"].is_null());
    }
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:#?}");
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 0);

    for name in ["x-key-id", "webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut incomplete = headers("", "");
        incomplete.retain(|(header, _)| *header != name);
        send(incomplete, body.as_bytes()).await.refused(401, "signature_missing");
    }
    for good in [good.clone(), format!("v1,AAAA {good}"), format!("v0,zzz v1a,zzz {good} v1,AAAA")] {
        let answer = send(headers("webhook-signature", &good), body.as_bytes()).await;
        assert!([200, 201].contains(&answer.status), "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_standard_webhooks_library_can_sign() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let (signer, body) = (acme.signer(), sale(&acme.click().await).to_string());
    let signature = Webhook::new(&signer.secret).unwrap().sign("msg_1", now(), body.as_bytes()).unwrap();
    let at = now().to_string();
    let headers = [
        ("x-key-id", signer.key_id.as_str()),
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", &at),
        ("webhook-signature", &signature),
    ];
    send(&acme, &headers, body.as_bytes()).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timestamp_has_a_tolerance() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let server = app.clock.now().seconds();
    for apart in [-301, 301, -86_400] {
        let problem =
            acme.report_at(server + apart, sale(&click_id)).await.refused(401, "timestamp_out_of_tolerance");
        assert_eq!((&problem["server_time"], &problem["retry"]), (&json!(server), &json!("re_sign")));
    }
    acme.report_at(server * 1_000, sale(&click_id)).await.refused(401, "timestamp_out_of_tolerance");
    acme.report_at(server - 299, sale(&click_id)).await.expect(201);
    assert_eq!(acme.report_at(server + 299, sale(&click_id)).await.expect(200)["code"], "duplicate");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_signed_message_again_is_a_duplicate() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let body = sale(&acme.click().await).to_string();
    let at = now();
    let once = async || {
        let request = client()
            .post(format!("{}/v1/conversions", app.base_url))
            .header(CONTENT_TYPE, "application/json");
        Answer::to(acme.signer().sign(request, "msg_replayed", at, body.as_bytes())).await
    };
    let first = once().await.expect(201);
    for _ in 0..3 {
        let again = once().await.expect(200);
        assert_eq!((&again["code"], &again["conversion_id"]), (&json!("duplicate"), &first["conversion_id"]));
    }
    let retried = acme.sdk().record_with_id(&Acme::sale("cut", "A-1"), "msg_replayed").await;
    assert!(retried.is_err(), "another body under the same message id is another message");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_works_until_it_is_revoked_and_for_its_advertisers_alone() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let stranger = app.acme().await;
    let click_id = acme.click().await;

    let foreign = Acme { key: stranger.key.clone(), ..app.acme().await };
    foreign.report(sale(&click_id)).await.refused(404, "click_not_found");
    assert_eq!(acme.agency.all("/v1/postbacks").await.len(), 0, "the line is the stranger's");
    assert_eq!(stranger.agency.all("/v1/postbacks?code=click_not_found").await.len(), 1);

    let weak = acme
        .agency
        .make("/v1/signing-keys", json!({"name": "No conversions", "scopes": ["logs:read"]}))
        .await;
    let weak = Acme { key: weak, ..Acme::set_up(acme.agency.clone()).await };
    weak.report(sale(&click_id)).await.refused(403, "scope_missing");

    let second = acme
        .agency
        .make("/v1/signing-keys", json!({"name": "Next", "advertiser_ids": [acme.advertiser["id"]]}))
        .await;
    acme.agency
        .post(&format!("/v1/signing-keys/{}/revoke", acme.key["id"].as_str().unwrap()), json!({}))
        .await
        .expect(200);
    acme.report(sale(&click_id)).await.refused(401, "signature_invalid");
    let acme = Acme { key: second, ..acme };
    acme.report(sale(&click_id)).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_is_refused_off_loopback() {
    let behind_a_proxy = |config: &mut Config| config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let app = TestApp::with(Clock::System, behind_a_proxy).await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let body = sale(&click_id).to_string();
    let send = async |forwarded: &[(&'static str, &'static str)]| {
        let mut request = client()
            .post(format!("{}/v1/conversions", app.base_url))
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in forwarded {
            request = request.header(*name, *value);
        }
        Answer::to(acme.signer().sign(request, "msg_1", now(), body.as_bytes())).await
    };
    let visitor = ("x-forwarded-for", "198.51.100.7");
    send(&[visitor]).await.refused(403, "https_required");
    send(&[visitor, ("x-forwarded-proto", "http")]).await.refused(403, "https_required");
    send(&[visitor, ("x-forwarded-proto", "https, http")]).await.refused(403, "https_required");
    send(&[visitor, ("x-forwarded-proto", "https")]).await.expect(201);

    let query = acme
        .signer()
        .query(&format!("goal=purchase&click_id={click_id}&order_id=A-2&amount=1&currency=EUR"), now());
    let plain = client()
        .get(format!("{}/v1/postback?{query}", app.base_url))
        .header("x-forwarded-for", "198.51.100.7");
    Answer::to(plain).await.refused(403, "https_required");
    let plain =
        client().get(format!("{}/v1/campaigns", app.base_url)).header("x-forwarded-for", "198.51.100.7");
    Answer::to(plain.bearer_auth(&acme.agency.api_key)).await.refused(403, "https_required");
}
