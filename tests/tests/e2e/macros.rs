//! Every macro of a landing page, under each of its names, encoded and raw: what it becomes.

use reqwest::Method;
use serde_json::{Value, json};
use tallyback_server::clock::Clock;
use tallyback_tests::{TestApp, parameter};
use tempfile::TempDir;

use super::{
    clicks::{fetch, link, stored},
    geo_file,
};

const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";
const QUERY: &str = "sub1=v1&sub2=v2&sub3=v3&sub4=v4&sub5=v5&sub6=v6&sub7=v7&sub8=v8&sub9=v9&sub10=v10&site=blog.example\
    &source_id=feed&ext_click_id=E1&idfa=I1&gaid=G1&gclid=GC&fbclid=FB&ttclid=TT";

/// What each name stands for in the click of the test; `=` and a name: the click's own member.
const MACROS: [(&str, &str); 51] = [
    ("click_id", "=click_id"),
    ("kcid", "=click_id"),
    ("transaction_id", "=click_id"),
    ("clickid", "=click_id"),
    ("advertiser_id", "=advertiser_id"),
    ("campaign_id", "=campaign_id"),
    ("creative_id", "=creative_id"),
    ("link_id", "=link_id"),
    ("publisher_id", "=publisher_id"),
    ("affiliate_id", "=publisher_id"),
    ("site", "blog.example"),
    ("sub1", "v1"),
    ("aff_sub", "v1"),
    ("aff_sub1", "v1"),
    ("sub2", "v2"),
    ("aff_sub2", "v2"),
    ("sub3", "v3"),
    ("aff_sub3", "v3"),
    ("sub4", "v4"),
    ("aff_sub4", "v4"),
    ("sub5", "v5"),
    ("aff_sub5", "v5"),
    ("sub6", "v6"),
    ("aff_sub6", "v6"),
    ("sub7", "v7"),
    ("aff_sub7", "v7"),
    ("sub8", "v8"),
    ("aff_sub8", "v8"),
    ("sub9", "v9"),
    ("aff_sub9", "v9"),
    ("sub10", "v10"),
    ("aff_sub10", "v10"),
    ("source_id", "feed"),
    ("ext_click_id", "E1"),
    ("aff_click_id", "E1"),
    ("externalid", "E1"),
    ("country", "DE"),
    ("region", "DE-BE"),
    ("device_type", "mobile"),
    ("os", "iPhone"),
    ("os_version", "18.1"),
    ("browser", "Safari"),
    ("language", "de-ch"),
    ("isp", "Example Net"),
    ("idfa", "I1"),
    ("gaid", "G1"),
    ("gclid", "GC"),
    ("fbclid", "FB"),
    ("ttclid", "TT"),
    ("timestamp", "=timestamp"),
    ("date", "=date"),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_macro_stands_for_its_value_under_each_of_its_names() {
    let folder = TempDir::new().unwrap();
    let (places, providers) = (folder.path().join("city.mmdb"), folder.path().join("isp.mmdb"));
    std::fs::write(&places, geo_file::city([198, 51, 100], "DE", "BE")).unwrap();
    std::fs::write(&providers, geo_file::provider([198, 51, 100], "isp", "Example Net")).unwrap();
    let app = TestApp::with(Clock::System, |config| {
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        config.geo_database = Some(places.clone());
        config.isp_database = Some(providers.clone());
    })
    .await;
    let acme = app.acme().await;
    let creative = json!({"name": "Banner", "advertiser_id": acme.advertiser["id"]});
    let creative = acme.agency.make("/v1/creatives", creative).await;
    for (marker, raw) in [("", false), ("!", true)] {
        let pairs: String = MACROS.iter().map(|(name, _)| format!("m_{name}={{{marker}{name}}}&")).collect();
        let landing = format!("https://shop.example/?{pairs}m_random={{{marker}random}}");
        let fields = json!({"landing_url": landing, "publisher_id": acme.publisher["id"], "creative_id": creative["id"]});
        let url = link(&acme, fields).await;
        let headers =
            [("user-agent", PHONE), ("accept-language", "de-CH,de"), ("x-forwarded-for", "198.51.100.7")];
        let location = fetch(Method::GET, &format!("{url}?{QUERY}"), &headers).await.location();
        let shown = |name: &str| parameter(&location, &format!("m_{name}")).unwrap();
        let mut click = stored(&acme, &shown("click_id")).await;
        let clicked_at = click["clicked_at"].as_str().unwrap().to_owned();
        click["date"] = json!(clicked_at[..10]);
        for (name, wanted) in MACROS {
            let wanted = match wanted.strip_prefix('=') {
                Some("timestamp") => {
                    let time = tallyback_server::domain::time::Timestamp::parse(&clicked_at).unwrap();
                    time.seconds().to_string()
                }
                Some(member) => click[member].as_str().unwrap_or_else(|| panic!("{member}")).to_owned(),
                None => wanted.to_owned(),
            };
            assert_eq!(shown(name), wanted, "{{{marker}{name}}} in {location}");
        }
        assert!(shown("random").parse::<u32>().is_ok(), "raw: {raw}: {location}");
        assert_eq!(
            parameter(&location, "kcid"),
            None,
            "a template with a click id gets no other: {location}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_values_keep_what_a_url_may_hold_and_encoded_ones_do_not() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let url =
        link(&acme, json!({"landing_url": "https://shop.example/?e={sub1}&r={!sub1}&c={click_id}#f"})).await;
    for (sent, encoded, raw) in [
        ("a%2Fb", "a%2Fb", "a/b"),
        ("a%20b", "a%20b", "a%20b"),
        ("a%26x%3Dy", "a%26x%3Dy", "a&x=y"),
        ("%C3%A9", "%C3%A9", "%C3%A9"),
        ("a%22%3Cb%3E", "a%22%3Cb%3E", "a%22%3Cb%3E"),
        ("50%25", "50%25", "50%"),
    ] {
        let location = fetch(Method::GET, &format!("{url}?sub1={sent}"), &[]).await.location();
        assert!(location.contains(&format!("?e={encoded}&r={raw}&c=1")), "{sent}: {location}");
        assert!(location.ends_with("#f"), "{sent}: {location}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_macro_without_a_value_is_empty() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let pairs: Vec<String> = MACROS.iter().map(|(name, _)| format!("m_{name}={{{name}}}")).collect();
    let url = link(&acme, json!({"landing_url": format!("https://shop.example/?{}", pairs.join("&"))})).await;
    let location = fetch(Method::GET, &url, &[]).await.location();
    let click = stored(&acme, &parameter(&location, "m_click_id").unwrap()).await;
    for (name, _) in MACROS.iter().filter(|(_, wanted)| !wanted.starts_with('=')) {
        assert_eq!(parameter(&location, &format!("m_{name}")).as_deref(), Some(""), "{name}: {location}");
    }
    assert_eq!(parameter(&location, "m_creative_id").as_deref(), Some(""));
    for name in ["country", "region", "isp", "browser", "os", "device_type", "language", "creative_id"] {
        assert_eq!(click[name], Value::Null, "{name}");
    }
}
