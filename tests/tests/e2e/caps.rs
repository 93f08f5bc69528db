//! Campaigns that take only so many clicks: never one more, whatever races.

use futures_util::future::join_all;
use reqwest::{Method, header::USER_AGENT};
use serde_json::{Value, json};
use tallyback_server::clock::Clock;
use tallyback_tests::{Acme, Answer, BROWSER, TestApp, Visit, client};

use super::{clicks::fetch, verify::verify};

const DAY: i64 = 86_400;

async fn cap(acme: &Acme, caps: Value) {
    let path = format!("/v1/campaigns/{}", acme.campaign["id"].as_str().unwrap());
    acme.agency.patch(&path, caps).await.expect(200);
}

/// Acme with a page for those who come too late.
async fn acme(app: &TestApp) -> Acme {
    let acme = app.acme().await;
    cap(&acme, json!({"fallback_url": "https://shop.example/late"})).await;
    acme
}

fn is_taken(seen: &Visit) -> bool {
    let location = seen.location.as_deref().unwrap();
    let is_late = location.starts_with("https://shop.example/late?kcid=");
    assert!(is_late || location.starts_with("https://shop.example/sale?kcid="), "{location}");
    !is_late
}

/// How many of so many clicks at once, through these URLs in turn, the campaign takes.
async fn taken_of(urls: &[String], clicks: usize) -> usize {
    let client = client();
    let visits = join_all((0..clicks).map(async |number| {
        let request = client.get(&urls[number % urls.len()]).header(USER_AGENT, BROWSER);
        Visit::of(Answer::to(request).await)
    }));
    visits.await.iter().filter(|seen| is_taken(seen)).count()
}

