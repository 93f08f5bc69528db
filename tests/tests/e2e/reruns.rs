//! Postbacks that were refused for what the set-up said, judged again once it is mended.

use serde_json::{Value, json};
use tallyback_server::domain::time::Timestamp;
use tallyback_tests::{Acme, Answer, TestApp, client, now, signer};

use super::verify::verify;

const DAY: i64 = 86_400;

fn sale(goal: &str, click_id: &str, order_id: impl std::fmt::Display) -> Value {
    json!({"goal": goal, "click_id": click_id, "order_id": order_id.to_string(), "amount": "49.90", "currency": "EUR"})
}

fn with(mut body: Value, changes: Value) -> Value {
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// Reports what is refused; the id of its line in the log.
async fn refused(acme: &Acme, body: Value, code: &str) -> String {
    let answer = acme.report(body).await;
    assert_eq!(answer.body["code"], code, "{}", answer.text);
    text(&answer.body["postback_id"]).to_owned()
}

async fn change_goal(acme: &Acme, changes: Value) {
    acme.agency.patch(&format!("/v1/goals/{}", text(&acme.goal["id"])), changes).await.expect(200);
}

async fn rerun(acme: &Acme, id: &str) -> Answer {
    acme.agency.post(&format!("/v1/postbacks/{id}/rerun"), json!({})).await
}

async fn rerun_many(acme: &Acme, body: Value) -> Value {
    acme.agency.post("/v1/postbacks/rerun", body).await.expect(200)
}

async fn line(acme: &Acme, id: &str) -> Value {
    acme.agency.get(&format!("/v1/postbacks/{id}")).await.expect(200)
}

async fn conversions(acme: &Acme) -> Vec<Value> {
    acme.agency.all("/v1/conversions").await
}

async fn verified(app: &TestApp) {
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_would_come_to_can_be_asked_first() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let id = refused(&acme, sale("Purchase", &acme.click().await, "A-1"), "goal_mismatch").await;
    let ask = async |body: Value| acme.agency.post(&format!("/v1/postbacks/{id}/rerun"), body).await;
    ask(json!({"dry_run": true})).await.expect(200);
    change_goal(&acme, json!({"event_name": "Purchase"})).await;
    let dry = ask(json!({"dry_run": true})).await.expect(200);
    assert_eq!((&dry["code"], &dry["would_be"]), (&json!("validated"), &json!("accepted")), "{dry:#}");
    let problem = ask(json!({"dryrun": true})).await.refused(400, "malformed");
    assert_eq!(problem["errors"][0]["pointer"], "/dryrun", "{problem:#}");
    assert!(conversions(&acme).await.is_empty());
    assert_eq!(line(&acme, &id).await["reruns"], json!([]));

    let url = format!("{}/v1/postbacks/{id}/rerun", app.base_url);
    let bare = Answer::to(client().post(url).bearer_auth(&acme.agency.api_key)).await.expect(200);
    assert_eq!(bare["code"], "accepted", "{bare:#}");
    assert_eq!(conversions(&acme).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mended_name_counts_what_came_before_as_of_then() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    change_goal(&acme, json!({"click_window_seconds": 3_600, "reporting_delay_seconds": 3_600})).await;
    let click_id = acme.click().await;
    let id = refused(&acme, sale("Purchase", &click_id, "A-1"), "goal_mismatch").await;
    let before = line(&acme, &id).await;
    assert_eq!((&before["rerunnable"], &before["why_not_rerunnable"]), (&json!(true), &Value::Null));

    app.clock.advance(2 * DAY);
    change_goal(&acme, json!({"event_name": "Purchase"})).await;
    let late = acme.report_at(now() + 2 * DAY, sale("Purchase", &click_id, "A-2")).await;
    late.refused(410, "click_expired");
    let answer = rerun(&acme, &id).await.expect(200);
    assert_eq!((&answer["code"], &answer["postback_id"]), (&json!("accepted"), &json!(id)), "{answer:#}");

    let row = conversions(&acme).await.remove(0);
    assert_eq!(row["id"], answer["conversion_id"]);
    assert_eq!(row["postback_id"], json!(id));
    assert_eq!((&row["event_time"], &row["received_at"]), (&before["received_at"], &before["received_at"]));
    assert_ne!(row["updated_at"], before["received_at"], "it was written now");
    let day = &text(&before["received_at"])[..10];
    let report = format!("/v1/reports?dimensions=hour&from={day}T00:00:00Z");
    let report = acme.agency.get(&report).await.expect(200);
    let rows = report["rows"].as_array().unwrap();
    let counted = rows.iter().find(|row| row["conversions"]["total"] == 1).unwrap();
    let hour = &text(&before["received_at"])[..13];
    assert!(text(&counted["dimensions"]["hour"]).starts_with(hour), "{counted:#} is not in {hour}");

    let after = line(&acme, &id).await;
    for name in ["code", "http_status", "answer", "request", "conversion_id", "received_at"] {
        assert_eq!(after[name], before[name], "the line stays as it was");
    }
    assert_eq!(
        (&after["rerunnable"], &after["why_not_rerunnable"]),
        (&json!(false), &json!("rerun_counted"))
    );
    let reruns = after["reruns"].as_array().unwrap();
    assert_eq!(reruns.len(), 1, "{after:#}");
    assert_eq!((&reruns[0]["code"], &reruns[0]["position"]), (&json!("accepted"), &json!(1)));
    assert_eq!(reruns[0]["conversion_id"], answer["conversion_id"]);
    let event = acme.agency.all("/v1/audit-events").await.remove(0);
    assert_eq!((&event["action"], &event["subject"]), (&json!("postback.rerun"), &json!(id)));
    assert_eq!((&event["actor"], &event["created_at"]), (&reruns[0]["api_key_id"], &reruns[0]["created_at"]));

    let again = rerun(&acme, &id).await.expect(200);
    assert_eq!((&again["code"], &again["conversion_id"]), (&json!("duplicate"), &answer["conversion_id"]));
    assert_eq!(line(&acme, &id).await["reruns"].as_array().unwrap().len(), 1);
    let resent = acme.report_at(now() + 2 * DAY, sale("Purchase", &click_id, "A-1")).await.expect(200);
    assert_eq!((&resent["code"], &resent["conversion_id"]), (&json!("duplicate"), &answer["conversion_id"]));
    assert_eq!(conversions(&acme).await.len(), 1);
    verified(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_again_can_be_run_again() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let id = refused(&acme, sale("Purchase", &click_id, "A-1"), "goal_mismatch").await;
    let answer = rerun(&acme, &id).await.expect(200);
    assert_eq!((&answer["result"], &answer["code"]), (&json!("rejected"), &json!("goal_mismatch")));
    let seen = line(&acme, &id).await;
    assert_eq!((&seen["rerunnable"], &seen["reruns"][0]["code"]), (&json!(true), &json!("goal_mismatch")));
    assert!(conversions(&acme).await.is_empty());
    change_goal(&acme, json!({"event_name": "Purchase"})).await;
    assert_eq!(rerun(&acme, &id).await.expect(200)["code"], "accepted");
    let seen = line(&acme, &id).await;
    let told = |name: &str| -> Vec<Value> {
        seen["reruns"].as_array().unwrap().iter().map(|rerun| rerun[name].clone()).collect()
    };
    assert_eq!(
        (told("position"), told("code")),
        (vec![json!(1), json!(2)], vec![json!("goal_mismatch"), json!("accepted")])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reason_that_the_set_up_can_mend_is_mended() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let other = json!({"advertiser_id": acme.advertiser["id"], "name": "Winter", "landing_url": "https://shop.example"});
    let other = acme.agency.make("/v1/campaigns", other).await;
    let click_id = acme.click().await;
    for (number, (broken, mended, code)) in [
        (json!({"status": "paused"}), json!({"status": "active"}), "goal_inactive"),
        (json!({"campaign_ids": [other["id"]]}), json!({"campaign_ids": []}), "goal_not_in_campaign"),
        (json!({"modes": ["customer"]}), json!({"modes": ["transaction", "customer"]}), "mode_not_allowed"),
        (json!({"click_window_seconds": 1}), json!({"click_window_seconds": 3_600}), "click_expired"),
    ]
    .into_iter()
    .enumerate()
    {
        change_goal(&acme, broken).await;
        app.clock.advance(2);
        let id = refused(&acme, sale("purchase", &click_id, number), code).await;
        change_goal(&acme, mended).await;
        assert_eq!(rerun(&acme, &id).await.expect(200)["code"], "accepted", "{code}");
    }
    let rebill = json!({"goal": "purchase", "customer_id": "c-1", "order_id": "R-1", "amount": "1.00", "currency": "EUR"});
    let id = refused(&acme, rebill, "customer_not_found").await;
    let binding = with(sale("purchase", &click_id, "B-1"), json!({"customer_id": "c-1"}));
    acme.report(binding).await.expect(201);
    assert_eq!(rerun(&acme, &id).await.expect(200)["code"], "accepted");
    let path = format!("/v1/advertisers/{}", text(&acme.advertiser["id"]));
    acme.agency.patch(&path, json!({"currency": "EUR"})).await.expect(200);
    let foreign = with(sale("purchase", &click_id, "C-1"), json!({"currency": "SEK"}));
    let id = refused(&acme, foreign, "currency_invalid").await;
    let rates = json!({"rates": [{"base": "SEK", "quote": "EUR", "date": "2026-01-01", "rate": "0.09"}]});
    acme.agency.send(reqwest::Method::PUT, "/v1/currency-rates", Some(rates)).await.expect(200);
    assert_eq!(rerun(&acme, &id).await.expect(200)["code"], "accepted");
    let publisher = acme.agency.make("/v1/publishers", json!({"name": "Late"})).await;
    let path = format!("/v1/publishers/{}", text(&publisher["id"]));
    acme.agency.patch(&path, json!({"status": "paused"})).await.expect(200);
    let named = with(sale("purchase", &click_id, "P-1"), json!({"publisher_id": publisher["id"]}));
    let id = refused(&acme, named, "publisher_not_permitted").await;
    acme.agency.patch(&path, json!({"status": "active"})).await.expect(200);
    let answer = rerun(&acme, &id).await.expect(200);
    assert_ne!(answer["code"], "publisher_not_permitted", "{answer:#}");
    assert_eq!(conversions(&acme).await.len(), 7 + usize::from(answer["result"] == "accepted"));
    verified(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_run_again_says_why() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let mut cases = Vec::new();
    let counted = acme.report(sale("purchase", &click_id, "A-1")).await.expect(201);
    cases.push((text(&counted["postback_id"]).to_owned(), "accepted"));
    let again = acme.report(sale("purchase", &click_id, "A-1")).await.expect(200);
    cases.push((text(&again["postback_id"]).to_owned(), "accepted"));
    let conflict = with(sale("purchase", &click_id, "A-1"), json!({"amount": "1.00"}));
    cases.push((refused(&acme, conflict, "duplicate_conflict").await, "not_mendable"));
    cases
        .push((refused(&acme, sale("purchase", "short", "A-2"), "click_id_malformed").await, "not_mendable"));
    let literal = with(sale("purchase", &click_id, "{order_id}"), json!({"coupon": "{coupon}"}));
    cases.push((refused(&acme, literal, "unresolved_macro").await, "unresolved_macro"));
    let dry = with(sale("Purchase", &click_id, "A-4"), json!({"validate_only": true}));
    cases.push((refused(&acme, dry, "goal_mismatch").await, "dry_run"));
    let personal = sale("Purchase", &click_id, "jane@example.com");
    cases.push((refused(&acme, personal, "goal_mismatch").await, "personal_data_removed"));

    let body = sale("Purchase", &click_id, "A-5").to_string();
    let url = format!("{}/v1/conversions?validate_only=true", app.base_url);
    let request = client().post(url).header("content-type", "application/json");
    let dry = Answer::to(acme.signer().sign(request, "m_1", now(), body.as_bytes())).await;
    cases.push((text(&dry.refused(422, "goal_mismatch")["postback_id"]).to_owned(), "dry_run"));
    let url = format!("{}/v1/conversions/batch?validate_only=true", app.base_url);
    let request = client().post(url).header("content-type", "application/json");
    let body = format!("[{body}]");
    let dry = Answer::to(acme.signer().sign(request, "m_2", now(), body.as_bytes())).await.expect(200);
    cases.push((text(&dry["results"][0]["postback_id"]).to_owned(), "dry_run"));

    let key = json!({"name": "Test", "test": true, "advertiser_ids": [acme.advertiser["id"]]});
    let key = acme.agency.make("/v1/signing-keys", key).await;
    let request = client().post(format!("{}/v1/conversions", app.base_url));
    let request = request.header("content-type", "application/json");
    let body = sale("Purchase", &click_id, "A-6").to_string();
    let tested = Answer::to(signer(&key).sign(request, "m_3", now(), body.as_bytes())).await;
    cases.push((text(&tested.refused(422, "goal_mismatch")["postback_id"]).to_owned(), "test_key"));
    let request = client().post(format!("{}/v1/conversions", app.base_url));
    let request = request.header("content-type", "application/json");
    let forged = Answer::to(acme.signer().sign(request, "m_4", now(), b"{}").body(body)).await;
    forged.refused(401, "signature_invalid");
    let forged = acme.agency.all("/v1/postbacks?code=signature_invalid").await.remove(0);
    cases.push((text(&forged["id"]).to_owned(), "not_mendable"));

    change_goal(&acme, json!({"event_name": "Purchase"})).await;
    for (id, why) in &cases {
        let problem = rerun(&acme, id).await.refused(409, "not_rerunnable");
        assert_eq!(problem["why_not"], *why, "{problem:#}");
        let seen = line(&acme, id).await;
        assert_eq!((&seen["rerunnable"], &seen["why_not_rerunnable"]), (&json!(false), &json!(why)));
        assert_eq!(seen["reruns"], json!([]));
    }
    assert_eq!(acme.agency.all("/v1/postbacks?rerunnable=true").await.len(), 0);
    // Test keys' lines are listed apart.
    assert_eq!(acme.agency.all("/v1/postbacks?rerunnable=false").await.len(), cases.len() - 1);
    assert_eq!(rerun_many(&acme, json!({})).await["matched"], 0);
    assert_eq!(conversions(&acme).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn personal_data_that_was_not_kept_is_not_invented() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let extras =
        json!({"coupon": "jane@example.com", "adv_sub1": "kept", "metadata": {"mail": "jane@example.com"}});
    let id = refused(&acme, with(sale("Purchase", &click_id, "A-1"), extras), "goal_mismatch").await;
    change_goal(&acme, json!({"event_name": "Purchase"})).await;
    let answer = rerun(&acme, &id).await.expect(200);
    assert_eq!((&answer["code"], &answer["left_out"]), (&json!("accepted"), &json!(["coupon", "metadata"])));
    assert_eq!(conversions(&acme).await[0]["parameters"], json!({"adv_sub1": "kept"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_that_decides_nothing_is_left_out() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let extras = json!({"coupon": "{coupon}", "adv_sub1": "kept", "adv_sub2": "%SUB2%"});
    let id = refused(&acme, with(sale("purchase", &click_id, "A-1"), extras), "unresolved_macro").await;
    let decides = with(sale("purchase", &click_id, "A-2"), json!({"amount": "{amount}", "coupon": "{c}"}));
    let other = refused(&acme, decides, "unresolved_macro").await;
    let before = line(&acme, &id).await;
    assert_eq!((&before["rerunnable"], &before["why_not_rerunnable"]), (&json!(true), &Value::Null));
    assert_eq!(line(&acme, &other).await["why_not_rerunnable"], "unresolved_macro");
    let filter = json!({"filter": {"codes": ["unresolved_macro"]}});
    let ran = acme.agency.post("/v1/postbacks/rerun", filter).await.expect(200);
    assert_eq!((&ran["matched"], &ran["by_code"]), (&json!(1), &json!({"accepted": 1})), "{ran:#}");
    assert_eq!(ran["results"][0]["left_out"], json!(["adv_sub2", "coupon"]), "{ran:#}");
    let counted = conversions(&acme).await;
    assert_eq!((counted.len(), &counted[0]["parameters"]), (1, &json!({"adv_sub1": "kept"})));
    assert_eq!(counted[0]["received_at"], before["received_at"]);
    verified(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_count_once() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let id = refused(&acme, sale("Purchase", &click_id, "A-1"), "goal_mismatch").await;
    change_goal(&acme, json!({"event_name": "Purchase"})).await;
    let answers = futures_util::future::join_all((0..50).map(|_| rerun(&acme, &id))).await;
    let answers: Vec<Value> = answers.into_iter().map(|answer| answer.expect(200)).collect();
    let counted: Vec<_> = answers.iter().filter(|answer| answer["code"] == "accepted").collect();
    assert_eq!(counted.len(), 1);
    for answer in &answers {
        assert_eq!(answer["conversion_id"], counted[0]["conversion_id"], "{answer:#}");
    }
    assert_eq!(line(&acme, &id).await["reruns"].as_array().unwrap().len(), 1);
    acme.agency.report_until("", "/totals/conversions/total", json!(1)).await;
    verified(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_sale_refused_often_and_sent_again_meanwhile_counts_once() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(refused(&acme, sale("Purchase", &click_id, "A-1"), "goal_mismatch").await);
    }
    change_goal(&acme, json!({"event_name": "Purchase"})).await;
    let reruns = futures_util::future::join_all(ids.iter().map(|id| rerun(&acme, id)));
    let many = futures_util::future::join_all((0..4).map(|_| rerun_many(&acme, json!({}))));
    let resent = (0..20).map(|_| acme.report(sale("Purchase", &click_id, "A-1")));
    let (reruns, many, resent) = tokio::join!(reruns, many, futures_util::future::join_all(resent));
    let singly = reruns.iter().chain(&resent).filter(|answer| answer.body["code"] == "accepted").count();
    let together: i64 = many.iter().map(|outcome| outcome["counted"].as_i64().unwrap()).sum();
    assert_eq!(singly as i64 + together, 1);
    let conversion = conversions(&acme).await;
    assert_eq!(conversion.len(), 1);
    for answer in reruns.iter().chain(&resent) {
        assert_eq!(answer.body["conversion_id"], conversion[0]["id"], "{}", answer.text);
    }
    for id in &ids {
        assert_eq!(line(&acme, id).await["why_not_rerunnable"], "rerun_counted");
    }
    acme.agency.report_until("", "/totals/conversions/total", json!(1)).await;
    verified(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_counted_does_not_count_for_another_goal() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let id = refused(&acme, sale("Purchase", &click_id, "A-1"), "goal_mismatch").await;
    change_goal(&acme, json!({"event_name": "Purchase"})).await;
    let first = rerun(&acme, &id).await.expect(200);
    change_goal(&acme, json!({"event_name": "Old"})).await;
    acme.goal(json!({"event_name": "Purchase", "count": "per_order"})).await;
    let again = rerun(&acme, &id).await.expect(200);
    assert_eq!((&again["code"], &again["conversion_id"]), (&json!("duplicate"), &first["conversion_id"]));
    assert_eq!(conversions(&acme).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_takes_in_what_fits_and_says_when_there_is_more() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    for order in 0..5 {
        refused(&acme, sale("Purchase", &click_id, order), "goal_mismatch").await;
        app.clock.advance(1);
    }
    refused(&acme, sale("Something", &click_id, 5), "goal_mismatch").await;
    app.clock.advance(1);
    change_goal(&acme, json!({"status": "paused"})).await;
    refused(&acme, sale("purchase", &click_id, 6), "goal_inactive").await;
    change_goal(&acme, json!({"status": "active"})).await;
    let noon = acme.agency.all("/v1/postbacks").await[0]["received_at"].clone();
    let matched = async |filter: Value| {
        rerun_many(&acme, json!({"filter": filter, "dry_run": true})).await["matched"].clone()
    };
    assert_eq!(matched(json!({})).await, 7);
    assert_eq!(matched(json!({"codes": ["goal_mismatch"]})).await, 6);
    assert_eq!(matched(json!({"codes": ["goal_inactive", "mode_not_allowed"]})).await, 1);
    assert_eq!(matched(json!({"goal": "Purchase"})).await, 5);
    assert_eq!(matched(json!({"goal_id": acme.goal["id"]})).await, 1);
    assert_eq!(matched(json!({"advertiser_id": acme.advertiser["id"]})).await, 7);
    assert_eq!(matched(json!({"received_from": noon})).await, 1);
    assert_eq!(matched(json!({"received_to": noon})).await, 6);
    assert_eq!(acme.agency.all("/v1/postbacks?rerunnable=true&code=goal_mismatch").await.len(), 6);

    change_goal(&acme, json!({"event_name": "Purchase"})).await;
    let dry = rerun_many(&acme, json!({"filter": {"codes": ["goal_mismatch"]}, "dry_run": true})).await;
    assert_eq!((&dry["matched"], &dry["tried"], &dry["counted"]), (&json!(6), &json!(6), &json!(0)));
    assert_eq!(dry["by_code"], json!({"goal_mismatch": 1, "validated": 5}));
    assert_eq!((&dry["more"], &dry["next_after"]), (&json!(false), &Value::Null));
    assert_eq!(dry["results"][0]["would_be"], "accepted");
    assert!(dry["results"][0]["postback_id"].is_string(), "it says which");
    assert!(conversions(&acme).await.is_empty());
    assert_eq!(acme.agency.all("/v1/postbacks?rerunnable=true").await.len(), 7);
    assert!(
        acme.agency.all("/v1/audit-events").await.iter().all(|event| event["action"] != "postback.rerun")
    );

    let first = rerun_many(&acme, json!({"filter": {"codes": ["goal_mismatch"]}, "limit": 4})).await;
    assert_eq!((&first["matched"], &first["tried"], &first["counted"]), (&json!(6), &json!(4), &json!(4)));
    assert_eq!((&first["more"], &first["next_after"]), (&json!(true), &first["results"][3]["postback_id"]));
    let rest = json!({"filter": {"codes": ["goal_mismatch"]}, "limit": 4, "after": first["next_after"]});
    app.clock.advance(1);
    let rest = rerun_many(&acme, rest).await;
    assert_eq!((&rest["matched"], &rest["tried"], &rest["more"]), (&json!(2), &json!(2), &json!(false)));
    assert_eq!(rest["by_code"], json!({"accepted": 1, "goal_mismatch": 1}));
    let event = acme.agency.all("/v1/audit-events").await.remove(0);
    assert_eq!((&event["action"], &event["subject"]), (&json!("postback.rerun"), &json!("postbacks")));
    assert_eq!(event["details"]["by_code"], json!({"accepted": 1, "goal_mismatch": 1}));
    assert_eq!(conversions(&acme).await.len(), 5);
    verified(&app).await;

    for (body, pointer) in [
        (json!({"filter": {"codes": ["accepted"]}}), "/filter/codes"),
        (json!({"filter": {"received_from": "yesterday"}}), "/filter/received_from"),
        (json!({"filter": {"goal": "a\u{0}b"}}), "/filter/goal"),
        (json!({"after": "x"}), "/after"),
        (json!({"limit": 101}), "/limit"),
    ] {
        let problem = acme.agency.post("/v1/postbacks/rerun", body).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_partners_postbacks_are_not_found() {
    let app = TestApp::start().await;
    let (acme, stranger) = (app.acme().await, app.acme().await);
    let click_id = acme.click().await;
    let id = refused(&acme, sale("Purchase", &click_id, "A-1"), "goal_mismatch").await;
    change_goal(&acme, json!({"event_name": "Purchase"})).await;
    rerun(&stranger, &id).await.refused(404, "not_found");
    rerun(&stranger, "pbk_00000000000000000000000000").await.refused(404, "not_found");
    assert_eq!(rerun_many(&stranger, json!({})).await["matched"], 0);
    let foreign = json!({"filter": {"advertiser_id": acme.advertiser["id"]}});
    stranger.agency.post("/v1/postbacks/rerun", foreign).await.refused(404, "not_found");
    assert!(conversions(&acme).await.is_empty());
    assert_eq!(line(&acme, &id).await["reruns"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn caps_and_holds_apply_as_to_any_postback() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let goal = json!({"event_name": "lead", "count": "per_order", "caps": {"conversions_total": 1}, "hold_seconds": 5 * DAY});
    for order in 0..3 {
        refused(&acme, sale("lead", &click_id, order), "goal_mismatch").await;
    }
    app.clock.advance(2 * DAY);
    acme.goal(goal).await;
    let outcome = rerun_many(&acme, json!({})).await;
    assert_eq!(outcome["counted"], 3, "{outcome:#}");
    assert_eq!(outcome["by_code"], json!({"accepted_on_hold": 1, "accepted_pending": 2}), "{outcome:#}");
    let held = conversions(&acme).await.into_iter().find(|row| row["status"] == "on_hold").unwrap();
    let time = |name: &str| Timestamp::parse(text(&held[name])).unwrap();
    assert_eq!(time("hold_until").seconds_since(time("event_time")), 5 * DAY, "from the event on: {held:#}");
    verified(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_advertiser_that_observes_let_in_unsigned_keeps_its_mark() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let path = format!("/v1/advertisers/{}", text(&acme.advertiser["id"]));
    acme.agency.patch(&path, json!({"signing": "observe"})).await.expect(200);
    let click_id = acme.click().await;
    let request = client().post(format!("{}/v1/conversions", app.base_url));
    let request = request.header("content-type", "application/json").header("x-key-id", acme.signer().key_id);
    let body = with(sale("Purchase", &click_id, "A-1"), json!({"status": "approved"}));
    let answer = Answer::to(request.body(body.to_string())).await.refused(422, "goal_mismatch");
    let id = text(&answer["postback_id"]);
    let before = line(&acme, id).await;
    assert_eq!((&before["not_enforced"], &before["rerunnable"]), (&json!("signature_missing"), &json!(true)));
    change_goal(&acme, json!({"event_name": "Purchase", "default_status": "pending"})).await;
    let answer = rerun(&acme, id).await.expect(200);
    assert_eq!(
        (&answer["code"], &answer["status"]),
        (&json!("accepted_pending"), &json!("pending")),
        "{answer:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_with_a_token_waits_for_a_decision() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let path = format!("/v1/advertisers/{}", text(&acme.advertiser["id"]));
    acme.agency.patch(&path, json!({"static_token": "allowed"})).await.expect(200);
    let token = json!({"name": "Shop", "kind": "token", "advertiser_ids": [acme.advertiser["id"]], "allowed_ips": ["127.0.0.1"]});
    let token = acme.agency.make("/v1/signing-keys", token).await;
    let click_id = acme.click().await;
    let query = format!(
        "goal=Purchase&click_id={click_id}&order_id=A-1&amount=1.00&currency=EUR&token={}",
        text(&token["secret"])
    );
    let answer = Answer::to(client().get(format!("{}/v1/postback?{query}", app.base_url))).await;
    let id = answer.refused(422, "goal_mismatch")["postback_id"].clone();
    change_goal(&acme, json!({"event_name": "Purchase"})).await;
    let answer = rerun(&acme, text(&id)).await.expect(200);
    assert_eq!((&answer["code"], &answer["flags"]), (&json!("accepted_pending"), &json!(["weak_token"])));
}
