//! Links that ask for consent: without it, a visit leaves nothing but a number.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tallyback_tests::{Acme, Answer, TestApp, client, visit};

use super::{clicks::link, verify::verify};

/// A TC string (IAB TCF v2) that grants these purposes, of 1 to 8.
fn tc_string(purposes: u8) -> String {
    let mut core = [0; 24];
    (core[0], core[19]) = (2 << 2, purposes);
    format!("{}.YAAAAAAAAAAA", URL_SAFE_NO_PAD.encode(core))
}

async fn restrictive(acme: &Acme) -> String {
    let landing = "https://shop.example/sale?s={sub1}";
    link(
        acme,
        json!({"consent": "restrictive", "landing_url": landing, "publisher_id": acme.publisher["id"]}),
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_consent_a_click_leaves_nothing_but_a_number() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let url = restrictive(&acme).await;
    let (granted, refused) = (tc_string(0x80), tc_string(0x7f));
    let refusals = [
        "gdpr=1".to_owned(),
        "gdpr=1&gdpr_consent=".to_owned(),
        "gdpr=1&gdpr_consent=nonsense".to_owned(),
        format!("gdpr=1&gdpr_consent={refused}"),
        format!("gpp_sid=2&gpp=DBABMA~{refused}"),
    ];
    for query in &refusals {
        let seen = visit(&format!("{url}?sub1=x&{query}")).await;
        assert_eq!(
            (seen.status, seen.location.as_deref()),
            (302, Some("https://shop.example/sale?s=x")),
            "{query}"
        );
        assert_eq!(seen.answer.header("cache-control"), Some("no-store"));
    }
    assert_eq!(acme.agency.all("/v1/clicks").await, Vec::<Value>::new());
    let report = acme.agency.report_until("dimensions=link", "/totals/no_consent_clicks", json!(5)).await;
    assert_eq!(report["totals"]["clicks"], 0);

    for query in [
        String::new(),
        "gdpr=0".to_owned(),
        format!("gdpr=1&gdpr_consent={granted}"),
        format!("gpp_sid=2&gpp=DBABMA~{granted}"),
    ] {
        assert!(visit(&format!("{url}?{query}")).await.click_id.is_some(), "{query}");
    }
    let ignoring = visit(&format!("{}?gdpr=1", acme.click_url())).await;
    assert!(ignoring.click_id.is_some(), "a link that does not ask tracks everybody");
    assert_eq!(acme.agency.all("/v1/clicks").await.len(), 5);
    let verified = verify(&app.database, &[]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn consent_is_asked_for_at_every_door() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let url = restrictive(&acme).await;
    let code = url.rsplit('/').next().unwrap();
    let told = json!({"link": code, "parameters": {"gdpr": "1", "sub1": "x"}});
    let click = acme.agency.make("/v1/clicks", told.clone()).await;
    assert_eq!(
        click,
        json!({"click_id": null, "landing_url": "https://shop.example/sale?s=x", "class": null, "reason": "consent_refused", "flags": []})
    );
    let impression = acme.agency.make("/v1/impressions", told).await;
    assert_eq!(
        impression,
        json!({"impression_id": null, "class": null, "reason": "consent_refused", "flags": []})
    );
    let pixel = Answer::to(client().get(format!("{}?gdpr=1", url.replace("/c/", "/i/")))).await;
    assert_eq!((pixel.status, pixel.header("content-type")), (200, Some("image/gif")));
    let preview = acme.agency.get(&format!("/c/{code}?gdpr=1&preview=1")).await.expect(200);
    assert_eq!([&preview["class"], &preview["reason"]], [&Value::Null, &json!("consent_refused")]);
    assert_eq!(preview["url"], "https://shop.example/sale?s=");
    for list in ["clicks", "impressions"] {
        assert_eq!(acme.agency.all(&format!("/v1/{list}")).await, Vec::<Value>::new(), "{list}");
    }
    let report = acme.agency.report_until("", "/totals/filtered_impressions", json!(2)).await;
    assert_eq!(
        [&report["totals"]["no_consent_clicks"], &report["totals"]["impressions"]],
        [&json!(1), &json!(0)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_link_does_about_consent_can_be_changed() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let path = format!("/v1/links/{}", acme.link["id"].as_str().unwrap());
    assert_eq!(acme.link["consent"], "ignore");
    let changed = acme.agency.patch(&path, json!({"consent": "restrictive"})).await.expect(200);
    assert_eq!(changed["consent"], "restrictive");
    assert_eq!(visit(&format!("{}?gdpr=1", acme.click_url())).await.click_id, None);
    acme.agency.patch(&path, json!({"consent": "maybe"})).await.refused(422, "validation_failed");
    acme.agency.patch(&path, json!({"consent": null})).await.refused(400, "malformed");
}
