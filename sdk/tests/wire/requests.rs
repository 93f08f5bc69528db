//! The exact request.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use standardwebhooks::Webhook;
use tallyback::{Conversion, Error, Outcome};

use crate::fake_server::{FakeServer, Reply, Request};
use crate::{KEY_ID, SECRET, builder, client, sale};

fn assert_signed(request: &Request) {
    let mut headers = reqwest::header::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, request.headers[name].parse().unwrap());
    }
    Webhook::new(SECRET).unwrap().verify(request.body.as_bytes(), &headers).unwrap();
}

#[tokio::test]
async fn a_report_is_one_signed_json_post() {
    let server = FakeServer::start([Reply::accepted()]).await;
    let recorded = client(&server).record(&sale()).await.unwrap();
    assert_eq!(recorded.outcome, Outcome::Accepted);
    assert_eq!(recorded.conversion_id.as_deref(), Some("cv_1"));

    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    assert_eq!(request.line, "POST /v1/conversions HTTP/1.1");
    assert_eq!(
        request.body,
        r#"{"goal":"purchase","click_id":"1abc","order_id":"A-1001","amount":"49.90","currency":"EUR"}"#
    );
    let names: Vec<&str> = request.headers.keys().map(String::as_str).collect();
    let expected = [
        "accept",
        "content-length",
        "content-type",
        "host",
        "user-agent",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
        "x-key-id",
    ];
    assert_eq!(names, expected);
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["x-key-id"], KEY_ID);
    assert_eq!(request.headers["user-agent"], concat!("tallyback-rust/", env!("CARGO_PKG_VERSION")));
    assert!(request.headers["webhook-id"].starts_with("msg_"));
    assert_signed(request);
}

#[tokio::test]
async fn the_timestamp_is_the_clocks_in_seconds() {
    let server = FakeServer::start([Reply::accepted()]).await;
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    client(&server).record(&sale()).await.unwrap();
    let sent: u64 = server.requests()[0].headers["webhook-timestamp"].parse().unwrap();
    assert!((before..before + 5).contains(&sent), "{sent}");
}

#[tokio::test]
async fn each_report_has_an_id_of_its_own() {
    let server = FakeServer::start([Reply::accepted()]).await;
    let client = client(&server);
    client.record(&sale()).await.unwrap();
    client.clone().record(&sale()).await.unwrap();
    let requests = server.requests();
    assert_ne!(requests[0].headers["webhook-id"], requests[1].headers["webhook-id"]);
}

#[tokio::test]
async fn a_callers_own_id_is_sent_and_signed() {
    let server = FakeServer::start([Reply::accepted()]).await;
    client(&server).record_with_id(&sale(), "order-A-1001").await.unwrap();
    let request = &server.requests()[0];
    assert_eq!(request.headers["webhook-id"], "order-A-1001");
    assert_signed(request);
}

#[tokio::test]
async fn a_dry_run_says_so_in_the_signed_body() {
    let validated = json!({"result": "accepted", "code": "validated", "message": "Would be counted."});
    let server = FakeServer::start([Reply::json(200, validated)]).await;
    let answer = client(&server).validate(&sale()).await.unwrap();
    assert_eq!(answer.outcome, Outcome::Validated);
    assert_eq!(answer.conversion_id, None);
    let request = &server.requests()[0];
    assert!(request.body.ends_with(r#","validate_only":true}"#), "{}", request.body);
    assert_signed(request);
}

#[tokio::test]
async fn text_beyond_ascii_arrives_as_it_was_signed() {
    let server = FakeServer::start([Reply::accepted()]).await;
    client(&server).record(&sale().coupon("früh\n\"10 %\" 🐝")).await.unwrap();
    let request = &server.requests()[0];
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(body["coupon"], "früh\n\"10 %\" 🐝");
    assert_signed(request);
}

#[tokio::test]
async fn the_endpoint_lies_below_the_base_path() {
    let server = FakeServer::start([Reply::accepted()]).await;
    let client = builder(&format!("{}/track/", server.url())).build().unwrap();
    client.record(&sale()).await.unwrap();
    assert_eq!(server.requests()[0].line, "POST /track/v1/conversions HTTP/1.1");
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_sent() {
    let server = FakeServer::start([Reply::accepted()]).await;
    let client = client(&server);
    let results = [
        client.record(&Conversion::new("lead").adv_sub(9, "x")).await,
        client.record(&Conversion::new("lead").metadata(json!("x"))).await,
        client.record_with_id(&sale(), "a.b").await,
    ];
    for result in results {
        assert!(matches!(result, Err(Error::NotSent { .. })), "{result:?}");
    }
    assert!(server.requests().is_empty());
}
