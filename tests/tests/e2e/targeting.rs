//! Campaigns that are not for everybody.

use reqwest::Method;
use serde_json::{Value, json};
use tallyback_server::clock::Clock;
use tallyback_tests::{Acme, TestApp};

use super::{
    clicks::{fetch, stored},
    geo_file,
};

const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";

async fn target(acme: &Acme, targeting: Value) -> Value {
    let path = format!("/v1/campaigns/{}", acme.campaign["id"].as_str().unwrap());
    acme.agency.patch(&path, json!({"targeting": targeting})).await.expect(200)["targeting"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_list_has_to_have_the_visitor() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), geo_file::country([198, 51, 100], "DE")).unwrap();
    let app = TestApp::with(Clock::System, |config| {
        config.geo_database = Some(file.path().to_owned());
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await;
    let acme = app.acme().await;
    let campaign = format!("/v1/campaigns/{}", acme.campaign["id"].as_str().unwrap());
    acme.agency.patch(&campaign, json!({"fallback_url": "https://shop.example/others"})).await.expect(200);
    let known = [("user-agent", IPHONE), ("accept-language", "de-CH"), ("x-forwarded-for", "198.51.100.7")];
    for (targeting, takes_known, takes_unknown) in [
        (json!({}), true, true),
        (json!({"countries": ["DE", "AT"]}), true, false),
        (json!({"countries": ["at"]}), false, false),
        (json!({"device_types": ["mobile"]}), true, false),
        (json!({"device_types": ["desktop", "tv"]}), false, false),
        (json!({"operating_systems": ["android", "ios"]}), true, false),
        (json!({"operating_systems": ["windows"]}), false, false),
        (json!({"languages": ["de"]}), true, false),
        (json!({"languages": ["de-at", "fr"]}), false, false),
        (json!({"countries": ["DE"], "languages": ["de-CH"], "device_types": ["mobile"]}), true, false),
        (json!({"countries": ["DE"], "languages": ["en"]}), false, false),
    ] {
        target(&acme, targeting.clone()).await;
        for (headers, takes) in [(&known[..], takes_known), (&[][..], takes_unknown)] {
            let seen = fetch(Method::GET, &acme.click_url(), headers).await;
            let page = if takes { "https://shop.example/sale?" } else { "https://shop.example/others?" };
            assert!(seen.location.as_deref().unwrap().starts_with(page), "{targeting} {headers:?}");
            let click = stored(&acme, &seen.click_id()).await;
            let wanted = if takes {
                [json!("human"), Value::Null]
            } else {
                [json!("invalid"), json!("targeting_missed")]
            };
            assert_eq!([&click["class"], &click["reason"]], [&wanted[0], &wanted[1]], "{targeting}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_checked_and_take_the_place_of_those_before() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let everybody = json!({"countries": [], "device_types": [], "operating_systems": [], "languages": []});
    assert_eq!(acme.campaign["targeting"], everybody);
    let lists = json!({"countries": ["de"], "languages": ["pt-BR"]});
    let wanted =
        json!({"countries": ["DE"], "device_types": [], "operating_systems": [], "languages": ["pt-br"]});
    assert_eq!(target(&acme, lists).await, wanted);
    let other = json!({"countries": [], "device_types": ["tv"], "operating_systems": [], "languages": []});
    assert_eq!(target(&acme, json!({"device_types": ["tv"]})).await, other);
    assert_eq!(target(&acme, Value::Null).await, everybody);

    let path = format!("/v1/campaigns/{}", acme.campaign["id"].as_str().unwrap());
    let wrong = json!({"targeting": {"countries": ["DE", "Germany"], "device_types": ["watch"],
        "operating_systems": ["Windows"], "languages": ["d\u{e9}"]}});
    let problem = acme.agency.patch(&path, wrong).await.refused(422, "validation_failed");
    let pointers: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(
        pointers,
        [
            "/targeting/countries/1",
            "/targeting/device_types/0",
            "/targeting/operating_systems/0",
            "/targeting/languages/0"
        ]
    );
    let many = json!({"targeting": {"countries": vec!["DE"; 301]}});
    acme.agency.patch(&path, many).await.refused(422, "validation_failed");
    acme.agency.patch(&path, json!({"targeting": {"planets": []}})).await.refused(400, "malformed");
}
