//! The whole way of a conversion.

use serde_json::json;
use tallyback::{ConversionStatus, Outcome};
use tallyback_tests::{Acme, TestApp, visit};

#[tokio::test(flavor = "multi_thread")]
async fn a_click_becomes_a_conversion_and_a_line_of_the_report() {
    let app = TestApp::start().await;
    let acme = app.acme().await;

    let seen = visit(&format!("{}?sub1=banner", acme.click_url())).await;
    assert_eq!(seen.status, 302);
    assert_eq!(seen.answer.header("cache-control"), Some("no-store"));
    assert_eq!(seen.answer.text, "");
    assert!(seen.location.as_deref().unwrap().starts_with("https://shop.example/sale?kcid="));
    let click_id = seen.click_id();
    assert!(
        click_id.len() <= 40
            && click_id.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
    );

    let recorded = acme.sdk().record(&Acme::sale(&click_id, "A-1")).await.unwrap();
    assert_eq!((recorded.outcome, recorded.status), (Outcome::Accepted, Some(ConversionStatus::Approved)));
    let conversion_id = recorded.conversion_id.unwrap();

    let click = acme.agency.get(&format!("/v1/clicks/{click_id}")).await.expect(200);
    assert_eq!(click["link_id"], acme.link["id"]);
    assert_eq!(click["publisher_id"], acme.publisher["id"]);
    assert_eq!((&click["class"], &click["browser"]), (&json!("human"), &json!("Chrome")));
    assert_eq!(click["parameters"], json!({"sub1": "banner"}));

    let conversion = acme.agency.get(&format!("/v1/conversions/{conversion_id}")).await.expect(200);
    for (name, wanted) in [
        ("status", json!("approved")),
        ("click_id", json!(click_id)),
        ("order_id", json!("A-1")),
        ("amount", json!("49.90")),
        ("currency", json!("EUR")),
        ("payout", json!("4.99")),
        ("revenue", json!("6.2375")),
        ("advertiser_id", acme.advertiser["id"].clone()),
        ("campaign_id", acme.campaign["id"].clone()),
        ("link_id", acme.link["id"].clone()),
        ("publisher_id", acme.publisher["id"].clone()),
        ("goal_id", acme.goal["id"].clone()),
    ] {
        assert_eq!(conversion[name], wanted, "{name}");
    }

    let line = acme.agency.get(&format!("/v1/postbacks/{}", recorded.postback_id.unwrap())).await.expect(200);
    assert_eq!((&line["code"], &line["http_status"]), (&json!("accepted"), &json!(201)));
    assert_eq!((&line["conversion_id"], &line["key_id"]), (&json!(conversion_id), &acme.key["id"]));
    assert_eq!(line["answer"]["conversion_id"], json!(conversion_id));

    let report = acme.agency.report_until("", "/totals/conversions/approved", json!(1)).await;
    assert_eq!((&report["totals"]["clicks"], &report["totals"]["conversion_rate"]), (&json!(1), &json!(1.0)));
    let money = &report["totals"]["money"][0];
    assert_eq!(money["currency"], "EUR");
    assert_eq!(
        (&money["amount"], &money["payout"], &money["revenue"]),
        (&json!("49.90"), &json!("4.99"), &json!("6.2375"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_groups_by_every_dimension() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let other = acme.agency.make("/v1/publishers", json!({"name": "Video channel"})).await;
    let other_link =
        json!({"campaign_id": acme.campaign["id"], "publisher_id": other["id"], "name": "Video"});
    let other_link = acme.agency.make("/v1/links", other_link).await;
    acme.click().await;
    acme.click().await;
    let converting = visit(other_link["click_url"].as_str().unwrap()).await.click_id();
    acme.sdk().record(&Acme::sale(&converting, "A-1")).await.unwrap();
    acme.agency.report_until("", "/totals/conversions/total", json!(1)).await;

    let by_publisher = acme.agency.get("/v1/reports?dimensions=publisher").await.expect(200);
    let row = |id: &serde_json::Value| {
        let rows = by_publisher["rows"].as_array().unwrap();
        rows.iter().find(|row| &row["dimensions"]["publisher"] == id).unwrap().clone()
    };
    let (first, second) = (row(&acme.publisher["id"]), row(&other["id"]));
    assert_eq!(
        (&first["clicks"], &first["conversions"]["total"], &first["conversion_rate"]),
        (&json!(2), &json!(0), &json!(0.0))
    );
    assert_eq!(
        (&second["clicks"], &second["conversions"]["total"], &second["conversion_rate"]),
        (&json!(1), &json!(1), &json!(1.0))
    );

    for dimension in ["hour", "day", "advertiser", "campaign", "creative", "link", "publisher", "goal"] {
        let report = acme.agency.get(&format!("/v1/reports?dimensions={dimension}")).await.expect(200);
        let rows = report["rows"].as_array().unwrap();
        let clicks: i64 = rows.iter().map(|row| row["clicks"].as_i64().unwrap()).sum();
        let conversions: i64 = rows.iter().map(|row| row["conversions"]["total"].as_i64().unwrap()).sum();
        assert_eq!((clicks, conversions), (3, 1), "{dimension}: {report:#}");
        assert!(rows.iter().all(|row| row["dimensions"].get(dimension).is_some()), "{dimension}: {report:#}");
    }
    let all =
        acme.agency.get("/v1/reports?dimensions=day,advertiser,campaign,link,publisher").await.expect(200);
    assert_eq!(all["rows"].as_array().unwrap().len(), 2, "{all:#}");

    let only = |name: &str, id: &serde_json::Value| format!("/v1/reports?{name}={}", id.as_str().unwrap());
    let narrowed = acme.agency.get(&only("link_id", &other_link["id"])).await.expect(200);
    assert_eq!(
        (&narrowed["totals"]["clicks"], &narrowed["totals"]["conversions"]["total"]),
        (&json!(1), &json!(1))
    );
    let narrowed = acme.agency.get(&only("publisher_id", &acme.publisher["id"])).await.expect(200);
    assert_eq!(
        (&narrowed["totals"]["clicks"], &narrowed["totals"]["conversions"]["total"]),
        (&json!(2), &json!(0))
    );

    let past = acme.agency.get("/v1/reports?from=2020-01-01&to=2020-01-02").await.expect(200);
    assert_eq!((&past["rows"], &past["totals"]["clicks"]), (&json!([]), &json!(0)));
    assert_eq!(past["totals"]["conversion_rate"], json!(null));
    let wrong = acme
        .agency
        .get("/v1/reports?dimensions=shoe,day,day&from=2026-13-01")
        .await
        .refused(422, "validation_failed");
    assert!(wrong["errors"].as_array().unwrap().len() >= 2, "{wrong:#}");
}
