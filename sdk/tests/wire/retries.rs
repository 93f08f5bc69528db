//! When a report is sent again, and what stays the same then.

use std::time::{Duration, SystemTime};

use serde_json::json;
use standardwebhooks::Webhook;
use tallyback::{Code, Error, Outcome, TransportError, TransportStep};

use crate::fake_server::{FakeServer, Reply, Request};
use crate::{SECRET, builder, client, sale};

fn unavailable() -> Reply {
    let body = json!({"result": "rejected", "code": "unavailable", "message": "Not now.", "retry": "yes"});
    Reply::json(503, body)
}

fn rate_limited() -> Reply {
    Reply::json(429, json!({"result": "rejected", "code": "rate_limited", "message": "Slower."}))
}

fn gap(requests: &[Request]) -> Duration {
    requests[1].at - requests[0].at
}

#[tokio::test]
async fn each_attempt_has_the_same_id_and_body_and_its_own_signature() {
    let server =
        FakeServer::start([unavailable().header("retry-after", "1"), Reply::Drop, Reply::accepted()]).await;
    client(&server).record(&sale()).await.unwrap();

    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    for request in &requests {
        assert_eq!(request.headers["webhook-id"], requests[0].headers["webhook-id"]);
        assert_eq!(request.body, requests[0].body);
        let timestamp = request.headers["webhook-timestamp"].parse().unwrap();
        let id = &request.headers["webhook-id"];
        let signature = Webhook::new(SECRET).unwrap().sign(id, timestamp, request.body.as_bytes()).unwrap();
        assert_eq!(request.headers["webhook-signature"], signature);
    }
    assert_ne!(requests[0].headers["webhook-timestamp"], requests[1].headers["webhook-timestamp"]);
    assert_ne!(requests[0].headers["webhook-signature"], requests[1].headers["webhook-signature"]);
}

#[tokio::test]
async fn retry_after_in_seconds_is_waited_for() {
    let server = FakeServer::start([unavailable().header("retry-after", "1"), Reply::accepted()]).await;
    client(&server).record(&sale()).await.unwrap();
    let gap = gap(&server.requests());
    assert!((1000..3000).contains(&gap.as_millis()), "{gap:?}");
}

#[tokio::test]
async fn retry_after_as_a_date_is_waited_for() {
    let date = SystemTime::now() + Duration::from_secs(2);
    let date = jiff::Timestamp::try_from(date).unwrap();
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date).unwrap();
    let server = FakeServer::start([rate_limited().header("retry-after", &date), Reply::accepted()]).await;
    client(&server).record(&sale()).await.unwrap();
    let gap = gap(&server.requests());
    assert!((900..4000).contains(&gap.as_millis()), "{gap:?}");
}

#[tokio::test]
async fn without_retry_after_the_first_wait_is_short() {
    let server = FakeServer::start([unavailable(), Reply::accepted()]).await;
    client(&server).record(&sale()).await.unwrap();
    let gap = gap(&server.requests());
    assert!(gap < Duration::from_millis(1000), "{gap:?}");
}

#[tokio::test]
async fn passing_trouble_of_any_kind_is_tried_again() {
    for status in [408, 429, 500, 502, 503, 504] {
        let trouble = Reply::answer(status, "text/html", "<h1>Bad gateway</h1>");
        let server = FakeServer::start([trouble, Reply::accepted()]).await;
        let recorded = client(&server).record(&sale()).await.unwrap();
        assert_eq!(recorded.outcome, Outcome::Accepted, "{status}");
        assert_eq!(server.requests().len(), 2, "{status}");
    }
}

#[tokio::test]
async fn a_broken_connection_is_tried_again_and_may_come_back_as_a_duplicate() {
    let duplicate = json!({"result": "accepted", "code": "duplicate", "message": "Counted before.",
        "conversion_id": "cv_1", "postback_id": "pb_2", "status": "approved"});
    for broken in [Reply::Drop, Reply::HalfAnswer] {
        let server = FakeServer::start([broken, Reply::json(200, duplicate.clone())]).await;
        let recorded = client(&server).record(&sale()).await.unwrap();
        assert_eq!(recorded.outcome, Outcome::Duplicate);
        assert_eq!(recorded.conversion_id.as_deref(), Some("cv_1"));
        assert_eq!(server.requests().len(), 2);
    }
}

#[tokio::test]
async fn a_timeout_is_tried_again() {
    let server = FakeServer::start([Reply::Hang, Reply::accepted()]).await;
    let client = builder(&server.url()).timeout(Duration::from_millis(500)).build().unwrap();
    client.record(&sale()).await.unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn after_the_last_attempt_the_last_answer_is_told() {
    let server = FakeServer::start([unavailable()]).await;
    let error = client(&server).record(&sale()).await.unwrap_err();
    assert_eq!(server.requests().len(), 3);
    assert_eq!(error.refusal().unwrap().code, Code::Unavailable);
    assert!(
        matches!(error, Error::Unavailable { status: 503, attempts: 3, retry_after: None, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn no_retries_means_one_attempt() {
    let server = FakeServer::start([rate_limited().header("retry-after", "120")]).await;
    let client = builder(&server.url()).retries(0).build().unwrap();
    let error = client.record(&sale()).await.unwrap_err();
    assert_eq!(server.requests().len(), 1);
    let Error::Unavailable { retry_after, attempts: 1, .. } = error else { panic!("{error:?}") };
    assert_eq!(retry_after, Some(Duration::from_secs(120)));
}

fn transport(error: Error) -> TransportError {
    match error {
        Error::Transport(error) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_hanging_server_is_a_timeout_in_the_end() {
    let server = FakeServer::start([Reply::Hang]).await;
    let client = builder(&server.url()).timeout(Duration::from_millis(200)).retries(1).build().unwrap();
    let error = transport(client.record(&sale()).await.unwrap_err());
    assert_eq!((error.step, error.attempts), (TransportStep::Timeout, 2));
}

#[tokio::test]
async fn a_closed_port_is_tried_again_and_told_without_secrets() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = builder(&format!("{url}/hush")).build().unwrap();
    let error = transport(client.record(&sale()).await.unwrap_err());
    assert_eq!((error.step, error.attempts), (TransportStep::Connect, 3));
    assert_eq!(error.origin, url);
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("refused"), "{shown}");
    for secret in ["hush", "C2FVsBQI", "key_1", "v1,"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
