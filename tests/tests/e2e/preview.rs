//! `preview=1`: what a click would come to, for those whose link it is.

use reqwest::{
    RequestBuilder,
    header::{AUTHORIZATION, USER_AGENT},
};
use serde_json::{Value, json};
use tallyback_tests::{Acme, Answer, BROWSER, TestApp, client, parameter, visit};

use super::clicks::link;

async fn preview(acme: &Acme, url: &str, query: &str) -> Value {
    let request = client().get(format!("{url}?preview=1&{query}")).header(USER_AGENT, BROWSER);
    Answer::to(request.bearer_auth(&acme.agency.api_key)).await.expect(200)
}

async fn clicks(acme: &Acme) -> usize {
    acme.agency.all("/v1/clicks").await.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_tells_what_a_click_would_come_to_and_records_nothing() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let landing = "https://shop.example/{sub1}?os={os}&c={country}&r={random}";
    let url = link(&acme, json!({"landing_url": landing, "publisher_id": acme.publisher["id"]})).await;
    let seen = preview(&acme, &url, "sub1=a%20b&aff_click_id=E1&url=https%3A%2F%2Fevil.example").await;
    let stand_in = format!("1{}", "0".repeat(34));
    let chance = seen["macros"]["random"].as_str().unwrap();
    assert_eq!(seen["url"], format!("https://shop.example/a%20b?os=Linux&c=&r={chance}&kcid={stand_in}"));
    for (member, wanted) in [
        ("campaign_id", acme.campaign["id"].clone()),
        ("advertiser_id", acme.advertiser["id"].clone()),
        ("publisher_id", acme.publisher["id"].clone()),
        ("creative_id", Value::Null),
        ("class", json!("human")),
        ("reason", Value::Null),
        ("flags", json!(["deep_link_refused"])),
        ("destination", json!("landing_page")),
    ] {
        assert_eq!(seen[member], wanted, "{member}: {seen:#}");
    }
    let macros = seen["macros"].as_object().unwrap();
    assert_eq!(macros.len(), 35);
    for (name, wanted) in [
        ("click_id", json!(stand_in)),
        ("sub1", json!("a b")),
        ("sub2", Value::Null),
        ("ext_click_id", json!("E1")),
        ("browser", json!("Chrome")),
        ("country", Value::Null),
        ("campaign_id", acme.campaign["id"].clone()),
    ] {
        assert_eq!(macros[name], wanted, "{name}");
    }
    assert_eq!(clicks(&acme).await, 0);
    let report = acme.agency.get("/v1/reports").await.expect(200);
    assert_eq!(report["rows"], json!([]));
    // The id in it is nobody's.
    acme.report(
        json!({"goal": "purchase", "click_id": stand_in, "order_id": "A", "amount": "1", "currency": "EUR"}),
    )
    .await
    .refused(404, "click_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_tells_of_classes_fallbacks_and_deep_links() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let (url, link) = (acme.click_url(), format!("/v1/links/{}", acme.link["id"].as_str().unwrap()));
    let advertiser = format!("/v1/advertisers/{}", acme.advertiser["id"].as_str().unwrap());
    let told = |seen: &Value| ["class", "reason", "destination"].map(|name| seen[name].clone());

    let request = client().get(format!("{url}?preview=1")).header(USER_AGENT, "Googlebot/2.1");
    let bot = Answer::to(request.bearer_auth(&acme.agency.api_key)).await.expect(200);
    assert_eq!(told(&bot), [json!("bot"), Value::Null, json!("landing_page")]);

    let hosts = json!({"deep_link_hosts": ["shop.example"], "fallback_url": "https://shop.example/over"});
    acme.agency.patch(&advertiser, hosts).await.expect(200);
    acme.agency.patch(&link, json!({"deep_links": "allowed"})).await.expect(200);
    let deep = preview(&acme, &url, "url=https%3A%2F%2Fshop.example%2Fred").await;
    assert_eq!(told(&deep), [json!("human"), Value::Null, json!("deep_link")]);
    assert!(deep["url"].as_str().unwrap().starts_with("https://shop.example/red?kcid=1000"));

    acme.agency.patch(&link, json!({"status": "paused"})).await.expect(200);
    let paused = preview(&acme, &url, "").await;
    assert_eq!(told(&paused), [json!("invalid"), json!("link_paused"), json!("fallback")]);
    assert_eq!(parameter(paused["url"].as_str().unwrap(), "kcid"), Some(format!("1{}", "0".repeat(34))));
    acme.agency.patch(&advertiser, json!({"fallback_url": null})).await.expect(200);
    let nowhere = preview(&acme, &url, "").await;
    assert_eq!(told(&nowhere), [json!("invalid"), json!("link_paused"), json!("none")]);
    assert_eq!(nowhere["url"], Value::Null);
    assert_eq!(clicks(&acme).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_is_for_those_whose_link_it_is() {
    let app = TestApp::start().await;
    let (acme, stranger) = (app.acme().await, app.acme().await);
    let url = format!("{}?preview=1", acme.click_url());
    let nobody = Answer::to(client().get(&url)).await;
    assert!(nobody.header("location").is_none());
    nobody.refused(401, "api_key_missing");
    let head = async |request: RequestBuilder| {
        let answer = Answer::to(request).await;
        assert_eq!((answer.header("location"), answer.text.as_str()), (None, ""));
        answer.status
    };
    assert_eq!(head(client().head(&url)).await, 401);
    assert_eq!(head(client().head(&url).bearer_auth(&acme.agency.api_key)).await, 200);
    for wrong in ["Bearer tbk_x", "Bearer ", "Basic abc"] {
        let answer = Answer::to(client().get(&url).header(AUTHORIZATION, wrong)).await;
        assert!(answer.status == 401 && answer.header("location").is_none(), "{wrong}: {}", answer.text);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    let path = url.strip_prefix(&app.base_url).unwrap();
    let foreign = stranger.agency.get(path).await.refused(404, "not_found");
    let absent = stranger.agency.get("/c/zzzzzzz?preview=1").await.refused(404, "not_found");
    assert_eq!(foreign["detail"], absent["detail"]);
    acme.agency.archive(&format!("/v1/links/{}", acme.link["id"].as_str().unwrap())).await;
    acme.agency.get(path).await.refused(404, "not_found");
    assert_eq!(clicks(&acme).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_preview_1_is_a_preview() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    for query in ["preview=0", "preview=", "preview", "preview=true"] {
        assert!(visit(&format!("{}?{query}", acme.click_url())).await.click_id.is_some(), "{query}");
    }
    assert_eq!(clicks(&acme).await, 4);
}
