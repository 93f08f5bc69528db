//! What is shown: the pixel, and impressions that ad servers tell of.

use reqwest::{Method, header::USER_AGENT};
use serde_json::{Value, json};
use tallyback_tests::{Acme, Answer, BROWSER, TestApp, client};

use super::verify::verify;

fn pixel_url(acme: &Acme) -> String {
    let shown = acme.link["impression_url"].as_str().unwrap();
    assert_eq!(shown, acme.link["click_url"].as_str().unwrap().replace("/c/", "/i/"));
    acme.click_url().replace("/c/", "/i/")
}

async fn show(url: &str, headers: &[(&str, &str)]) -> Answer {
    let request =
        headers.iter().fold(client().get(url), |request, (name, value)| request.header(*name, *value));
    Answer::to(request).await
}

#[track_caller]
fn assert_pixel(answer: &Answer, status: u16) {
    assert_eq!((answer.status, answer.header("content-type")), (status, Some("image/gif")));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.text.starts_with("GIF89a\u{1}\0\u{1}\0") && answer.text.ends_with(';'));
    assert_eq!(answer.header("content-length"), Some("42"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pixel_records_an_impression() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let url = format!(
        "{}?aff_sub=a%20b&site=blog.example&url=https%3A%2F%2Fevil.example&preview=1",
        pixel_url(&acme)
    );
    let headers = [("user-agent", BROWSER), ("accept-language", "de"), ("referer", "https://blog.example/x")];
    assert_pixel(&show(&url, &headers).await, 200);
    let shown = acme.agency.all("/v1/impressions").await;
    assert_eq!(shown.len(), 1);
    for (member, wanted) in [
        ("link_id", acme.link["id"].clone()),
        ("campaign_id", acme.campaign["id"].clone()),
        ("publisher_id", acme.publisher["id"].clone()),
        ("class", json!("human")),
        ("flags", json!([])),
        ("parameters", json!({"sub1": "a b"})),
        ("site", json!("blog.example")),
        ("ip", json!("127.0.0.0")),
        ("browser", json!("Chrome")),
        ("language", json!("de")),
        ("referrer_host", json!("blog.example")),
    ] {
        assert_eq!(shown[0][member], wanted, "{member}");
    }
    let id = shown[0]["impression_id"].as_str().unwrap();
    assert!(id.starts_with('2') && id.len() == 35, "{id}");
    assert_eq!(acme.agency.get(&format!("/v1/impressions/{id}")).await.expect(200), shown[0]);
    acme.agency.get(&format!("/v1/clicks/{id}")).await.refused(404, "not_found");
    assert_eq!(acme.agency.all("/v1/clicks").await.len(), 0);
    let click_id = acme.click().await;
    acme.agency.get(&format!("/v1/impressions/{click_id}")).await.refused(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn impressions_have_classes_and_stand_in_reports() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let (url, link) = (pixel_url(&acme), format!("/v1/links/{}", acme.link["id"].as_str().unwrap()));
    for _ in 0..3 {
        show(&url, &[("user-agent", BROWSER)]).await;
    }
    show(&url, &[("user-agent", "Googlebot/2.1")]).await;
    show(&url, &[("user-agent", BROWSER), ("sec-purpose", "prefetch")]).await;
    acme.agency.patch(&link, json!({"status": "paused"})).await.expect(200);
    assert_pixel(&show(&url, &[("user-agent", BROWSER)]).await, 200);
    let told = acme.agency.make("/v1/impressions", json!({"link": acme.link["id"]})).await;
    assert_eq!([&told["class"], &told["reason"]], [&json!("invalid"), &json!("link_paused")]);
    acme.agency.patch(&link, json!({"status": "active"})).await.expect(200);
    acme.click().await;

    let report = acme.agency.report_until("dimensions=link", "/totals/filtered_impressions", json!(4)).await;
    let row = &report["rows"][0];
    assert_eq!(row["dimensions"]["link"], acme.link["id"]);
    assert_eq!([&row["impressions"], &row["clicks"]], [&json!(3), &json!(1)]);
    let mut classes: Vec<_> =
        acme.agency.all("/v1/impressions").await.iter().map(|row| row["class"].to_string()).collect();
    classes.sort_unstable();
    assert_eq!(classes.join(" "), r#""bot" "human" "human" "human" "invalid" "invalid" "prefetch""#);
    let filtered = format!("/v1/impressions?publisher_id={}", acme.publisher["id"].as_str().unwrap());
    assert_eq!(acme.agency.all(&filtered).await.len(), 7);

    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
    app.database.db_execute("DELETE FROM impressions WHERE class = 'bot'").await;
    let verified = verify(&app.database, &[]).await;
    assert_eq!(verified.code, Some(1), "{verified:?}");
    assert!(verified.stdout.contains("impression_bot"), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_link_has_a_pixel_too_and_records_nothing() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    for name in ["zzzzzzz", "x", "lnk_00000000000000000000000000", "%00"] {
        assert_pixel(&show(&format!("{}/i/{name}", app.base_url), &[]).await, 404);
    }
    acme.agency.archive(&format!("/v1/links/{}", acme.link["id"].as_str().unwrap())).await;
    assert_pixel(&show(&pixel_url(&acme), &[]).await, 404);
    assert_eq!(acme.agency.all("/v1/impressions").await, Vec::<Value>::new());
    let head = client().request(Method::HEAD, pixel_url(&acme)).header(USER_AGENT, BROWSER);
    assert_eq!(Answer::to(head).await.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ad_server_tells_of_an_impression_and_gets_its_id() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let told = json!({"link": acme.link["id"], "parameters": {"sub1": "x", "url": "https://evil.example"},
        "ip": "198.51.100.7", "user_agent": BROWSER, "language": "fr"});
    let answer = acme.agency.make("/v1/impressions", told).await;
    let id = answer["impression_id"].as_str().unwrap();
    assert_eq!(answer, json!({"impression_id": id, "class": "human", "reason": null, "flags": []}));
    let shown = acme.agency.get(&format!("/v1/impressions/{id}")).await.expect(200);
    assert_eq!([&shown["ip"], &shown["language"]], [&json!("198.51.100.0"), &json!("fr")]);
    let upper = acme.agency.get(&format!("/v1/impressions/{}", id.to_uppercase())).await.expect(200);
    assert_eq!(upper, shown);
}
