//! Every parameter of a tracking URL, under each of its names: where it is kept.

use serde_json::{Map, Value, json};
use tallyback_tests::{Acme, TestApp, visit};

use super::clicks::{link, stored};

/// What is kept under a name of its own, and what it may be called.
const KEPT: [(&str, &[&str]); 28] = [
    ("sub1", &["sub1", "aff_sub", "aff_sub1", "s1"]),
    ("sub2", &["sub2", "aff_sub2", "s2"]),
    ("sub3", &["sub3", "aff_sub3", "s3"]),
    ("sub4", &["sub4", "aff_sub4", "s4"]),
    ("sub5", &["sub5", "aff_sub5", "s5"]),
    ("sub6", &["sub6", "aff_sub6", "s6"]),
    ("sub7", &["sub7", "aff_sub7", "s7"]),
    ("sub8", &["sub8", "aff_sub8", "s8"]),
    ("sub9", &["sub9", "aff_sub9", "s9"]),
    ("sub10", &["sub10", "aff_sub10", "s10"]),
    ("site", &["site"]),
    ("source_id", &["source_id"]),
    ("ext_click_id", &["ext_click_id", "aff_click_id"]),
    ("cost", &["cost"]),
    ("idfa", &["idfa", "ios_ifa"]),
    ("gaid", &["gaid", "google_aid"]),
    ("gclid", &["gclid"]),
    ("gbraid", &["gbraid"]),
    ("wbraid", &["wbraid"]),
    ("fbclid", &["fbclid"]),
    ("ttclid", &["ttclid"]),
    ("msclkid", &["msclkid"]),
    ("gdpr", &["gdpr"]),
    ("gdpr_consent", &["gdpr_consent"]),
    ("gpp", &["gpp"]),
    ("gpp_sid", &["gpp_sid"]),
    ("publisher_id", &["publisher_id", "partner_id", "aff_id", "pid"]),
    ("creative_id", &["creative_id"]),
];
const COLUMNS: [&str; 3] = ["site", "source_id", "ext_click_id"];

/// The columns and the parameters of the click that a URL with this query makes.
async fn kept(acme: &Acme, url: &str, query: &str) -> (Vec<Value>, Map<String, Value>) {
    let click = stored(acme, &visit(&format!("{url}?{query}")).await.click_id()).await;
    let columns = COLUMNS.iter().map(|name| click[*name].clone()).collect();
    (columns, click["parameters"].as_object().unwrap().clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_parameter_is_kept_whatever_it_is_called() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    for (name, written) in &KEPT[..26] {
        for written in *written {
            let (columns, parameters) =
                kept(&acme, &acme.click_url(), &format!("{written}=a%20b%2Bc%C3%A9")).await;
            let wanted = |column: &str| if column == *name { json!("a b+cé") } else { Value::Null };
            assert_eq!(columns, COLUMNS.map(wanted), "{written}");
            let in_parameters = json!({*name: "a b+cé"}).as_object().unwrap().clone();
            let in_parameters = if COLUMNS.contains(name) { Map::new() } else { in_parameters };
            assert_eq!(parameters, in_parameters, "{written}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn publisher_and_creative_are_named_by_id_or_by_ones_own() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let open = link(&acme, json!({})).await;
    let creative = json!({"name": "Banner", "advertiser_id": acme.advertiser["id"], "external_id": "banner"});
    let creative = acme.agency.make("/v1/creatives", creative).await;
    let publisher = format!("/v1/publishers/{}", acme.publisher["id"].as_str().unwrap());
    acme.agency.patch(&publisher, json!({"external_id": "blog"})).await.expect(200);
    for (name, written) in &KEPT[26..] {
        let (thing, own) =
            if *name == "creative_id" { (&creative, "banner") } else { (&acme.publisher, "blog") };
        for written in *written {
            for value in [thing["id"].as_str().unwrap(), &format!("ext:{own}")] {
                let seen = visit(&format!("{open}?{written}={value}")).await;
                let click = stored(&acme, &seen.click_id()).await;
                assert_eq!(click[*name], thing["id"], "{written}={value}");
                assert_eq!(click["parameters"], json!({}), "{written}={value}");
            }
        }
        let seen = visit(&format!("{open}?{name}=ext:nobody")).await;
        assert_eq!(stored(&acme, &seen.click_id()).await[*name], Value::Null, "{name}");
    }
    // One that is paused sends nobody; one that is put away is none.
    let named = format!("{open}?pid=ext:blog");
    acme.agency.patch(&publisher, json!({"status": "paused"})).await.expect(200);
    let seen = visit(&named).await;
    assert_eq!((seen.status, &seen.location), (410, &None));
    let click = acme.agency.all("/v1/clicks").await.remove(0);
    let told = [&click["publisher_id"], &click["class"], &click["reason"]];
    assert_eq!(told, [&acme.publisher["id"], &json!("invalid"), &json!("publisher_paused")]);
    acme.agency.patch(&publisher, json!({"status": "archived"})).await.expect(200);
    let click = stored(&acme, &visit(&named).await.click_id()).await;
    assert_eq!((&click["publisher_id"], &click["class"]), (&Value::Null, &json!("human")));
    acme.agency.patch(&publisher, json!({"status": "active"})).await.expect(200);
    // What the link says stands.
    let other = acme.agency.make("/v1/publishers", json!({"name": "Other"})).await;
    let seen = visit(&format!("{}?pid={}", acme.click_url(), other["id"].as_str().unwrap())).await;
    assert_eq!(stored(&acme, &seen.click_id()).await["publisher_id"], acme.publisher["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_value_is_cut_and_flagged_whatever_its_name() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let (long, kept) = ("x".repeat(501), "x".repeat(500));
    for (name, written) in &KEPT[..26] {
        let seen = visit(&format!("{}?{}={long}", acme.click_url(), written[0])).await;
        let click = stored(&acme, &seen.click_id()).await;
        let value = if COLUMNS.contains(name) { &click[*name] } else { &click["parameters"][*name] };
        assert_eq!((value, &click["flags"]), (&json!(kept), &json!([format!("cut:{name}")])));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_means_nothing_is_not_kept() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    for query in
        ["", "sub0=1&sub11=1&s0=1&aff_sub11=1", "SUB1=1", "utm_source=x&foo=bar", "sub1=&s1", "sub%31=x"]
    {
        let (columns, parameters) = kept(&acme, &acme.click_url(), query).await;
        assert_eq!((columns, parameters), (vec![Value::Null; 3], Map::new()), "{query}");
    }
    let (_, parameters) = kept(&acme, &acme.click_url(), "s1=first&sub1=second&aff_sub=third").await;
    assert_eq!(Value::from(parameters), json!({"sub1": "first"}), "the first one counts");
}