async fn taken(acme: &Acme, clicks: usize) -> usize {
    taken_of(&[acme.click_url()], clicks).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_of_ten_takes_ten_of_sixty_at_once() {
    for caps in [
        json!({"click_cap_total": 10}),
        json!({"click_cap_daily": 10}),
        json!({"click_cap_daily": 10, "click_cap_total": 11}),
        json!({"click_cap_daily": 30, "click_cap_total": 10}),
    ] {
        let app = TestApp::start().await;
        let acme = acme(&app).await;
        cap(&acme, caps.clone()).await;
        assert_eq!(taken(&acme, 60).await, 10, "{caps}");
        let clicks = acme.agency.all("/v1/clicks").await;
        let late =
            clicks.iter().filter(|click| click["reason"] == "cap_reached" && click["class"] == "invalid");
        assert_eq!((clicks.len(), late.count()), (60, 50));
        let report = acme.agency.report_until("", "/totals/clicks", json!(10)).await;
        assert_eq!(report["totals"]["invalid_clicks"], 50);
        assert_eq!(verify(&app.database, &[]).await.code, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_share_a_cap() {
    let app = TestApp::start().await;
    // A SQLite database belongs to one process.
    if !app.database.is_postgres() {
        return;
    }
    let acme = acme(&app).await;
    let there = TestApp::on(app.database.shared(), Clock::System, |_| {}).await;
    cap(&acme, json!({"click_cap_daily": 10, "click_cap_total": 40})).await;
    let urls = [acme.click_url(), acme.click_url().replace(&app.base_url, &there.base_url)];
    assert_eq!(taken_of(&urls, 80).await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daily_cap_begins_anew_at_midnight_and_a_total_one_does_not() {
    let app = TestApp::at(0).await;
    let acme = acme(&app).await;
    cap(&acme, json!({"click_cap_daily": 2, "click_cap_total": 5})).await;
    let midnight = app.clock.now().start_of_day().plus_seconds(DAY);
    assert_eq!(taken(&acme, 4).await, 2);
    app.clock.advance(midnight.seconds() - app.clock.now().seconds() - 1);
    assert_eq!(taken(&acme, 4).await, 0, "the last second of the day");
    app.clock.advance(1);
    assert_eq!(taken(&acme, 4).await, 2);
    app.clock.advance(DAY);
    assert_eq!(taken(&acme, 4).await, 1, "five in all");
    app.clock.advance(DAY);
    assert_eq!(taken(&acme, 4).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_a_cap_counts_and_a_cap_can_be_raised_and_lifted() {
    let app = TestApp::start().await;
    let acme = acme(&app).await;
    assert_eq!(taken(&acme, 3).await, 3);
    for (caps, taken_now) in [
        (json!({"click_cap_total": 4}), 1),
        (json!({"click_cap_daily": 4, "click_cap_total": null}), 0),
        (json!({"click_cap_daily": 6}), 2),
        (json!({"click_cap_daily": null}), 5),
        (json!({"click_cap_total": 11}), 0),
        (json!({"click_cap_total": 12}), 1),
    ] {
        cap(&acme, caps.clone()).await;
        assert_eq!(taken(&acme, 5).await, taken_now, "{caps}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_people_count_towards_a_cap() {
    let app = TestApp::start().await;
    let acme = acme(&app).await;
    cap(&acme, json!({"click_cap_total": 1})).await;
    for headers in [
        vec![("user-agent", "Googlebot/2.1 (+http://www.google.com/bot.html)")],
        vec![("user-agent", BROWSER), ("sec-purpose", "prefetch")],
    ] {
        assert!(is_taken(&fetch(Method::GET, &acme.click_url(), &headers).await));
    }
    let probe = async || fetch(Method::HEAD, &acme.click_url(), &[("user-agent", BROWSER)]).await;
    let preview = async || {
        let code = acme.click_url().rsplit('/').next().unwrap().to_owned();
        acme.agency.get(&format!("/c/{code}?preview=1")).await.expect(200)
    };
    assert!(is_taken(&probe().await) && preview().await["reason"].is_null());
    assert_eq!(taken(&acme, 1).await, 1, "looking takes nothing");
    assert!(!is_taken(&probe().await));
    assert_eq!(preview().await["reason"], "cap_reached");
    assert_eq!(taken(&acme, 1).await, 0);
    assert!(is_taken(&fetch(Method::GET, &acme.click_url(), &[("user-agent", "Twitterbot/1.0")]).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_is_a_number_of_clicks() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    assert!(acme.campaign["click_cap_daily"].is_null() && acme.campaign["click_cap_total"].is_null());
    let path = format!("/v1/campaigns/{}", acme.campaign["id"].as_str().unwrap());
    for field in ["click_cap_daily", "click_cap_total"] {
        for wrong in [json!(0), json!(-1), json!(1_000_000_001_i64)] {
            acme.agency.patch(&path, json!({field: wrong})).await.refused(422, "validation_failed");
        }
        acme.agency.patch(&path, json!({field: "10"})).await.refused(400, "malformed");
    }
    let made = json!({"advertiser_id": acme.advertiser["id"], "name": "x", "landing_url": "https://x.example",
        "click_cap_daily": 1, "click_cap_total": 2});
    let made = acme.agency.make("/v1/campaigns", made).await;
    assert_eq!((&made["click_cap_daily"], &made["click_cap_total"]), (&json!(1), &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_that_changes_under_load_lets_nobody_through_and_stops_nobody() {
    let app = TestApp::start().await;
    let acme = acme(&app).await;
    cap(&acme, json!({"click_cap_total": 20, "click_cap_daily": 20})).await;
    let changes = async {
        for cap_now in [5, 18, 7, 19, 9, 20] {
            cap(&acme, json!({"click_cap_total": cap_now, "click_cap_daily": cap_now})).await;
        }
    };
    let (_, taken_meanwhile) = tokio::join!(changes, taken(&acme, 120));
    assert_eq!(taken_meanwhile + taken(&acme, 30).await, 20);
    assert_eq!(acme.agency.all("/v1/clicks").await.len(), 150);
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
}
