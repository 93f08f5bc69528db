//! `POST /v1/clicks`: clicks without a redirect.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tallyback_tests::{Acme, Answer, BROWSER, TestApp, client, parameter};

use super::clicks::{link, stored};

#[tokio::test(flavor = "multi_thread")]
async fn a_click_that_is_told_is_like_one_that_was_followed() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let landing = "https://shop.example/?s={sub1}&os={os}";
    let url = link(
        &acme,
        json!({"landing_url": landing, "external_id": "app", "publisher_id": acme.publisher["id"]}),
    )
    .await;
    let id = acme.agency.get("/v1/links/ext:app").await.expect(200)["id"].clone();
    for name in [id.as_str().unwrap(), "ext:app", url.rsplit('/').next().unwrap()] {
        let told = json!({
            "link": name, "parameters": {"aff_sub": "a b", "site": "blog.example", "gaid": "G1"},
            "ip": "198.51.100.7", "user_agent": BROWSER, "referrer": "https://News.example/a?b", "language": "de-CH,de",
        });
        let answer = acme.agency.make("/v1/clicks", told).await;
        let landing = answer["landing_url"].as_str().unwrap();
        let click_id = answer["click_id"].as_str().unwrap();
        assert_eq!(landing, format!("https://shop.example/?s=a%20b&os=Linux&kcid={click_id}"));
        let [class, reason, flags] = ["class", "reason", "flags"].map(|member| &answer[member]);
        assert_eq!((class, reason, flags), (&json!("human"), &Value::Null, &json!([])));
        let click = stored(&acme, click_id).await;
        for (member, wanted) in [
            ("link_id", id.clone()),
            ("publisher_id", acme.publisher["id"].clone()),
            ("site", json!("blog.example")),
            ("parameters", json!({"sub1": "a b", "gaid": "G1"})),
            ("ip", json!("198.51.100.0")),
            ("os", json!("Linux")),
            ("language", json!("de-ch")),
            ("referrer_host", json!("news.example")),
        ] {
            assert_eq!(click[member], wanted, "{member}");
        }
        acme.sdk().record(&Acme::sale(click_id, name)).await.unwrap();
    }
    let report = acme.agency.report_until("", "/totals/clicks", json!(3)).await;
    assert_eq!(report["totals"]["conversions"]["approved"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_of_the_visitor_is_left_out() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let answer = acme.agency.make("/v1/clicks", json!({"link": acme.link["id"]})).await;
    let click = stored(&acme, answer["click_id"].as_str().unwrap()).await;
    for member in ["ip", "os", "browser", "language", "referrer_host", "country"] {
        assert_eq!(click[member], Value::Null, "{member}");
    }
    assert_eq!(click["class"], "human");
    let bot = json!({"link": acme.link["id"], "user_agent": "Googlebot/2.1"});
    assert_eq!(acme.agency.make("/v1/clicks", bot).await["class"], "bot");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_of_the_link_hold_for_it_too() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let told = json!({"link": acme.link["id"]});
    let (link, campaign) = (
        format!("/v1/links/{}", acme.link["id"].as_str().unwrap()),
        format!("/v1/campaigns/{}", acme.campaign["id"].as_str().unwrap()),
    );
    acme.agency.patch(&link, json!({"status": "paused"})).await.expect(200);
    let paused = acme.agency.make("/v1/clicks", told.clone()).await;
    assert_eq!([&paused["class"], &paused["reason"]], [&json!("invalid"), &json!("link_paused")]);
    assert_eq!(paused["landing_url"], Value::Null);
    let change = json!({"status": "active", "fallback_url": "https://shop.example/late"});
    acme.agency.patch(&link, change).await.expect(200);
    acme.agency.patch(&campaign, json!({"click_cap_total": 10})).await.expect(200);
    let answers = join_all((0..30).map(|_| acme.agency.make("/v1/clicks", told.clone()))).await;
    let taken = answers.iter().filter(|answer| answer["class"] == "human").count();
    assert_eq!(taken, 10);
    for late in answers.iter().filter(|answer| answer["class"] != "human") {
        assert_eq!(late["reason"], "cap_reached");
        let landing = late["landing_url"].as_str().unwrap();
        assert!(landing.starts_with("https://shop.example/late?"), "{landing}");
        assert_eq!(parameter(landing, "kcid").as_deref(), late["click_id"].as_str());
    }
    let deep = json!({"link": acme.link["id"], "parameters": {"url": "https://evil.example/"}});
    assert_eq!(acme.agency.make("/v1/clicks", deep).await["flags"], json!(["deep_link_refused"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_told_at_once() {
    let app = TestApp::start().await;
    let (acme, stranger) = (app.acme().await, app.acme().await);
    for path in ["/v1/clicks", "/v1/impressions"] {
        let wrong = json!({"parameters": {"sub11": "x", "a/b": "y"}, "ip": "localhost"});
        let problem = acme.agency.post(path, wrong).await.refused(422, "validation_failed");
        let errors = problem["errors"].as_array().unwrap();
        let mut pointers: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["/ip", "/link", "/parameters/a~1b", "/parameters/sub11"]);
        for name in ["zzzzzzz", "ext:nobody", "x", "", stranger.link["id"].as_str().unwrap()] {
            let problem = acme.agency.post(path, json!({"link": name})).await.refused(404, "not_found");
            assert_eq!(problem["errors"][0]["pointer"], "/link", "{name}");
        }
        acme.agency.post(path, json!({"link": 1})).await.refused(400, "malformed");
        acme.agency.post(path, json!({"link": "x", "sub1": "x"})).await.refused(400, "malformed");
        let by_signature =
            client().post(format!("{}{path}", app.base_url)).json(&json!({"link": acme.link["id"]}));
        Answer::to(by_signature).await.refused(401, "api_key_missing");
    }
    assert_eq!(acme.agency.all("/v1/clicks").await.len(), 0);
    assert_eq!(stranger.agency.all("/v1/clicks").await.len(), 0);
}
