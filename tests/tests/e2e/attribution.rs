//! Which reports count, and as what.

use serde_json::{Value, json};
use tallyback_server::jobs;
use tallyback_tests::{Acme, TestApp, now, visit};

use super::tables::number;

const DAY: i64 = 86_400;

fn sale(click_id: &str, order_id: &str) -> Value {
    json!({"goal": "purchase", "click_id": click_id, "order_id": order_id, "amount": "49.90", "currency": "EUR"})
}

async fn conversions(acme: &Acme) -> usize {
    acme.agency.all("/v1/conversions").await.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_click_id_is_told_from_an_unknown_one() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let stranger = app.acme().await;
    let click_id = acme.click().await;
    for damaged in [&click_id[..15], &format!("{click_id}0"), &click_id[1..], &format!(" {click_id}"), "x"] {
        let problem = acme.report(sale(damaged, "A-1")).await.refused(400, "click_id_malformed");
        assert_eq!(problem["retry"], "no");
        assert!(problem["conversion_id"].is_null() && problem["postback_id"].is_string());
    }
    let cut = acme.report(sale(&click_id[..15], "A-1")).await.refused(400, "click_id_malformed");
    assert!(cut["detail"].as_str().unwrap().contains("15 of 35"), "{cut:#}");

    let mut answers = Vec::new();
    let last = if click_id.ends_with('0') { "1" } else { "0" };
    let altered = format!("{}{last}", &click_id[..click_id.len() - 1]);
    let invented = format!("1{}", "0".repeat(click_id.len() - 1));
    let foreign = stranger.click().await;
    for id in [&altered, &invented, &foreign] {
        let mut problem = acme.report(sale(id, "A-1")).await.refused(404, "click_not_found");
        for own in ["postback_id", "request_id"] {
            assert!(problem.as_object_mut().unwrap().remove(own).is_some_and(|id| id.is_string()));
        }
        answers.push(problem);
    }
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:#?}");
    assert_eq!(conversions(&acme).await + conversions(&stranger).await, 0);

    acme.report(sale(&click_id.to_uppercase(), "A-1")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_of_another_advertiser_is_not_found_or_a_mismatch() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let sister = Acme::set_up(acme.agency.clone()).await;
    let click_id = sister.click().await;
    acme.report(sale(&click_id, "A-1")).await.refused(404, "click_not_found");

    let both = acme.agency.make("/v1/signing-keys", json!({"name": "All advertisers"})).await;
    let acme = Acme { key: both, ..acme };
    let mut named = sale(&click_id, "A-1");
    named["advertiser"] = acme.advertiser["id"].clone();
    acme.report(named.clone()).await.refused(422, "advertiser_mismatch");
    named["advertiser"] = sister.advertiser["id"].clone();
    acme.report(named).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_expires_with_the_goals_window() {
    let app = TestApp::at(-30 * DAY - 10).await;
    let acme = app.acme().await;
    let (in_time, late) = (acme.click().await, acme.click().await);
    app.clock.advance(30 * DAY);
    acme.report_at(app.clock.now().seconds(), sale(&in_time, "A-1")).await.expect(201);
    app.clock.advance(1);
    let problem =
        acme.report_at(app.clock.now().seconds(), sale(&late, "A-2")).await.refused(410, "click_expired");
    assert_eq!(
        (&problem["window_seconds"], &problem["age_seconds"]),
        (&json!(30 * DAY), &json!(30 * DAY + 1)),
        "{problem:#}"
    );
    // The event counts, not the report: this one happened in time.
    let mut reported_late = sale(&late, "A-2");
    reported_late["event_time"] = json!(app.clock.now().seconds() - DAY);
    acme.report_at(app.clock.now().seconds(), reported_late).await.expect(201);
    // A repetition is never an error, however late it comes.
    let again = acme.report_at(app.clock.now().seconds(), sale(&in_time, "A-1")).await.expect(200);
    assert_eq!(again["code"], "duplicate");
}

#[tokio::test(flavor = "multi_thread")]
async fn times_have_bounds() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let at = |time: Value| {
        let mut body = sale(&click_id, "A-1");
        body["event_time"] = time;
        body
    };
    acme.report(at(json!(now() - 60))).await.refused(422, "conversion_precedes_click");
    acme.report(at(json!(now() + 660))).await.refused(422, "event_in_future");
    acme.report(at(json!(now() * 1_000))).await.refused(422, "timestamp_in_milliseconds");
    acme.report(at(json!((now() * 1_000).to_string()))).await.refused(422, "timestamp_in_milliseconds");
    acme.report(at(json!("yesterday"))).await.refused(400, "malformed");
    acme.report(at(json!(now()))).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_may_come_late_but_not_for_ever() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let mut body = sale(&click_id, "A-1");
    body["event_time"] = json!(app.clock.now().seconds());
    app.clock.advance(120 * DAY + 1);
    let problem = acme
        .report_at(app.clock.now().seconds(), body.clone())
        .await
        .refused(422, "reporting_delay_exceeded");
    assert_eq!(problem["longest_seconds"], 120 * DAY);
    app.clock.advance(-1);
    acme.report_at(app.clock.now().seconds(), body).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_goal_is_named_byte_for_byte() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    acme.goal(json!({"event_name": "signup"})).await;
    let click_id = acme.click().await;
    for name in ["Purchase", "purchase ", "PURCHASE", "purchas", "purchasé"] {
        let mut body = sale(&click_id, "A-1");
        body["goal"] = json!(name);
        let problem = acme.report(body).await.refused(422, "goal_mismatch");
        assert_eq!(
            (&problem["nearest"][0], &problem["retry"]),
            (&json!("purchase"), &json!("after_fix")),
            "{problem:#}"
        );
    }
    let path = format!("/v1/goals/{}", acme.goal["id"].as_str().unwrap());
    acme.agency.patch(&path, json!({"status": "paused"})).await.expect(200);
    acme.report(sale(&click_id, "A-1")).await.refused(422, "goal_inactive");
    acme.agency.patch(&path, json!({"status": "active"})).await.expect(200);
    acme.report(sale(&click_id, "A-1")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn once_per_click_or_per_order() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let lead = acme
        .goal(json!({"event_name": "lead", "payout": {"type": "fixed", "amount": "2.50"}, "currency": "EUR"}))
        .await;
    let (one, two) = (acme.click().await, acme.click().await);
    let first = acme.report(json!({"goal": "lead", "click_id": one})).await.expect(201);
    let again = acme.report(json!({"goal": "lead", "click_id": one})).await.expect(200);
    assert_eq!((&again["code"], &again["conversion_id"]), (&json!("duplicate"), &first["conversion_id"]));
    acme.report(json!({"goal": "lead", "click_id": two})).await.expect(201);
    let row = acme
        .agency
        .get(&format!("/v1/conversions/{}", first["conversion_id"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(
        (&row["goal_id"], &row["payout"], &row["currency"]),
        (&lead["id"], &json!("2.50"), &json!("EUR"))
    );

    acme.report(sale(&one, "A-1")).await.expect(201);
    acme.report(sale(&one, "A-2")).await.expect(201);
    acme.report(sale(&two, "A-2")).await.refused(409, "order_attributed_elsewhere");
    let mut other_amount = sale(&one, "A-1");
    other_amount["amount"] = json!("59.90");
    let conflict = acme.report(other_amount).await.refused(409, "duplicate_conflict");
    assert!(conflict.to_string().contains("49.90") && conflict.to_string().contains("59.90"), "{conflict:#}");
    let mut without = sale(&one, "A-3");
    without.as_object_mut().unwrap().remove("order_id");
    acme.report(without).await.refused(422, "order_id_required");
    assert_eq!(conversions(&acme).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn money_is_exact() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    acme.goal(json!({"event_name": "any", "count": "per_order", "payout": {"type": "dynamic"}, "revenue": {"type": "dynamic"}})).await;
    let click_id = acme.click().await;
    let report = async |order: &str, amount: Value, currency: Value| {
        acme.report(json!({"goal": "any", "click_id": click_id, "order_id": order, "amount": amount, "currency": currency})).await
    };
    for (amount, currency) in
        [("0.1", "EUR"), ("0.2", "EUR"), ("1200", "JPY"), ("1.234", "KWD"), ("0", "EUR"), ("0.0001", "EUR")]
    {
        let made = report(&format!("{amount}{currency}"), json!(amount), json!(currency)).await.expect(201);
        let path = format!("/v1/conversions/{}", made["conversion_id"].as_str().unwrap());
        let row = acme.agency.get(&path).await.expect(200);
        let same = |name: &str| {
            row[name].as_str().unwrap().parse::<f64>().unwrap() == amount.parse::<f64>().unwrap()
        };
        assert!(same("amount") && same("payout") && same("revenue"), "{row:#}");
        assert_eq!(row["currency"], currency);
    }
    for amount in [
        "-1",
        "1,5",
        "1.234,5",
        "1e3",
        "NaN",
        "inf",
        "0.00001",
        "+1",
        " 1",
        "1 ",
        "1.",
        ".5",
        "999999999999999999999999",
        "0x10",
        "١",
    ] {
        report("bad", json!(amount), json!("EUR")).await.refused(422, "amount_invalid");
    }
    for currency in ["EU", "EURO", "XXX", "ZZZ", "12"] {
        report("bad", json!("1"), json!(currency)).await.refused(422, "currency_invalid");
    }
    report("bad", json!("1"), Value::Null).await.refused(422, "currency_required");
    report("bad", Value::Null, json!("EUR")).await.refused(422, "amount_required");
    acme.report(json!({"goal": "purchase", "click_id": click_id, "order_id": "usd", "amount": "1", "currency": "USD"})).await.refused(422, "currency_invalid");
    let report = acme.agency.report_until("dimensions=goal", "/totals/conversions/total", json!(6)).await;
    let money = report["totals"]["money"].as_array().unwrap();
    let euros = money.iter().find(|money| money["currency"] == "EUR").unwrap();
    assert_eq!(euros["amount"], "0.3001");
    assert_eq!(money.len(), 3, "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_ends_by_itself() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    for (name, hold_end) in [("trial", "approve"), ("sample", "reject")] {
        acme.goal(json!({"event_name": name, "hold_seconds": DAY, "hold_end": hold_end})).await;
    }
    let click_id = acme.click().await;
    let report = async |goal: &str| {
        acme.report_at(app.clock.now().seconds(), json!({"goal": goal, "click_id": click_id}))
            .await
            .expect(202)
    };
    let (trial, sample) = (report("trial").await, report("sample").await);
    assert_eq!((&trial["code"], &trial["status"]), (&json!("accepted_on_hold"), &json!("on_hold")));
    assert!(trial["hold_until"].is_string());
    let status = async |made: &Value| {
        let path = format!("/v1/conversions/{}", made["conversion_id"].as_str().unwrap());
        acme.agency.get(&path).await.expect(200)["status"].as_str().unwrap().to_owned()
    };
    app.clock.advance(DAY - 1);
    jobs::settle_holds(app.store.clone(), app.clock.clone()).await.unwrap();
    assert_eq!((status(&trial).await, status(&sample).await), ("on_hold".into(), "on_hold".into()));
    app.clock.advance(1);
    for _ in 0..2 {
        jobs::settle_holds(app.store.clone(), app.clock.clone()).await.unwrap();
        assert_eq!((status(&trial).await, status(&sample).await), ("approved".into(), "rejected".into()));
    }
    app.clock.advance(3_600);
    let report = acme.agency.report_until("", "/totals/conversions/approved", json!(1)).await;
    let counts = &report["totals"]["conversions"];
    assert_eq!(
        (&counts["rejected"], &counts["on_hold"], &counts["total"]),
        (&json!(1), &json!(0), &json!(1)),
        "{report:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_decision_is_pending_and_says_why() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    acme.goal(json!({"event_name": "application", "default_status": "pending"})).await;
    let click_id = acme.click().await;
    let pending = acme.report(json!({"goal": "application", "click_id": click_id})).await.expect(202);
    assert_eq!((&pending["code"], &pending["status"]), (&json!("accepted_pending"), &json!("pending")));

    let path = format!("/v1/campaigns/{}", acme.campaign["id"].as_str().unwrap());
    acme.agency.patch(&path, json!({"status": "paused"})).await.expect(200);
    let paused = acme.report(sale(&click_id, "A-1")).await.expect(202);
    assert_eq!(
        (&paused["code"], &paused["flags"]),
        (&json!("accepted_pending"), &json!(["campaign_paused"]))
    );
    acme.agency.patch(&path, json!({"status": "active"})).await.expect(200);

    let robot = tallyback_tests::client()
        .get(acme.click_url())
        .header("user-agent", "Googlebot/2.1 (+http://www.google.com/bot.html)");
    let robot = tallyback_tests::Visit::of(tallyback_tests::Answer::to(robot).await).click_id();
    let by_robot = acme.report(sale(&robot, "A-2")).await.expect(202);
    assert_eq!(by_robot["flags"], json!(["bot_click"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_cannot_skip_the_rules() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    acme.goal(json!({"event_name": "trial", "hold_seconds": DAY})).await;
    let click_id = acme.click().await;
    let approved = json!({"goal": "trial", "click_id": click_id, "status": "approved"});
    let held = acme.report(approved.clone()).await.expect(202);
    assert_eq!(held["code"], "accepted_on_hold", "{held:#}");

    let scopes = json!({"name": "May decide", "scopes": ["conversions:write", "status:write"]});
    let key = acme.agency.make("/v1/signing-keys", scopes).await;
    let acme = Acme { key, ..acme };
    let second = visit(&acme.click_url()).await.click_id();
    let mut approved = approved;
    approved["click_id"] = json!(second);
    let made = acme.report(approved).await.expect(201);
    assert_eq!(made["status"], "approved");
    let rejected = json!({"goal": "purchase", "click_id": second, "order_id": "R", "amount": "1", "currency": "EUR", "status": "rejected"});
    assert_eq!(acme.report(rejected).await.expect(201)["status"], "rejected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_records_a_line_of_the_log_alone() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let mut body = sale(&click_id, "A-1");
    body["validate_only"] = json!(true);
    let answer = acme.report(body).await.expect(200);
    assert_eq!((&answer["code"], &answer["conversion_id"]), (&json!("validated"), &Value::Null));
    assert_eq!(conversions(&acme).await, 0);
    assert_eq!(
        acme.sdk().validate(&Acme::sale(&click_id, "A-1")).await.unwrap().outcome,
        tallyback::Outcome::Validated
    );
    let lines = acme.agency.all("/v1/postbacks?code=validated").await;
    assert_eq!(lines.len(), 2);
    acme.report(sale(&click_id, "A-1")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_goal_is_matched_by_a_publisher_only_where_it_allows_it() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let by_publisher = json!({"goal": "purchase", "publisher_id": acme.publisher["id"], "order_id": "A-1", "amount": "1", "currency": "EUR"});
    acme.report(by_publisher).await.refused(422, "mode_not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_is_named_beside_the_click_must_be_in_use() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let stranger = app.acme().await;
    let click_id = acme.click().await;
    let with = |publisher: &Value| {
        let mut body = sale(&click_id, "A-1");
        body["publisher_id"] = publisher.clone();
        body
    };
    for unknown in [json!("ext:nobody"), json!("nobody"), stranger.publisher["id"].clone()] {
        acme.report(with(&unknown)).await.refused(422, "publisher_not_permitted");
    }
    let path = format!("/v1/publishers/{}", acme.publisher["id"].as_str().unwrap());
    acme.agency.patch(&path, json!({"status": "paused"})).await.expect(200);
    acme.report(with(&acme.publisher["id"])).await.refused(422, "publisher_not_permitted");
    acme.agency.patch(&path, json!({"status": "active"})).await.expect(200);
    acme.report(with(&acme.publisher["id"])).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advertiser_may_be_named_by_its_external_id() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let path = format!("/v1/advertisers/{}", acme.advertiser["id"].as_str().unwrap());
    acme.agency.patch(&path, json!({"external_id": "acme"})).await.expect(200);
    let click_id = acme.click().await;
    for (order, name) in ["acme", "ext:acme"].iter().enumerate() {
        let mut body = sale(&click_id, &order.to_string());
        body["advertiser"] = json!(name);
        acme.report(body).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_sums_are_exact_and_harm_nobody_else() {
    let app = TestApp::start().await;
    let (acme, other) = (app.acme().await, app.acme().await);
    let click_id = acme.click().await;
    for order in 0..16 {
        let mut body = sale(&click_id, &order.to_string());
        body["amount"] = json!("999999999999.9999");
        acme.report(body).await.expect(201);
    }
    let click_id = other.click().await;
    other.report(sale(&click_id, "A-1")).await.expect(201);
    let report = acme.agency.report_until("", "/totals/conversions/total", json!(16)).await;
    assert_eq!(report["totals"]["money"][0]["amount"], "15999999999999.9984");
    let fold = tallyback_server::jobs::fold_totals(app.store.clone()).await;
    assert!(fold.is_err(), "the sum does not fit into its column");
    assert_eq!(acme.agency.get("/v1/reports").await.expect(200)["totals"], report["totals"]);
    let waiting = "SELECT count(DISTINCT partner_id) AS number FROM total_deltas";
    assert_eq!(number(&app.database, waiting).await, 1, "the other partner's changes are folded");
}
