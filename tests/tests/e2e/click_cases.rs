//! What a click comes to, case by case: the answer, and what is recorded.

use reqwest::Method;
use serde_json::{Value, json};
use tallyback_tests::{Acme, BROWSER, TestApp, Visit, visit};

use super::clicks::{fetch, stored};

const FALLBACK: &str = "https://shop.example/over";

fn path(kind: &str, thing: &Value) -> String {
    format!("/v1/{kind}/{}", thing["id"].as_str().unwrap())
}

async fn newest(acme: &Acme) -> Value {
    acme.agency.get("/v1/clicks?limit=1").await.expect(200)["data"][0].clone()
}

/// Patches a thing, clicks, and puts the thing back.
async fn click_with(acme: &Acme, path: &str, change: Value, back: Value) -> Visit {
    acme.agency.patch(path, change).await.expect(200);
    let seen = visit(&acme.click_url()).await;
    acme.agency.patch(path, back).await.expect(200);
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reason_not_to_count_leads_to_the_fallback_and_is_told() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let (link, campaign) = (path("links", &acme.link), path("campaigns", &acme.campaign));
    let (advertiser, publisher) =
        (path("advertisers", &acme.advertiser), path("publishers", &acme.publisher));
    let active = json!({"status": "active"});
    for (thing, change, back, reason) in [
        (&link, json!({"status": "paused"}), active.clone(), "link_paused"),
        (&campaign, json!({"status": "paused"}), active.clone(), "campaign_paused"),
        (&campaign, json!({"status": "archived"}), active.clone(), "campaign_paused"),
        (&advertiser, json!({"status": "paused"}), active.clone(), "advertiser_paused"),
        (&publisher, json!({"status": "paused"}), active, "publisher_paused"),
        (
            &campaign,
            json!({"starts_at": "2100-01-01T00:00:00Z"}),
            json!({"starts_at": null}),
            "campaign_not_started",
        ),
        (&campaign, json!({"ends_at": "2020-01-01T00:00:00Z"}), json!({"ends_at": null}), "campaign_ended"),
        (
            &campaign,
            json!({"targeting": {"device_types": ["tv"]}}),
            json!({"targeting": null}),
            "targeting_missed",
        ),
    ] {
        let seen = click_with(&acme, thing, change.clone(), back.clone()).await;
        assert_eq!((seen.status, &seen.location), (410, &None), "{reason}: no fallback");
        assert_eq!(seen.answer.header("cache-control"), Some("no-store"));
        acme.agency.patch(&advertiser, json!({"fallback_url": FALLBACK})).await.expect(200);
        let seen = click_with(&acme, thing, change, back).await;
        acme.agency.patch(&advertiser, json!({"fallback_url": null})).await.expect(200);
        assert!(seen.location.as_deref().unwrap().starts_with(FALLBACK), "{reason}: {:?}", seen.location);
        let click = stored(&acme, &seen.click_id()).await;
        assert_eq!((&click["class"], &click["reason"]), (&json!("invalid"), &json!(reason)));
    }
    acme.click().await;
    let report = acme.agency.report_until("", "/totals/invalid_clicks", json!(16)).await;
    assert_eq!(report["totals"]["clicks"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_and_prefetches_are_redirected_as_usual_and_not_counted() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let google = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    for (headers, class) in [
        (vec![("user-agent", BROWSER)], "human"),
        (vec![], "human"),
        (vec![("user-agent", google)], "bot"),
        (vec![("user-agent", "facebookexternalhit/1.1")], "bot"),
        (vec![("user-agent", "Slackbot-LinkExpanding 1.0")], "bot"),
        (vec![("user-agent", "BarracudaCentral")], "bot"),
        (vec![("user-agent", BROWSER), ("sec-purpose", "prefetch")], "prefetch"),
        (vec![("user-agent", BROWSER), ("sec-purpose", "prefetch;prerender")], "prefetch"),
        (vec![("user-agent", BROWSER), ("purpose", "preview")], "prefetch"),
        (vec![("user-agent", BROWSER), ("x-moz", "prefetch")], "prefetch"),
        (vec![("user-agent", google), ("sec-purpose", "prefetch")], "prefetch"),
    ] {
        let seen = fetch(Method::GET, &acme.click_url(), &headers).await;
        assert_eq!((seen.status, seen.answer.text.as_str()), (302, ""), "{headers:?}");
        assert_eq!(seen.answer.header("cache-control"), Some("no-store"));
        assert!(seen.location.as_deref().unwrap().starts_with("https://shop.example/sale?kcid="));
        let click = stored(&acme, &seen.click_id()).await;
        assert_eq!((&click["class"], &click["reason"]), (&json!(class), &Value::Null), "{headers:?}");
    }
    let report = acme.agency.report_until("", "/totals/clicks", json!(2)).await;
    let totals = &report["totals"];
    assert_eq!([&totals["bot_clicks"], &totals["prefetch_clicks"]], [&json!(4), &json!(5)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deep_link_is_followed_to_the_advertisers_hosts_alone() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let link = path("links", &acme.link);
    let hosts = json!({"deep_link_hosts": ["shop.example"]});
    acme.agency.patch(&path("advertisers", &acme.advertiser), hosts).await.expect(200);
    for (allowed, wanted, goes_to, flags) in [
        (
            "allowed",
            "https%3A%2F%2Fshop.example%2Fred%3Fa%3D1",
            "https://shop.example/red?a=1&kcid=1",
            json!([]),
        ),
        (
            "allowed",
            "https%3A%2F%2Fshop.example%2Fs%3Fq%3Dred+shoes%20for+%2520all",
            "https://shop.example/s?q=red%20shoes%20for%20%20all&kcid=1",
            json!([]),
        ),
        (
            "allowed",
            "https%3A%2F%2Fevil.example%2F",
            "https://shop.example/sale?kcid=1",
            json!(["deep_link_refused"]),
        ),
        (
            "refused",
            "https%3A%2F%2Fshop.example%2Fred",
            "https://shop.example/sale?kcid=1",
            json!(["deep_link_refused"]),
        ),
    ] {
        acme.agency.patch(&link, json!({"deep_links": allowed})).await.expect(200);
        let location = visit(&format!("{}?url={wanted}", acme.click_url())).await.location();
        assert!(location.starts_with(goes_to), "{location}");
        let click = newest(&acme).await;
        assert_eq!((&click["class"], &click["flags"]), (&json!("human"), &flags), "{location}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_keeps_what_is_known_of_it() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let headers = [
        ("user-agent", BROWSER),
        ("accept-language", "pt-BR,pt;q=0.9"),
        ("referer", "https://Blog.example/post?id=7"),
    ];
    let seen = fetch(Method::GET, &acme.click_url(), &headers).await;
    let click = stored(&acme, &seen.click_id()).await;
    for (member, value) in [
        ("link_id", acme.link["id"].clone()),
        ("campaign_id", acme.campaign["id"].clone()),
        ("advertiser_id", acme.advertiser["id"].clone()),
        ("publisher_id", acme.publisher["id"].clone()),
        ("creative_id", Value::Null),
        ("ip", json!("127.0.0.0")),
        ("browser", json!("Chrome")),
        ("os", json!("Linux")),
        ("device_type", json!("desktop")),
        ("language", json!("pt-br")),
        ("referrer_host", json!("blog.example")),
    ] {
        assert_eq!(click[member], value, "{member}");
    }
}
