//! What the server tells its operator's monitoring.

use std::time::Duration;

use reqwest::header::USER_AGENT;
use serde_json::json;
use tallyback_tests::{Acme, Answer, BROWSER, Process, TestApp, TestDatabase, client, visit};

use super::tallyback;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_told_in_figures() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    for agent in [BROWSER, "Googlebot/2.1", "Slackbot-LinkExpanding 1.0"] {
        client().get(acme.click_url()).header(USER_AGENT, agent).send().await.unwrap();
    }
    let (_, code) = acme.link["click_url"].as_str().unwrap().rsplit_once('/').unwrap();
    client().get(format!("{}/i/{code}", app.base_url)).send().await.unwrap();
    assert_eq!(visit(&format!("{}/c/0000000", app.base_url)).await.status, 404);
    acme.sdk().record(&Acme::sale(&click_id, "A-1")).await.unwrap();
    acme.sdk().record(&Acme::sale(&click_id, "A-1")).await.unwrap();
    acme.report(json!({"goal": "nonsense", "click_id": click_id})).await.refused(422, "goal_mismatch");
    acme.agency.get("/v1/clicks").await.expect(200);
    acme.agency.get("/v1/nothing").await.refused(404, "not_found");

    for (name, value) in [
        ("tallyback_clicks_total{class=\"human\"}", 2.0),
        ("tallyback_clicks_total{class=\"bot\"}", 2.0),
        ("tallyback_clicks_total{class=\"prefetch\"}", 0.0),
        ("tallyback_impressions_total{class=\"human\"}", 1.0),
        ("tallyback_unrecorded_visits_total{reason=\"unknown_link\"}", 1.0),
        ("tallyback_unrecorded_visits_total{reason=\"untracked\"}", 0.0),
        ("tallyback_spool_entries", 0.0),
        ("tallyback_queue_requests{kind=\"impression\"}", 0.0),
        ("tallyback_batch_requests_sum{kind=\"impression\"}", 1.0),
        ("tallyback_postbacks_total{code=\"accepted\"}", 1.0),
        ("tallyback_postbacks_total{code=\"duplicate\"}", 1.0),
        ("tallyback_postbacks_total{code=\"goal_mismatch\"}", 1.0),
        ("tallyback_requests_total{purpose=\"click\",status=\"302\"}", 4.0),
        ("tallyback_requests_total{purpose=\"click\",status=\"200\"}", 1.0),
        ("tallyback_requests_total{purpose=\"click\",status=\"404\"}", 1.0),
        ("tallyback_requests_total{purpose=\"postback\",status=\"201\"}", 1.0),
        ("tallyback_requests_total{purpose=\"management\",status=\"200\"}", 1.0),
        ("tallyback_requests_total{purpose=\"management\",status=\"404\"}", 1.0),
        ("tallyback_requests_shed_total{purpose=\"click\"}", 0.0),
        ("tallyback_queue_requests{kind=\"click\"}", 0.0),
        ("tallyback_queue_requests{kind=\"postback\"}", 0.0),
        ("tallyback_in_flight_requests{kind=\"other\"}", 0.0),
        ("tallyback_batch_requests_sum{kind=\"click\"}", 4.0),
        ("tallyback_batch_requests_sum{kind=\"postback\"}", 3.0),
        ("tallyback_batch_requests_bucket{le=\"500.0\",kind=\"postback\"}", 3.0),
        ("tallyback_commit_seconds_count{kind=\"postback\"}", 3.0),
    ] {
        assert_eq!(app.metric(name).await, value, "{name}");
    }
    assert!(app.metric("tallyback_commit_seconds_sum{kind=\"click\"}").await > 0.0);
    assert!(app.metric("process_resident_memory_bytes").await > 1e6);
    assert!(app.metric("tallyback_connections").await >= 1.0, "the API's client keeps its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_the_form_that_prometheus_reads_and_name_nobody() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    acme.sdk().record(&Acme::sale(&click_id, "A-1")).await.unwrap();
    acme.agency.get("/v1/reports").await.expect(200);
    let answer = Answer::to(client().get(&app.metrics_url)).await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let (samples, told): (Vec<_>, Vec<_>) = answer.text.lines().partition(|line| !line.starts_with('#'));
    assert_eq!(told.last(), Some(&"# EOF"));
    for sample in samples {
        let (name, value) = sample.rsplit_once(' ').unwrap();
        let (name, _) = name.split_once('{').unwrap_or((name, ""));
        assert!(value.parse::<f64>().is_ok(), "{sample}");
        let family = ["_total", "_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let declared = format!("# TYPE {} ", family.unwrap_or(name));
        assert!(told.iter().any(|line| line.starts_with(&declared)), "{sample}");
    }
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let (_, code) = acme.link["click_url"].as_str().unwrap().rsplit_once('/').unwrap();
    for word in [
        &acme.agency.id,
        &acme.agency.api_key,
        &text(&acme.key["id"]),
        &text(&acme.key["secret"]),
        &text(&acme.advertiser["id"]),
        &text(&acme.link["id"]),
        code,
        &click_id,
        "purchase",
        "Acme",
    ] {
        assert!(!answer.text.contains(word), "{word} is told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_an_address_of_their_own_or_none() {
    let database = TestDatabase::create().await;
    let mut server = Process::serve(tallyback(), &database, &["--metrics", "127.0.0.1:0"]).await;
    let line = server.logged("metrics on ").await;
    let (_, url) = line.split_once("metrics on ").unwrap();
    let told = Answer::to(client().get(url.trim())).await;
    assert!(told.status == 200 && told.text.contains("tallyback_requests"), "{}", told.text);
    assert_eq!(Answer::to(client().get(format!("{}/metrics", server.base_url))).await.status, 404);
    let elsewhere = url.trim().replace("/metrics", "/livez");
    assert_eq!(Answer::to(client().get(elsewhere)).await.status, 404);
    server.signal("TERM").await;
    let (status, log) = tokio::time::timeout(Duration::from_secs(25), server.end()).await.unwrap();
    assert!(status.success(), "{log}");
}
