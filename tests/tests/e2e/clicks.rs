//! `GET /c/{link}`: what is recorded, and where the visitor goes.

use std::time::Duration;

use reqwest::{Method, header::USER_AGENT};
use serde_json::{Value, json};
use tallyback_server::clock::Clock;
use tallyback_tests::{Acme, Answer, BROWSER, TestApp, Visit, client, parameter, visit, with_parameter};

/// A request with headers of the test's own.
pub async fn fetch(method: Method, url: &str, headers: &[(&str, &str)]) -> Visit {
    let mut request = client().request(method, url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Visit::of(Answer::to(request).await)
}

/// A click, as it was recorded.
pub async fn stored(acme: &Acme, click_id: &str) -> Value {
    acme.agency.get(&format!("/v1/clicks/{click_id}")).await.expect(200)
}

/// Another link of Acme's campaign; its tracking URL.
pub async fn link(acme: &Acme, fields: Value) -> String {
    let mut body = json!({"campaign_id": acme.campaign["id"], "name": "Another"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    acme.agency.make("/v1/links", body).await["click_url"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn macros_are_filled_in_and_encoded() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let landing = "https://shop.example/{campaign_id}/p?c={click_id}&a={advertiser_id}&l={link_id}&p={publisher_id}\
                   &s={sub1}&raw={!sub2}&src={source_id}&e={aff_click_id}&site={site}&os={os}&b={browser}&d={device_type}\
                   &lang={language}&g={gclid}&none={country}&day={date}&t={timestamp}#top";
    let url = link(&acme, json!({"landing_url": landing, "publisher_id": acme.publisher["id"]})).await;
    let query = "sub1=a%20b%26c&aff_sub2=x-y&source_id=feed&ext_click_id=E1&site=blog.example&gclid=G1";
    let seen = fetch(
        Method::GET,
        &format!("{url}?{query}"),
        &[("user-agent", BROWSER), ("accept-language", "de-DE,de;q=0.9")],
    )
    .await;
    let location = seen.location();
    let text = |name: &str| parameter(&location, name).unwrap_or_else(|| panic!("{name}: {location}"));
    assert!(
        location.starts_with(&format!("https://shop.example/{}/p?c=", acme.campaign["id"].as_str().unwrap())),
        "{location}"
    );
    assert!(location.ends_with("#top") && location.contains("s=a%20b%26c&raw=x-y&"), "{location}");
    assert!(!location.contains("kcid"), "the template has the click id already: {location}");
    assert_eq!(text("a"), acme.advertiser["id"]);
    assert_eq!(text("p"), acme.publisher["id"]);
    assert_eq!(
        (text("s"), text("src"), text("e"), text("site")),
        ("a b&c".into(), "feed".into(), "E1".into(), "blog.example".into())
    );
    assert_eq!((text("os"), text("b"), text("d")), ("Linux".into(), "Chrome".into(), "desktop".into()));
    assert_eq!((text("g"), text("none"), text("day").len()), ("G1".into(), String::new(), 10));
    assert!(text("lang").starts_with("de"), "{location}");
    let click = stored(&acme, &text("c")).await;
    assert_eq!(
        (&click["site"], &click["source_id"], &click["ext_click_id"]),
        (&json!("blog.example"), &json!("feed"), &json!("E1"))
    );
    assert_eq!(click["parameters"], json!({"sub1": "a b&c", "sub2": "x-y", "gclid": "G1"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_click_id_parameter_is_the_advertisers_and_replaces_an_old_one() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let url = link(&acme, json!({"landing_url": "https://shop.example/?tid=old&x=1#f"})).await;
    let path = format!("/v1/advertisers/{}", acme.advertiser["id"].as_str().unwrap());
    acme.agency.patch(&path, json!({"click_id_parameter": "tid"})).await.expect(200);
    let location = visit(&url).await.location();
    let id = parameter(&location, "tid").unwrap();
    assert_eq!(stored(&acme, &id).await["campaign_id"], acme.campaign["id"]);
    assert!(!location.contains("old") && location.contains("x=1") && location.ends_with("#f"), "{location}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deep_link_goes_to_the_advertisers_hosts_alone() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let path = format!("/v1/advertisers/{}", acme.advertiser["id"].as_str().unwrap());
    acme.agency
        .patch(&path, json!({"deep_link_hosts": ["shop.example", "*.shop.example"]}))
        .await
        .expect(200);
    let allowed = link(&acme, json!({"deep_links": "allowed"})).await;
    let refused = acme.click_url();

    for good in ["https://shop.example/boots?size=42", "https://www.shop.example/boots"] {
        let seen = client().get(with_parameter(&allowed, "url", good)).header(USER_AGENT, BROWSER);
        let seen = Visit::of(Answer::to(seen).await);
        assert!(seen.location.as_deref().unwrap().starts_with(good), "{:?}", seen.location);
        assert_eq!(stored(&acme, &seen.click_id()).await["flags"], json!([]));
    }
    for evil in [
        "https://evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "/\\evil.example",
        "https:evil.example",
        "https://shop.example.evil.example",
        "https://shop.example@evil.example/",
        "https://evil.example/.shop.example",
        "https://shop.example\\@evil.example",
        "ht\ttps://evil.example",
        "https://evil.example#shop.example",
        "https://xn--shp-0na.example",
        "http://user:pw@shop.example/",
        "https://shop.example:8443@evil.example",
        "https://shop.example\r\nset-cookie: a=b",
        "ht\ttps://shop.example/",
        "https://shop.exa\tmple/",
        "\nhttps://shop.example/",
        "https://shop.example/\r\nX: y",
        "",
        " ",
    ] {
        for base in [&allowed, &refused] {
            let seen = client().get(with_parameter(base, "url", evil)).header(USER_AGENT, BROWSER);
            let seen = Visit::of(Answer::to(seen).await);
            assert!(
                seen.location.as_deref().unwrap().starts_with("https://shop.example/sale?kcid="),
                "{evil}: {:?}",
                seen.location
            );
            assert!(seen.answer.header("set-cookie").is_none());
            let flags = stored(&acme, &seen.click_id()).await["flags"].clone();
            let wanted = if evil.trim().is_empty() { json!([]) } else { json!(["deep_link_refused"]) };
            assert!(flags == wanted || evil == " ", "{evil:?}: {flags}");
        }
    }
    for inert in ["redir_url", "next", "redirect", "u"] {
        let location = visit(&format!("{allowed}?{inert}=https%3A%2F%2Fevil.example")).await.location();
        assert!(location.starts_with("https://shop.example/sale?kcid="), "{location}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_answers_the_same_and_counts_nothing() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let seen = fetch(Method::HEAD, &acme.click_url(), &[("user-agent", BROWSER)]).await;
    assert_eq!((seen.status, seen.answer.header("cache-control")), (302, Some("no-store")));
    assert!(seen.location.unwrap().starts_with("https://shop.example/sale?kcid="));
    assert_eq!(acme.agency.all("/v1/clicks").await.len(), 0);
    acme.click().await;
    assert_eq!(acme.agency.all("/v1/clicks").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_link_is_a_neutral_404() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let base = &app.base_url;
    for link in
        ["zzzzzzz", "0000000", "x", "lnk_00000000000000000000000000", "..%2f", "%00", "a%0d%0aset-cookie:x"]
    {
        let seen = visit(&format!("{base}/c/{link}?url=https://evil.example")).await;
        assert_eq!((seen.status, seen.location), (404, None), "{link}");
        assert_eq!(seen.answer.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(!seen.answer.text.to_lowercase().contains("tallyback"), "{}", seen.answer.text);
    }
    acme.agency.archive(&format!("/v1/links/{}", acme.link["id"].as_str().unwrap())).await;
    assert_eq!(visit(&acme.click_url()).await.status, 404);
    assert_eq!(acme.agency.all("/v1/clicks").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paused_goes_to_the_nearest_fallback() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let path = |kind: &str, thing: &Value| format!("/v1/{kind}/{}", thing["id"].as_str().unwrap());
    let (link, campaign, advertiser) =
        (path("links", &acme.link), path("campaigns", &acme.campaign), path("advertisers", &acme.advertiser));

    acme.agency.patch(&link, json!({"status": "paused"})).await.expect(200);
    let seen = visit(&acme.click_url()).await;
    assert_eq!((seen.status, seen.location), (410, None));
    assert_eq!(seen.answer.header("content-type"), Some("text/html; charset=utf-8"));
    for (path, fallback) in [
        (&advertiser, "https://three.example/"),
        (&campaign, "https://two.example/"),
        (&link, "https://one.example/"),
    ] {
        acme.agency.patch(path, json!({"fallback_url": fallback})).await.expect(200);
        let seen = visit(&acme.click_url()).await;
        assert!(seen.location.as_deref().unwrap().starts_with(fallback), "{:?}", seen.location);
    }
    acme.agency.patch(&link, json!({"status": "active"})).await.expect(200);
    for (path, reason) in [(&campaign, "campaign_paused"), (&advertiser, "advertiser_paused")] {
        acme.agency.patch(path, json!({"status": "paused"})).await.expect(200);
        assert!(visit(&acme.click_url()).await.location().starts_with("https://one.example/"));
        let newest = acme.agency.get("/v1/clicks?limit=1").await.expect(200)["data"][0].clone();
        assert_eq!((&newest["class"], &newest["reason"]), (&json!("invalid"), &json!(reason)));
        acme.agency.patch(path, json!({"status": "active"})).await.expect(200);
    }
    assert!(visit(&acme.click_url()).await.location().starts_with("https://shop.example/sale"));
    let report = acme.agency.report_until("", "/totals/invalid_clicks", json!(6)).await;
    assert_eq!(report["totals"]["clicks"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_has_a_beginning_and_an_end() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let path = format!("/v1/campaigns/{}", acme.campaign["id"].as_str().unwrap());
    let at = |seconds: i64| {
        Clock::fixed(tallyback_server::domain::time::Timestamp::from_micros(
            app.clock.now().micros() + seconds * 1_000_000,
        ))
        .now()
        .to_string()
    };
    acme.agency.patch(&path, json!({"starts_at": at(60), "ends_at": at(120)})).await.expect(200);
    assert_eq!(visit(&acme.click_url()).await.status, 410);
    app.clock.advance(60);
    assert_eq!(visit(&acme.click_url()).await.status, 302);
    app.clock.advance(60);
    assert_eq!(visit(&acme.click_url()).await.status, 410);
    let clicks = acme.agency.all("/v1/clicks").await;
    let reasons: Vec<_> = clicks.iter().map(|click| click["reason"].as_str()).collect();
    assert_eq!(reasons, [Some("campaign_ended"), None, Some("campaign_not_started")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_told_from_people() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let url = acme.click_url();
    let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";
    for (headers, class) in [
        (vec![("user-agent", BROWSER)], "human"),
        (vec![("user-agent", phone)], "human"),
        (
            vec![("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")],
            "bot",
        ),
        (
            vec![("user-agent", "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)")],
            "bot",
        ),
        (vec![("user-agent", "WhatsApp/2.23.20.0")], "bot"),
        (vec![("user-agent", BROWSER), ("sec-purpose", "prefetch;prerender")], "prefetch"),
    ] {
        let seen = fetch(Method::GET, &url, &headers).await;
        assert_eq!(stored(&acme, &seen.click_id()).await["class"], class, "{headers:?}");
    }
    let report = acme.agency.report_until("", "/totals/clicks", json!(2)).await;
    assert_eq!(
        (&report["totals"]["bot_clicks"], &report["totals"]["prefetch_clicks"]),
        (&json!(3), &json!(1))
    );
    let phones =
        acme.agency.all("/v1/clicks").await.iter().filter(|click| click["device_type"] == "mobile").count();
    assert_eq!(phones, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_bounded_and_cannot_inject() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let long = "é".repeat(400);
    let seen = Visit::of(
        Answer::to(
            client().get(with_parameter(&acme.click_url(), "sub1", &long)).header(USER_AGENT, BROWSER),
        )
        .await,
    );
    let click = stored(&acme, &seen.click_id()).await;
    let kept = click["parameters"]["sub1"].as_str().unwrap();
    assert!(kept.len() <= 500 && long.starts_with(kept), "{} bytes", kept.len());
    assert_eq!(click["flags"], json!(["cut:sub1"]));

    let landing = link(&acme, json!({"landing_url": "https://shop.example/?s={sub1}&r={!sub2}"})).await;
    for value in [
        "a%0d%0aset-cookie:%20x=1",
        "%00",
        "%ff%fe",
        "%E2%80%AE",
        "a#b",
        "%2523",
        "{click_id}",
        "%7Bclick_id%7D",
    ] {
        let seen = visit(&format!("{landing}?sub1={value}&sub2={value}&sub1=again&unknown=1")).await;
        assert_eq!(seen.status, 302, "{value}");
        assert!(seen.answer.header("set-cookie").is_none(), "{value}");
        assert!(seen.location.unwrap().starts_with("https://shop.example/?"), "{value}");
    }
    let many: String = (0..1_000).map(|number| format!("p{number}={number}&")).collect();
    assert_eq!(visit(&format!("{}?{many}sub3=last", acme.click_url())).await.status, 302);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_without_a_publisher_takes_the_urls() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let url = link(&acme, json!({})).await;
    let id = acme.publisher["id"].as_str().unwrap();
    for name in ["publisher_id", "partner_id", "aff_id", "pid"] {
        let seen = visit(&format!("{url}?{name}={id}")).await;
        assert_eq!(stored(&acme, &seen.click_id()).await["publisher_id"], acme.publisher["id"], "{name}");
    }
    let stranger = app.acme().await;
    let seen = visit(&format!("{url}?publisher_id={}", stranger.publisher["id"].as_str().unwrap())).await;
    assert_eq!(stored(&acme, &seen.click_id()).await["publisher_id"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_seen_at_once_here_and_within_a_second_elsewhere() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let there = TestApp::on(app.database.shared(), Clock::System, |_| {}).await;
    let url = acme.click_url();
    let elsewhere = url.replace(&app.base_url, &there.base_url);
    let path = format!("/v1/links/{}", acme.link["id"].as_str().unwrap());
    for round in 0..5 {
        assert_eq!((visit(&url).await.status, visit(&elsewhere).await.status), (302, 302), "{round}");
        acme.agency.patch(&path, json!({"status": "paused"})).await.expect(200);
        assert_eq!(visit(&url).await.status, 410);
        // A SQLite database belongs to one process; another one learns of a change after a while.
        if app.database.is_postgres() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(visit(&elsewhere).await.status, 410);
        }
        acme.agency.patch(&path, json!({"status": "active"})).await.expect(200);
        assert_eq!(visit(&url).await.status, 302);
        if app.database.is_postgres() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    let unknown = format!("{}/c/0000000", app.base_url);
    assert_eq!(visit(&unknown).await.status, 404);
}
