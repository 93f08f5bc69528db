//! Lists: pages, cursors, filters.

use serde_json::{Value, json};
use tallyback_tests::TestApp;

fn names(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_each_row_once_while_rows_come_and_go() {
    let app = TestApp::start().await;
    let agency = app.agency().await;
    let mut made = Vec::new();
    for number in 0..7 {
        made.push(agency.make("/v1/publishers", json!({"name": format!("p{number}")})).await);
    }
    let first = agency.get("/v1/publishers?limit=3").await.expect(200);
    assert_eq!(names(first["data"].as_array().unwrap()), ["p6", "p5", "p4"]);
    assert_eq!(first["has_more"], true);
    agency.make("/v1/publishers", json!({"name": "late"})).await;
    agency.archive(&format!("/v1/publishers/{}", made[2]["id"].as_str().unwrap())).await;
    let cursor = |page: &Value| page["next_cursor"].as_str().unwrap().to_owned();
    let second = agency.get(&format!("/v1/publishers?limit=3&cursor={}", cursor(&first))).await.expect(200);
    assert_eq!(names(second["data"].as_array().unwrap()), ["p3", "p1", "p0"]);
    assert_eq!((&second["has_more"], &second["next_cursor"]), (&json!(false), &Value::Null));
    let archived = agency.get("/v1/publishers?status=archived").await.expect(200);
    assert_eq!(names(archived["data"].as_array().unwrap()), ["p2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_belongs_to_one_list_of_one_partner() {
    let app = TestApp::start().await;
    let agency = app.agency().await;
    for name in ["a", "b"] {
        agency.make("/v1/publishers", json!({"name": name})).await;
        agency.make("/v1/advertisers", json!({"name": name})).await;
    }
    let page = agency.get("/v1/publishers?limit=1").await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    let other = app.agency().await;
    for wrong in [&cursor[1..], "", "AAAA", &cursor.to_lowercase(), &"A".repeat(4_000)] {
        agency.get(&format!("/v1/publishers?limit=1&cursor={wrong}")).await.refused(400, "cursor_invalid");
    }
    other.get(&format!("/v1/publishers?limit=1&cursor={cursor}")).await.refused(400, "cursor_invalid");
    agency.get(&format!("/v1/advertisers?limit=1&cursor={cursor}")).await.refused(400, "cursor_invalid");
    agency
        .get(&format!("/v1/publishers?limit=1&status=active&cursor={cursor}"))
        .await
        .refused(400, "cursor_invalid");
    agency.get(&format!("/v1/publishers?limit=2&cursor={cursor}")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_list_does_not_know_is_refused() {
    let app = TestApp::start().await;
    let agency = app.agency().await;
    for query in ["limit=0", "limit=101", "limit=-1", "status=asleep"] {
        agency.get(&format!("/v1/publishers?{query}")).await.refused(422, "validation_failed");
    }
    for query in ["limit=x", "shoe=42", "limit=1&limit=2"] {
        agency.get(&format!("/v1/publishers?{query}")).await.refused(400, "malformed");
    }
    for list in ["postbacks?order_id", "conversions?order_id", "postbacks?goal_id", "clicks?link_id"] {
        agency.get(&format!("/v1/{list}=%ff")).await.refused(400, "malformed");
    }
    agency.get("/v1/postbacks?code=shoe").await.refused(422, "validation_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_can_be_filtered() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let sister = tallyback_tests::Acme::set_up(acme.agency.clone()).await;
    for brand in [&acme, &sister] {
        let click_id = brand.click().await;
        brand.sdk().record(&tallyback_tests::Acme::sale(&click_id, "A-1")).await.unwrap();
    }
    let id = |thing: &Value| thing["id"].as_str().unwrap().to_owned();
    for (list, filters) in [
        (
            "clicks",
            vec![
                ("advertiser_id", &acme.advertiser),
                ("campaign_id", &acme.campaign),
                ("link_id", &acme.link),
                ("publisher_id", &acme.publisher),
            ],
        ),
        (
            "conversions",
            vec![
                ("advertiser_id", &acme.advertiser),
                ("campaign_id", &acme.campaign),
                ("goal_id", &acme.goal),
                ("publisher_id", &acme.publisher),
            ],
        ),
        ("postbacks", vec![("advertiser_id", &acme.advertiser), ("goal_id", &acme.goal)]),
    ] {
        assert_eq!(acme.agency.all(&format!("/v1/{list}")).await.len(), 2, "{list}");
        for (name, thing) in filters {
            let rows = acme.agency.all(&format!("/v1/{list}?{name}={}", id(thing))).await;
            assert_eq!(rows.len(), 1, "{list} {name}");
            assert_eq!(rows[0]["advertiser_id"], acme.advertiser["id"], "{list} {name}");
        }
    }
    assert_eq!(acme.agency.all("/v1/conversions?status=approved").await.len(), 2);
    assert_eq!(acme.agency.all("/v1/conversions?status=rejected").await.len(), 0);
}
