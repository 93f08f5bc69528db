//! The partner over its own API: what it keeps of visitors' addresses.

use reqwest::Method;
use serde_json::{Value, json};
use tallyback_server::clock::Clock;
use tallyback_tests::{BROWSER, TestApp};

use super::clicks::{fetch, stored};

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_decides_how_much_of_an_address_is_kept() {
    let app = TestApp::with(Clock::System, |config| {
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await;
    let (acme, other) = (app.acme().await, app.acme().await);
    let partner = acme.agency.get("/v1/partner").await.expect(200);
    assert_eq!((&partner["id"], &partner["ip_storage"]), (&json!(acme.agency.id), &json!("truncated")));
    for (storage, kept) in [
        ("truncated", [json!("198.51.100.0"), json!("2001:db8:1::")]),
        ("full", [json!("198.51.100.7"), json!("2001:db8:1:2::3")]),
        ("none", [Value::Null, Value::Null]),
        ("truncated", [json!("198.51.100.0"), json!("2001:db8:1::")]),
    ] {
        let changed = acme.agency.patch("/v1/partner", json!({"ip_storage": storage})).await.expect(200);
        assert_eq!(changed["ip_storage"], storage);
        for (address, kept) in ["198.51.100.7", "2001:db8:1:2::3"].into_iter().zip(kept) {
            let headers = [("user-agent", BROWSER), ("x-forwarded-for", address)];
            let seen = fetch(Method::GET, &acme.click_url(), &headers).await;
            assert_eq!(stored(&acme, &seen.click_id()).await["ip"], kept, "at once: {storage}");
            let seen = fetch(Method::GET, &other.click_url(), &headers).await;
            assert!(stored(&other, &seen.click_id()).await["ip"].as_str().unwrap().ends_with(['0', ':']));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_has_a_name() {
    let app = TestApp::start().await;
    let agency = app.agency().await;
    let before = agency.get("/v1/partner").await.expect(200);
    let changed = agency.patch("/v1/partner", json!({"name": "Another"})).await.expect(200);
    let mut wanted = before.clone();
    wanted["name"] = json!("Another");
    assert_eq!(changed, wanted);
    assert_eq!(agency.patch("/v1/partner", json!({})).await.expect(200), wanted, "what is left out stays");
    for (wrong, status, code) in [
        (json!({"name": ""}), 422, "validation_failed"),
        (json!({"ip_storage": "half"}), 422, "validation_failed"),
        (json!({"ip_storage": null}), 400, "malformed"),
        (json!({"id": before["id"]}), 400, "malformed"),
    ] {
        agency.patch("/v1/partner", wrong).await.refused(status, code);
    }
    assert_eq!(agency.get("/v1/partner").await.expect(200), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_partner_is_seen_elsewhere_within_a_second() {
    let app = TestApp::start().await;
    // A SQLite database belongs to one process.
    if !app.database.is_postgres() {
        return;
    }
    let acme = app.acme().await;
    let there = TestApp::on(app.database.shared(), Clock::System, |_| {}).await;
    let elsewhere = acme.click_url().replace(&app.base_url, &there.base_url);
    let kept = async || {
        let seen = fetch(Method::GET, &elsewhere, &[("user-agent", BROWSER)]).await;
        stored(&acme, &seen.click_id()).await["ip"].clone()
    };
    assert_eq!(kept().await, "127.0.0.0");
    acme.agency.patch("/v1/partner", json!({"ip_storage": "none"})).await.expect(200);
    for _ in 0..20 {
        if kept().await.is_null() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the other process still keeps addresses");
}
