//! Customers that come again: bound to the click of their first event, and counted apart.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tallyback_server::clock::Clock;
use tallyback_tests::{Acme, TestApp, visit};

use super::verify::verify;

const DAY: i64 = 86_400;

/// A sign-up by click, and a renewal that pays 2 euros, each order once.
async fn subscriptions(acme: &Acme, changes: Value) -> Value {
    acme.goal(json!({"event_name": "sign_up"})).await;
    let mut renewal = json!({"event_name": "renewal", "count": "per_order", "currency": "EUR",
        "payout": {"type": "fixed", "amount": "2"}});
    renewal.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    acme.goal(renewal).await
}

fn sign_up(click_id: &str, customer: &str) -> Value {
    json!({"goal": "sign_up", "click_id": click_id, "customer_id": customer})
}

fn renewal(customer: &str, order: &str) -> Value {
    json!({"goal": "renewal", "customer_id": customer, "order_id": order})
}

async fn conversion(acme: &Acme, made: &Value) -> Value {
    let path = format!("/v1/conversions/{}", made["conversion_id"].as_str().unwrap());
    acme.agency.get(&path).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_credited_to_the_click_of_the_first_event() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    subscriptions(&acme, json!({})).await;
    let unknown = acme.report(renewal("C-1", "R-0")).await.refused(404, "customer_not_found");
    assert_eq!(unknown["retry"], "after_fix");
    let click_id = acme.click().await;
    acme.report(sign_up(&click_id, "C-1")).await.expect(201);
    let made = acme.report(renewal("C-1", "R-0")).await.expect(201);
    let shown = conversion(&acme, &made).await;
    assert_eq!((&shown["match_mode"], &shown["rebill"]), (&json!("customer"), &json!(true)));
    assert_eq!((&shown["click_id"], &shown["publisher_id"]), (&json!(click_id), &acme.publisher["id"]));
    assert_eq!((&shown["campaign_id"], &shown["link_id"]), (&acme.campaign["id"], &acme.link["id"]));

    assert_eq!(acme.report(renewal("C-1", "R-0")).await.expect(200)["code"], "duplicate");
    acme.report(json!({"goal": "renewal", "customer_id": "C-1"})).await.refused(422, "order_id_required");
    acme.report(renewal("C-2", "R-9")).await.refused(404, "customer_not_found");
    acme.report(renewal("jane@example.com", "R-9")).await.refused(400, "malformed");

    let report = acme.agency.report_until("dimensions=campaign", "/totals/rebills/approved", json!(1)).await;
    let row = &report["rows"][0];
    assert_eq!(
        (&row["conversions"]["total"], &row["rebills"]["total"]),
        (&json!(1), &json!(1)),
        "{report:#}"
    );
    assert_eq!((&row["conversion_rate"], &row["money"][0]["payout"]), (&json!(1.0), &json!("2.00")));
    assert_eq!((&row["money"][0]["rebills"], &row["money"][0]["epc"]), (&json!(1), &json!("2.00")));
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_binding_stands_and_another_click_is_a_contradiction() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    subscriptions(&acme, json!({})).await;
    let (first, second) = (acme.click().await, visit(&acme.click_url()).await.click_id());
    let mut rejected = sign_up(&second, "C-1");
    rejected["status"] = json!("rejected");
    acme.report(rejected).await.expect(201);
    acme.report(renewal("C-1", "R-1")).await.refused(404, "customer_not_found");
    assert_eq!(acme.report(sign_up(&first, "C-1")).await.expect(201)["flags"], json!([]));
    let third = visit(&acme.click_url()).await.click_id();
    let other = acme.report(sign_up(&third, "C-1")).await.expect(201);
    assert_eq!(other["flags"], json!(["customer_mismatch"]), "the click wins");
    assert_eq!(conversion(&acme, &other).await["click_id"], json!(third));
    let made = acme.report(renewal("C-1", "R-1")).await.expect(201);
    assert_eq!(conversion(&acme, &made).await["click_id"], json!(first));
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_of_one_advertiser_are_nobody_elses() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let (sister, stranger) = (Acme::set_up(acme.agency.clone()).await, app.acme().await);
    for acme in [&acme, &sister, &stranger] {
        subscriptions(acme, json!({})).await;
    }
    acme.report(sign_up(&acme.click().await, "C-1")).await.expect(201);
    for other in [&sister, &stranger] {
        other.report(renewal("C-1", "R-1")).await.refused(404, "customer_not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebill_has_a_window_of_its_own_from_the_click_on() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let goal = subscriptions(&acme, json!({"rebill_window_seconds": 60 * DAY})).await;
    assert_eq!(acme.goal["rebill_window_seconds"], 365 * DAY);
    let click_id = acme.click().await;
    app.clock.advance(10 * DAY);
    acme.report_at(app.clock.now().seconds(), sign_up(&click_id, "C-1")).await.expect(201);
    app.clock.advance(50 * DAY);
    acme.report_at(app.clock.now().seconds(), renewal("C-1", "R-1")).await.expect(201);
    app.clock.advance(1);
    let expired =
        acme.report_at(app.clock.now().seconds(), renewal("C-1", "R-2")).await.refused(410, "click_expired");
    assert_eq!(
        (&expired["age_seconds"], &expired["window_seconds"]),
        (&json!(60 * DAY + 1), &json!(60 * DAY))
    );
    assert_eq!(
        acme.report_at(app.clock.now().seconds(), renewal("C-1", "R-1")).await.expect(200)["code"],
        "duplicate"
    );
    let mut early = renewal("C-1", "R-3");
    early["event_time"] = json!(app.clock.now().plus_seconds(-61 * DAY).to_string());
    acme.report_at(app.clock.now().seconds(), early).await.refused(422, "conversion_precedes_click");
    assert_eq!(goal["max_rebills"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_comes_as_often_as_the_goal_pays_for() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    subscriptions(&acme, json!({"max_rebills": 2})).await;
    acme.report(sign_up(&acme.click().await, "C-1")).await.expect(201);
    acme.report(sign_up(&visit(&acme.click_url()).await.click_id(), "C-2")).await.expect(201);
    let answers =
        join_all((0..20).map(async |number| acme.report(renewal("C-1", &format!("R-{number}"))).await.body))
            .await;
    let approved = answers.iter().filter(|answer| answer["status"] == "approved").count();
    let over = answers
        .iter()
        .filter(|answer| answer["flags"] == json!(["over_max_rebills"]) && answer["status"] == "pending");
    assert_eq!((approved, over.count()), (2, 18));
    acme.report(renewal("C-2", "R-a")).await.expect(201);
    let own = acme.report(renewal("C-1", "R-b")).await.expect(202);
    assert_eq!(own["flags"], json!(["over_max_rebills"]));
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_clicks_that_bind_a_customer_at_once_one_wins() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    subscriptions(&acme, json!({})).await;
    let there = match app.database.is_postgres() {
        true => Some(TestApp::on(app.database.shared(), Clock::System, |_| {}).await),
        false => None,
    };
    let other = there.as_ref().map_or_else(|| acme.clone(), |there| acme.at(&there.base_url));
    let clicks = join_all((0..20).map(async |_| visit(&acme.click_url()).await.click_id())).await;
    let bound = join_all(clicks.iter().enumerate().map(async |(number, click_id)| {
        let acme = if number % 2 == 0 { &acme } else { &other };
        acme.report(sign_up(click_id, "C-1")).await.expect(201)
    }));
    let came =
        join_all((0..20).map(async |number| acme.report(renewal("C-1", &format!("R-{number}"))).await));
    let (_, came) = tokio::join!(bound, came);
    assert!(came.iter().all(|answer| [201, 404].contains(&answer.status)), "{came:?}");
    for number in 20..25 {
        acme.report(renewal("C-1", &format!("R-{number}"))).await.expect(201);
    }
    let rows = acme.agency.all("/v1/conversions").await;
    let rebills: Vec<&Value> =
        rows.iter().filter(|row| row["rebill"] == true).map(|row| &row["click_id"]).collect();
    assert!(rebills.len() >= 5 && rebills.iter().all(|click| *click == rebills[0]), "{rebills:?}");
    assert_eq!(app.database.db_number("SELECT count(*) FROM customer_bindings").await, 1);
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_a_click_is_not_counted_again_for_the_customer() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    subscriptions(&acme, json!({"count": "once"})).await;
    let click_id = acme.click().await;
    let by_click = json!({"goal": "renewal", "click_id": click_id, "customer_id": "C-1", "order_id": "R-1"});
    acme.report(by_click).await.expect(201);
    assert_eq!(acme.report(renewal("C-1", "R-1")).await.expect(200)["code"], "duplicate", "the same order");
    acme.report(renewal("C-1", "R-2")).await.expect(201);
    let other = visit(&acme.click_url()).await.click_id();
    acme.report(sign_up(&other, "C-2")).await.expect(201);
    acme.report(renewal("C-2", "R-1")).await.refused(409, "order_attributed_elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_and_a_hash_are_remembered_and_a_mismatch_is_flagged() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    subscriptions(&acme, json!({})).await;
    acme.goal(json!({"event_name": "order", "count": "per_order"})).await;
    let click_id = acme.click().await;
    let (hash, other) = ("a".repeat(64), "b".repeat(64));
    let with = |mut body: Value, lead: Option<&str>, hash: Option<&str>| {
        body["lead_id"] = json!(lead);
        body["email_sha256"] = json!(hash);
        body
    };
    let order = |name: &str| json!({"goal": "order", "click_id": click_id, "order_id": name});
    let flags = async |body: Value| acme.report(body).await.expect(201)["flags"].clone();
    assert_eq!(flags(with(sign_up(&click_id, "C-1"), Some("L-1"), None)).await, json!([]));
    assert_eq!(flags(with(order("1"), Some("L-1"), Some(&hash))).await, json!([]));
    assert_eq!(
        flags(with(order("2"), Some("L-2"), Some(&hash.to_uppercase()))).await,
        json!(["lead_id_mismatch"])
    );
    assert_eq!(flags(with(order("3"), None, Some(&other))).await, json!(["email_mismatch"]));
    assert_eq!(flags(order("4")).await, json!([]), "what is not said cannot differ");
    let both = json!(["lead_id_mismatch", "email_mismatch"]);
    assert_eq!(flags(with(renewal("C-1", "5"), Some("l-1"), Some(&other))).await, both);
    assert_eq!(flags(with(renewal("C-1", "6"), Some("L-1"), Some(&hash))).await, json!([]));
}
