//! Money of goals by publisher and country: the most specific wins, and answers say which.

use serde_json::{Value, json};
use tallyback_server::clock::Clock;
use tallyback_tests::{Acme, TestApp};

use super::{clicks::fetch, geo_file};

const GERMANY: &str = "198.51.100.7";
const ELSEWHERE: &str = "203.0.113.7";

async fn click_from(acme: &Acme, address: &str) -> String {
    let headers = [("user-agent", tallyback_tests::BROWSER), ("x-forwarded-for", address)];
    fetch(reqwest::Method::GET, &acme.click_url(), &headers).await.click_id()
}

fn fixed(amount: &str) -> Value {
    json!({"type": "fixed", "amount": amount})
}

/// A server that knows where Germany is.
async fn app_with_countries(file: &tempfile::NamedTempFile) -> TestApp {
    std::fs::write(file.path(), geo_file::country([198, 51, 100], "DE")).unwrap();
    let path = file.path().to_owned();
    TestApp::with(Clock::System, |config| {
        config.geo_database = Some(path);
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_specific_rule_wins_and_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let app = app_with_countries(&file).await;
    let acme = app.acme().await;
    let publisher = acme.publisher["id"].as_str().unwrap();
    let goal = acme
        .goal(json!({"event_name": "lead", "currency": "EUR", "payout": fixed("1"), "revenue": fixed("10")}))
        .await;
    assert_eq!(goal["overrides"], json!([]));
    let path = format!("/v1/goals/{}", goal["id"].as_str().unwrap());
    let (of_publisher, of_country, of_both) = (
        format!("publisher:{publisher}"),
        "country:DE".to_owned(),
        format!("publisher:{publisher}+country:DE"),
    );
    let other = acme.agency.make("/v1/publishers", json!({"name": "Other", "external_id": "other"})).await;
    let country = json!({"country": "de", "payout": fixed("2"), "revenue": fixed("20")});
    let by_publisher = json!({"publisher_id": publisher, "payout": fixed("3")});
    let both =
        json!({"publisher_id": publisher, "country": "DE", "payout": {"type": "percent", "percent": "50"}});
    let of_other = json!({"publisher_id": "ext:other", "payout": fixed("9")});
    for (overrides, address, payout, revenue) in [
        (json!([]), GERMANY, ("1.00", "goal"), ("10.00", "goal")),
        (json!([of_other]), GERMANY, ("1.00", "goal"), ("10.00", "goal")),
        (json!([of_other, country]), GERMANY, ("2.00", &*of_country), ("20.00", &*of_country)),
        (json!([of_other, country]), ELSEWHERE, ("1.00", "goal"), ("10.00", "goal")),
        (json!([country, by_publisher]), GERMANY, ("3.00", &*of_publisher), ("20.00", &*of_country)),
        (json!([by_publisher, country, both]), GERMANY, ("4.00", &*of_both), ("20.00", &*of_country)),
        (json!([both, by_publisher, country]), ELSEWHERE, ("3.00", &*of_publisher), ("10.00", "goal")),
    ] {
        let changed = acme.agency.patch(&path, json!({"overrides": overrides})).await.expect(200);
        assert_eq!(changed["overrides"].as_array().unwrap().len(), overrides.as_array().unwrap().len());
        let click_id = click_from(&acme, address).await;
        let lead = json!({"goal": "lead", "click_id": click_id, "amount": "8", "currency": "EUR"});
        let made = acme.report(lead).await.expect(201);
        assert_eq!(
            (&made["payout_rule"], &made["revenue_rule"]),
            (&json!(payout.1), &json!(revenue.1)),
            "{overrides}"
        );
        let id = made["conversion_id"].as_str().unwrap();
        let shown = acme.agency.get(&format!("/v1/conversions/{id}")).await.expect(200);
        let told =
            ["payout", "payout_rule", "revenue", "revenue_rule"].map(|name| shown[name].as_str().unwrap());
        assert_eq!(told, [payout.0, payout.1, revenue.0, revenue.1], "{overrides} {address}");
        let line = acme
            .agency
            .get(&format!("/v1/postbacks/{}", made["postback_id"].as_str().unwrap()))
            .await
            .expect(200);
        assert_eq!(line["answer"]["payout_rule"], payout.1, "{line:#}");
    }
    assert!(other["id"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_that_depends_on_the_amount_needs_one() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let overrides =
        json!([{"publisher_id": acme.publisher["id"], "payout": {"type": "percent", "percent": "5"}}]);
    acme.goal(json!({"event_name": "lead", "overrides": overrides})).await;
    let click_id = acme.click().await;
    acme.report(json!({"goal": "lead", "click_id": click_id})).await.refused(422, "amount_required");
    acme.report(json!({"goal": "lead", "click_id": click_id, "amount": "8", "currency": "EUR"}))
        .await
        .expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_keeps_its_rule() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let goal = acme.goal(json!({"event_name": "lead", "currency": "EUR", "payout": fixed("1")})).await;
    let click_id = acme.click().await;
    let made = acme.report(json!({"goal": "lead", "click_id": click_id})).await.expect(201);
    let path = format!("/v1/goals/{}", goal["id"].as_str().unwrap());
    acme.agency.patch(&path, json!({"payout": fixed("7")})).await.expect(200);
    let id = made["conversion_id"].as_str().unwrap();
    assert_eq!(acme.agency.get(&format!("/v1/conversions/{id}")).await.expect(200)["payout"], "1.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_setting_of_a_goal_is_told_at_once() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let body = json!({
        "event_name": "", "count": "twice", "modes": ["partner", "pixel", "partner"], "campaign_ids": ["nobody"],
        "rebill_window_seconds": 0, "max_rebills": 0, "minimum_click_to_conversion_seconds": -1,
        "caps": {"conversions_per_day": 0, "payout_total": "-5", "payout_per_day": "0"},
        "overrides": [
            {"payout": fixed("1")},
            {"country": "Germany", "payout": fixed("1,5")},
            {"publisher_id": "nobody", "country": "DE"},
        ],
    });
    let problem = acme.agency.post("/v1/goals", body).await.refused(422, "validation_failed");
    let mut pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    pointers.sort_unstable();
    assert_eq!(
        pointers,
        [
            "/campaign_ids/0",
            "/caps/conversions_per_day",
            "/caps/payout_per_day",
            "/caps/payout_total",
            "/count",
            "/currency",
            "/event_name",
            "/max_rebills",
            "/minimum_click_to_conversion_seconds",
            "/modes/1",
            "/modes/2",
            "/overrides/0",
            "/overrides/1/country",
            "/overrides/1/payout",
            "/overrides/2",
            "/overrides/2/publisher_id",
            "/rebill_window_seconds",
        ],
        "{problem:#}"
    );
    for (wrong, pointer) in [
        (json!({"modes": []}), "/modes"),
        (json!({"modes": ["partner"], "campaign_ids": [acme.campaign["id"]]}), "/modes"),
        (json!({"caps": {"payout_total": "5"}}), "/currency"),
        (json!({"overrides": [{"country": "DE", "payout": fixed("5")}]}), "/currency"),
        (
            json!({"overrides": [{"country": "DE", "payout": {"type": "dynamic"}}, {"country": "de", "revenue": {"type": "dynamic"}}]}),
            "/overrides/1",
        ),
    ] {
        let mut body = wrong.clone();
        body["event_name"] = json!("x");
        let problem = acme.agency.post("/v1/goals", body).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{wrong}");
        let goal = acme.goal(json!({"event_name": "y"})).await;
        let path = format!("/v1/goals/{}", goal["id"].as_str().unwrap());
        let problem = acme.agency.patch(&path, wrong.clone()).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{wrong}");
        let kept = acme.agency.get(&path).await.expect(200);
        assert_eq!((&kept["modes"], &kept["overrides"]), (&goal["modes"], &goal["overrides"]));
        acme.agency.patch(&path, json!({"event_name": kept["id"]})).await.expect(200);
    }
    let stranger = app.acme().await;
    for (foreign, pointer) in [
        (json!({"campaign_ids": [acme.campaign["id"], stranger.campaign["id"]]}), "/campaign_ids/1"),
        (
            json!({"overrides": [{"publisher_id": stranger.publisher["id"], "payout": {"type": "dynamic"}}]}),
            "/overrides/0/publisher_id",
        ),
    ] {
        let mut body = foreign;
        body["event_name"] = json!("z");
        let problem = acme.agency.post("/v1/goals", body).await.refused(404, "not_found");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
}
