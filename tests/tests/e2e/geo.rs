//! Where visitors are, and whose their network is: from files of the operator's, which may be replaced at any time.

use std::{fs, path::Path, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use tallyback_server::{clock::Clock, config::Config};
use tallyback_tests::{Acme, BROWSER, Process, TestApp, TestDatabase, parameter};
use tempfile::TempDir;

use super::{
    clicks::{fetch, link, stored},
    geo_file, tallyback,
};

const NETWORK: [u8; 3] = [198, 51, 100];
const INSIDE: &str = "198.51.100.7";
const OUTSIDE: &str = "203.0.113.7";

fn trust_loopback(config: &mut Config) {
    config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
}

/// Country, region and provider of a click from an address: on the landing page, and as they are stored.
async fn located(acme: &Acme, url: &str, address: &str) -> [Value; 3] {
    let seen = fetch(Method::GET, url, &[("user-agent", BROWSER), ("x-forwarded-for", address)]).await;
    let location = seen.location();
    let click = stored(acme, &parameter(&location, "id").unwrap()).await;
    ["country", "region", "isp"].map(|name| {
        let shown = parameter(&location, name).unwrap();
        assert_eq!(click[name].as_str().unwrap_or_default(), shown, "{name}");
        click[name].clone()
    })
}

async fn landing(acme: &Acme) -> String {
    let landing = "https://shop.example/?id={click_id}&country={country}&region={region}&isp={isp}";
    link(acme, json!({"landing_url": landing})).await
}

/// Waits until clicks from the address are located as wanted.
async fn located_until(acme: &Acme, url: &str, wanted: [Value; 3]) {
    for _ in 0..100 {
        if located(acme, url, INSIDE).await == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{:?} instead of {wanted:?}", located(acme, url, INSIDE).await);
}

fn write(path: &Path, content: &[u8]) {
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, content).unwrap();
    fs::rename(fresh, path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn country_region_and_provider_come_from_the_operators_files() {
    let folder = TempDir::new().unwrap();
    let (places, providers) = (folder.path().join("city.mmdb"), folder.path().join("isp.mmdb"));
    for (place, provider, wanted) in [
        (geo_file::country(NETWORK, "DE"), None, [json!("DE"), Value::Null, Value::Null]),
        (geo_file::city(NETWORK, "DE", "BE"), None, [json!("DE"), json!("DE-BE"), Value::Null]),
        (
            geo_file::city(NETWORK, "CH", "ZH"),
            Some(geo_file::provider(NETWORK, "isp", "Example Net & Co")),
            [json!("CH"), json!("CH-ZH"), json!("Example Net & Co")],
        ),
        (
            geo_file::country(NETWORK, "AT"),
            Some(geo_file::provider(NETWORK, "autonomous_system_organization", "EXAMPLE-AS")),
            [json!("AT"), Value::Null, json!("EXAMPLE-AS")],
        ),
    ] {
        write(&places, &place);
        provider.iter().for_each(|provider| write(&providers, provider));
        let app = TestApp::with(Clock::System, |config| {
            trust_loopback(config);
            config.geo_database = Some(places.clone());
            config.isp_database = provider.is_some().then(|| providers.clone());
        })
        .await;
        let acme = app.acme().await;
        let url = landing(&acme).await;
        assert_eq!(located(&acme, &url, INSIDE).await, wanted);
        assert_eq!(located(&acme, &url, OUTSIDE).await, [Value::Null, Value::Null, Value::Null]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_replaced_is_read_again_and_a_bad_one_is_not() {
    let folder = TempDir::new().unwrap();
    let (places, providers) = (folder.path().join("city.mmdb"), folder.path().join("isp.mmdb"));
    write(&places, &geo_file::country(NETWORK, "DE"));
    write(&providers, &geo_file::provider(NETWORK, "isp", "Old"));
    let database = TestDatabase::create().await;
    let (places_text, providers_text) = (places.display().to_string(), providers.display().to_string());
    let args =
        ["--geo-database", &places_text, "--isp-database", &providers_text, "--trusted-proxies", "127.0.0.1"];
    let mut server = Process::serve(tallyback(), &database, &args).await;
    let acme = Acme::set_up(server.agency(&database).await).await;
    let url = landing(&acme).await;
    assert_eq!(located(&acme, &url, INSIDE).await, [json!("DE"), Value::Null, json!("Old")]);

    write(&places, &geo_file::city(NETWORK, "FR", "IDF"));
    located_until(&acme, &url, [json!("FR"), json!("FR-IDF"), json!("Old")]).await;
    write(&providers, &geo_file::provider(NETWORK, "isp", "New"));
    server.signal("HUP").await;
    located_until(&acme, &url, [json!("FR"), json!("FR-IDF"), json!("New")]).await;

    write(&places, b"not a database");
    let told = server.logged("the old geo database stays").await;
    assert!(told.contains(&places_text), "{told}");
    assert_eq!(located(&acme, &url, INSIDE).await, [json!("FR"), json!("FR-IDF"), json!("New")]);
    write(&places, &geo_file::country(NETWORK, "IT"));
    located_until(&acme, &url, [json!("IT"), Value::Null, json!("New")]).await;
}
