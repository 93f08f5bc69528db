//! Clients that take their time: each is let go when its time is over, and nobody waits for them.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tallyback_server::{clock::Clock, config::Config};
use tallyback_tests::{Acme, Answer, Process, Raw, TestApp, TestDatabase, Visit, client};
use tokio::{task::JoinSet, time::timeout};

use super::tallyback;

const SLOW: usize = 300;
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that waits for nobody for longer than a moment.
async fn impatient() -> TestApp {
    TestApp::with(Clock::System, impatiently).await
}

fn impatiently(config: &mut Config) {
    config.limits.head = Duration::from_millis(1_000);
    config.limits.body = Duration::from_millis(1_000);
    config.limits.idle = Duration::from_millis(1_500);
    config.limits.quiet = Duration::from_millis(2_000);
}

const LIVE: &str = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
const REPORT: &str = "POST /v1/conversions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                      content-length: 100\r\n\r\n{\"goal\":";

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_head_is_answered_408() {
    let app = impatient().await;
    for start in ["", "GET /livez HT", "GET /livez HTTP/1.1\r\nhost: x\r\nx-a: "] {
        let answer = Raw::sending(&app.base_url, start).await.until_closed().await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{start:?}: {answer:?}");
    }
    let dribbling = Raw::sending(&app.base_url, "GET /livez HTTP/1.1\r\n").await.dribble("x-a: b\r\n");
    timeout(PATIENCE, dribbling).await.expect("the server closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_head_of_a_second_request_ends_the_connection() {
    let app = impatient().await;
    let mut raw = Raw::sending(&app.base_url, LIVE).await;
    assert!(raw.answer().await.starts_with("HTTP/1.1 200 "));
    raw.send("GET /livez HTTP/1.1\r\nx-a: ").await;
    assert_eq!(raw.until_closed().await, "");

    let mut raw = Raw::sending(&app.base_url, LIVE).await;
    assert!(raw.answer().await.starts_with("HTTP/1.1 200 "));
    timeout(PATIENCE, raw.dribble("x")).await.expect("the server closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_is_answered_408_with_a_problem_document() {
    let app = impatient().await;
    let acme = app.acme().await;
    let set_up = format!(
        "POST /v1/publishers HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 100\r\n\r\n{{",
        acme.agency.api_key
    );
    for request in [REPORT, &set_up] {
        let answer = Raw::sending(&app.base_url, request).await.until_closed().await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 408 ") && head.contains("application/problem+json"), "{answer}");
        let problem: Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["code"], "request_timeout", "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_nobody_reads_does_not_keep_a_connection() {
    let app = impatient().await;
    let head = "GET /livez HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut raw = Raw::sending(&app.base_url, head).await;
    assert!(raw.answer().await.starts_with("HTTP/1.1 200 "));
    timeout(PATIENCE, raw.dribble("1\r\na\r\n")).await.expect("the server closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_rests_is_closed_and_one_that_works_is_not() {
    let app = impatient().await;
    let mut raw = Raw::sending(&app.base_url, LIVE).await;
    raw.answer().await;
    assert_eq!(raw.until_closed().await, "");

    let mut busy = Raw::connect(&app.base_url).await;
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        busy.send(LIVE).await;
        assert!(busy.answer().await.starts_with("HTTP/1.1 200 "));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_do_not_hold_up_healthy_ones() {
    let app = TestApp::with(Clock::System, |config| {
        impatiently(config);
        // The healthy ones share the machine with the slow ones.
        config.limits.head = Duration::from_secs(5);
    })
    .await;
    let acme = app.acme().await;
    let mut slow = JoinSet::new();
    for number in 0..SLOW {
        let start = ["GET /livez HTTP/1.1\r\nx-a: ", REPORT, "GET /c/"][number % 3];
        let base_url = app.base_url.clone();
        slow.spawn(async move { Raw::sending(&base_url, start).await.dribble("a").await });
    }
    while app.metric("tallyback_connections").await < SLOW as f64 / 2.0 && !slow.is_empty() {
        tokio::task::yield_now().await;
    }
    let browser = client();
    let visits = (0..50).map(|_| Answer::to(browser.get(acme.click_url())));
    let clicks: Vec<_> =
        join_all(visits).await.into_iter().map(|answer| Visit::of(answer).click_id()).collect();
    let sdk = acme.sdk();
    let sales = clicks.iter().zip(0..).map(|(click, n)| {
        let (sdk, sale) = (&sdk, Acme::sale(click, &format!("A-{n}")));
        async move { sdk.record(&sale).await }
    });
    assert!(join_all(sales).await.iter().all(Result::is_ok));
    timeout(PATIENCE, slow.join_all()).await.expect("every slow one is let go");
    acme.agency.report_until("", "/totals/conversions/total", json!(50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_connections_may_rest() {
    let files = tallyback_server::app::raise_open_files();
    // The server needs two for each connection.
    let resting = 10_000.min((files.saturating_sub(1_000) / 2) as usize);
    let database = TestDatabase::create().await;
    let server = Process::serve(tallyback(), &database, &[]).await;
    let acme = Acme::set_up(server.agency(&database).await).await;
    let mut connections = Vec::with_capacity(resting);
    for _ in 0..resting {
        let mut raw = Raw::sending(&server.base_url, LIVE).await;
        assert!(raw.answer().await.starts_with("HTTP/1.1 200 "));
        connections.push(raw);
    }
    let sdk = acme.sdk();
    for number in 0..20 {
        sdk.record(&Acme::sale(&acme.click().await, &format!("A-{number}"))).await.unwrap();
    }
    for raw in &mut connections {
        raw.send(LIVE).await;
        assert!(raw.answer().await.starts_with("HTTP/1.1 200 "), "they are not forgotten");
    }
    server.kill().await;
    println!("{resting} connections rested, with {files} files");
}
