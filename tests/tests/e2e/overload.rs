//! Too much at once: who is turned away, how, and that the others are served.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tallyback_server::{clock::Clock, config::Limits};
use tallyback_tests::{Acme, Answer, Raw, TestApp, client};

const AT_ONCE: usize = 100;
const MOST_STORMS: usize = 20;

/// A server with room for very few.
async fn small() -> TestApp {
    TestApp::with(Clock::System, |config| {
        config.limits = Limits { clicks: 4, postbacks: 2, management: 2, ..Limits::default() };
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_beyond_the_bound_are_turned_away_and_the_others_are_stored() {
    let app = small().await;
    let acme = app.acme().await;
    let browser = client();
    let (mut stored, mut shed) = (0, 0);
    for _ in 0..MOST_STORMS {
        let answers = join_all((0..AT_ONCE).map(|_| Answer::to(browser.get(acme.click_url())))).await;
        for answer in &answers {
            match answer.status {
                302 => stored += 1,
                503 => {
                    shed += 1;
                    assert_eq!(answer.header("retry-after"), Some("1"));
                    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
                    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
                }
                other => panic!("{other}: {}", answer.text),
            }
        }
        if shed > 0 {
            break;
        }
    }
    assert!(shed > 0 && stored > 0, "{shed} {stored}");
    assert_eq!(acme.agency.all("/v1/clicks").await.len(), stored);
    let shed = shed as f64;
    assert_eq!(app.metric("tallyback_requests_shed_total{purpose=\"click\"}").await, shed);
    assert_eq!(app.metric("tallyback_requests_total{purpose=\"click\",status=\"503\"}").await, shed);
    for _ in 0..10 {
        acme.click().await;
    }
}

/// Requests that are in until somebody sends the rest of their bodies.
async fn waiting(app: &TestApp, head: &str, kind: &str, requests: usize) -> Vec<Raw> {
    let head = format!("{head}host: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{");
    let mut waiting = Vec::new();
    for _ in 0..requests {
        waiting.push(Raw::sending(&app.base_url, &head).await);
    }
    let metric = format!("tallyback_in_flight_requests{{kind=\"{kind}\"}}");
    app.metric_is(&metric, requests).await;
    waiting
}

#[tokio::test(flavor = "multi_thread")]
async fn postbacks_beyond_the_bound_are_turned_away_unread() {
    let app = small().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let sale = |order: &str| json!({"goal": "purchase", "click_id": click_id, "order_id": order, "amount": "1", "currency": "EUR"});
    let mut waiting = waiting(&app, "POST /v1/conversions HTTP/1.1\r\n", "postback", 2).await;
    let turned_away = acme.report(sale("A-1")).await;
    assert_eq!((turned_away.header("retry-after"), turned_away.header("connection")), (Some("1"), None));
    let problem = turned_away.refused(503, "unavailable");
    assert_eq!((&problem["result"], &problem["retry"]), (&json!("rejected"), &json!("yes")));
    assert!(problem["request_id"].is_string() && problem["postback_id"].is_null());
    let unsigned = client().get(format!("{}/v1/postback?format=text", app.base_url));
    let plain = Answer::to(unsigned).await;
    assert_eq!((plain.status, plain.text.as_str()), (503, "ERR unavailable"));

    // Clicks and the REST API go on.
    acme.click().await;
    acme.agency.get("/v1/conversions").await.expect(200);

    for raw in &mut waiting {
        raw.send("}").await;
        assert!(raw.answer().await.starts_with("HTTP/1.1 401 "), "it was let in, and is not signed");
    }
    for order in ["A-1", "A-2", "A-3"] {
        acme.sdk().record(&Acme::sale(&click_id, order)).await.unwrap();
    }
    let log: Vec<Value> = acme.agency.all("/v1/postbacks").await;
    assert!(log.iter().all(|line| line["http_status"] != 503), "who is turned away leaves no line");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_api_is_turned_away_before_clicks_and_postbacks() {
    let app = small().await;
    let acme = app.acme().await;
    let key = &acme.agency.api_key;
    let head = format!("POST /v1/publishers HTTP/1.1\r\nauthorization: Bearer {key}\r\n");
    let mut waiting = waiting(&app, &head, "other", 2).await;
    let turned_away = acme.agency.get("/v1/campaigns").await;
    assert_eq!(turned_away.header("retry-after"), Some("1"));
    turned_away.refused(503, "unavailable");
    Answer::to(client().get(format!("{}/docs", app.base_url))).await.refused(503, "unavailable");

    let click_id = acme.click().await;
    acme.sdk().record(&Acme::sale(&click_id, "A-1")).await.unwrap();
    for path in ["/livez", "/readyz"] {
        Answer::to(client().get(format!("{}{path}", app.base_url))).await.expect(200);
    }
    for raw in &mut waiting {
        raw.send("}").await;
        assert!(raw.answer().await.starts_with("HTTP/1.1 422 "), "it was let in, and names nothing");
    }
    acme.agency.get("/v1/campaigns").await.expect(200);
}
