//! One tenant never sees another: every operation that takes an id, from the API description.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use tallyback_server::http::openapi;
use tallyback_tests::{Acme, Answer, TestApp, client};

/// The stranger's id that a parameter or a field of this name would take.
fn ids(
    acme: &Acme,
    click_id: &str,
    impression_id: &str,
    postback_id: &str,
    conversion_id: &str,
    creative: &Value,
) -> BTreeMap<&'static str, String> {
    let id = |thing: &Value| thing["id"].as_str().unwrap().to_owned();
    BTreeMap::from([
        ("advertisers", id(&acme.advertiser)),
        ("publishers", id(&acme.publisher)),
        ("campaigns", id(&acme.campaign)),
        ("creatives", id(creative)),
        ("links", id(&acme.link)),
        ("goals", id(&acme.goal)),
        ("signing-keys", id(&acme.key)),
        ("clicks", click_id.to_owned()),
        ("impressions", impression_id.to_owned()),
        ("postbacks", postback_id.to_owned()),
        ("conversions", conversion_id.to_owned()),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn another_partners_ids_are_not_found_anywhere() {
    let app = TestApp::start().await;
    let (acme, stranger) = (app.acme().await, app.acme().await);
    let click_id = stranger.click().await;
    let shown = json!({"link": stranger.link["id"]});
    let shown = stranger.agency.make("/v1/impressions", shown).await;
    let recorded = stranger.sdk().record(&Acme::sale(&click_id, "A-1")).await.unwrap();
    let creative = json!({"advertiser_id": stranger.advertiser["id"], "name": "Banner"});
    let creative = stranger.agency.make("/v1/creatives", creative).await;
    let foreign = ids(
        &stranger,
        &click_id,
        shown["impression_id"].as_str().unwrap(),
        &recorded.postback_id.unwrap(),
        &recorded.conversion_id.unwrap(),
        &creative,
    );
    let absent = |kind: &str, id: &str| match kind {
        "clicks" | "impressions" => format!("{}{}", &id[..1], "0".repeat(id.len() - 1)),
        _ => format!("{}_{}", id.split_once('_').unwrap().0, "0".repeat(26)),
    };
    let before = everything(&stranger).await;

    let document: Value = serde_json::from_str(&openapi::json()).unwrap();
    let (mut paths, mut filters) = (0, 0);
    for (path, item) in document["paths"].as_object().unwrap() {
        let kind = path.split('/').nth(2).unwrap_or_default();
        for (method, operation) in item.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let named = operation["parameters"].as_array().into_iter().flatten();
            for parameter in named {
                let (name, place) = (parameter["name"].as_str().unwrap(), parameter["in"].as_str().unwrap());
                if place == "path" && path.starts_with("/v1/") {
                    paths += 1;
                    let placeholder = format!("{{{name}}}");
                    let call = async |id: &str| {
                        let body = (method != Method::GET).then(|| json!({}));
                        let mut problem = acme
                            .agency
                            .send(method.clone(), &path.replace(&placeholder, id), body)
                            .await
                            .refused(404, "not_found");
                        problem.as_object_mut().unwrap().remove("request_id");
                        problem
                    };
                    let id = &foreign[kind];
                    assert_eq!(call(id).await, call(&absent(kind, id)).await, "{method} {path}");
                } else if place == "query"
                    && name.ends_with("_id")
                    && name != "order_id"
                    && path.starts_with("/v1/")
                    && operation["security"].to_string().contains("api_key")
                {
                    filters += 1;
                    let kind = format!("{}s", name.trim_end_matches("_id"));
                    let answer = acme.agency.get(&format!("{path}?{name}={}", foreign[kind.as_str()])).await;
                    answer.refused(404, "not_found");
                }
            }
        }
    }
    assert!(
        paths >= 6 * 3 + 4 && filters >= 10,
        "{paths} operations with an id in the path, {filters} filters"
    );
    assert_eq!(everything(&stranger).await, before, "nothing of the stranger's has changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_partners_ids_are_not_found_in_a_body() {
    let app = TestApp::start().await;
    let (acme, stranger) = (app.acme().await, app.acme().await);
    let creative = json!({"advertiser_id": stranger.advertiser["id"], "name": "Banner"});
    let creative = stranger.agency.make("/v1/creatives", creative).await;
    let (own, other) = (&acme.campaign["id"], &stranger.campaign["id"]);
    for (path, body, pointer) in [
        (
            "/v1/campaigns",
            json!({"advertiser_id": stranger.advertiser["id"], "name": "x", "landing_url": "https://x.example"}),
            "/advertiser_id",
        ),
        ("/v1/creatives", json!({"advertiser_id": stranger.advertiser["id"], "name": "x"}), "/advertiser_id"),
        (
            "/v1/goals",
            json!({"advertiser_id": stranger.advertiser["id"], "event_name": "x"}),
            "/advertiser_id",
        ),
        (
            "/v1/goals",
            json!({"event_name": "x", "campaign_ids": [stranger.campaign["id"]]}),
            "/campaign_ids/0",
        ),
        (
            "/v1/advertisers",
            json!({"name": "x", "publisher_ids": [stranger.publisher["id"]]}),
            "/publisher_ids/0",
        ),
        (
            "/v1/advertisers",
            json!({"name": "x", "blocked_publisher_ids": [stranger.publisher["id"]]}),
            "/blocked_publisher_ids/0",
        ),
        ("/v1/links", json!({"campaign_id": other, "name": "x"}), "/campaign_id"),
        (
            "/v1/links",
            json!({"campaign_id": own, "name": "x", "publisher_id": stranger.publisher["id"]}),
            "/publisher_id",
        ),
        (
            "/v1/links",
            json!({"campaign_id": own, "name": "x", "creative_id": creative["id"]}),
            "/creative_id",
        ),
        ("/v1/clicks", json!({"link": stranger.link["id"]}), "/link"),
        ("/v1/impressions", json!({"link": stranger.link["id"]}), "/link"),
        (
            "/v1/signing-keys",
            json!({"name": "x", "advertiser_ids": [stranger.advertiser["id"]]}),
            "/advertiser_ids/0",
        ),
    ] {
        let problem = acme.agency.post(path, body).await.refused(404, "not_found");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{path}: {problem:#}");
    }
    let link = format!("/v1/links/{}", acme.link["id"].as_str().unwrap());
    for (field, id) in [("publisher_id", &stranger.publisher["id"]), ("creative_id", &creative["id"])] {
        acme.agency.patch(&link, json!({field: id})).await.refused(404, "not_found");
    }
    for own in ["partner_id", "id", "created_at", "click_url"] {
        acme.agency.patch(&link, json!({own: stranger.agency.id})).await.refused(400, "malformed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_id_is_the_partners_own() {
    let app = TestApp::start().await;
    let (one, two) = (app.agency().await, app.agency().await);
    let mine = one.make("/v1/advertisers", json!({"name": "One", "external_id": "acme"})).await;
    let theirs = two.make("/v1/advertisers", json!({"name": "Two", "external_id": "acme"})).await;
    assert_eq!(one.get("/v1/advertisers/ext:acme").await.expect(200)["id"], mine["id"]);
    assert_eq!(two.get("/v1/advertisers/ext:acme").await.expect(200)["id"], theirs["id"]);
    one.post("/v1/advertisers", json!({"name": "Again", "external_id": "acme"}))
        .await
        .refused(409, "external_id_taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_shown_without_a_key_of_the_partners() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let (key, other) = (&acme.agency.api_key, app.agency().await.api_key);
    let swapped = format!("{}{}", &key[..key.len() - 4], &other[other.len() - 4..]);
    let document: Value = serde_json::from_str(&openapi::json()).unwrap();
    let mut operations = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if !operation["security"].to_string().contains("api_key") {
                continue;
            }
            operations += 1;
            let method: Method = method.to_uppercase().parse().unwrap();
            let request = || {
                client()
                    .request(method.clone(), format!("{}{}", app.base_url, path.replace(['{', '}'], "")))
                    .json(&json!({}))
            };
            Answer::to(request()).await.refused(401, "api_key_missing");
            for wrong in ["", "x", &key[1..], &swapped, &format!("{key}x"), "tbk_", &"k".repeat(5_000)] {
                let answer = Answer::to(request().bearer_auth(wrong)).await;
                assert!(
                    answer.status == 401 && answer.header("www-authenticate").is_some(),
                    "{method} {path} {wrong}: {}",
                    answer.text
                );
            }
            Answer::to(request().basic_auth("admin", Some(key))).await.refused(401, "api_key_missing");
        }
    }
    assert!(operations >= 35, "{operations}");
}

async fn everything(acme: &Acme) -> Vec<Value> {
    let mut rows = Vec::new();
    for list in [
        "advertisers",
        "publishers",
        "campaigns",
        "creatives",
        "links",
        "goals",
        "signing-keys",
        "clicks",
        "impressions",
        "postbacks",
        "conversions",
    ] {
        rows.extend(acme.agency.all(&format!("/v1/{list}")).await);
    }
    rows
}
