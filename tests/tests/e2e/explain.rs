//! Why a postback was answered as it was: what the decision knew, check by check.

use serde_json::{Value, json};
use tallyback_tests::{Acme, Answer, TestApp, client};

const DAY: i64 = 86_400;

async fn explain(acme: &Acme, answer: &Value) -> Value {
    let id = answer["postback_id"].as_str().unwrap_or_else(|| panic!("{answer:#}"));
    acme.agency.get(&format!("/v1/postbacks/{id}/explain")).await.expect(200)
}

/// How each check ended: `p`assed, `F`ailed, not reached.
fn outcomes(explanation: &Value) -> String {
    let checks = explanation["checks"].as_array().unwrap();
    let letter = |check: &Value| match check["outcome"].as_str().unwrap() {
        "passed" => 'p',
        "failed" => 'F',
        _ => '-',
    };
    checks.iter().map(letter).collect()
}

/// Rule and finding of a check.
fn said<'a>(explanation: &'a Value, name: &str) -> (&'a str, &'a str) {
    let checks = explanation["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["check"] == name).unwrap();
    (check["rule"].as_str().unwrap(), check["found"].as_str().unwrap_or_default())
}

fn sale(click_id: &str, order: &str) -> Value {
    json!({"goal": "purchase", "click_id": click_id, "order_id": order, "amount": "49.90", "currency": "EUR"})
}

fn id(thing: &Value) -> &str {
    thing["id"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_postback_has_passed_every_check() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    app.clock.advance(90);
    let answer = acme.report_at(app.clock.now().seconds() - 2, sale(&click_id, "A-1")).await.expect(201);
    // What is changed afterwards changes nothing about what was known then.
    let path = format!("/v1/goals/{}", id(&acme.goal));
    acme.agency.patch(&path, json!({"click_window_seconds": DAY, "status": "paused"})).await.expect(200);
    let explained = explain(&acme, &answer).await;
    assert_eq!((&explained["code"], &explained["http_status"]), (&json!("accepted"), &json!(201)));
    assert_eq!(outcomes(&explained), "pppppppppppp");
    let checks: Vec<_> =
        explained["checks"].as_array().unwrap().iter().map(|check| &check["check"]).collect();
    assert_eq!(
        json!(checks),
        json!([
            "transport",
            "size_and_type",
            "authenticate",
            "rate_limit",
            "parse",
            "parameters",
            "goal",
            "source",
            "windows",
            "duplicates",
            "caps_and_flags",
            "write"
        ])
    );
    assert_eq!(said(&explained, "transport").1, "from 127.0.0.1");
    assert_eq!(
        said(&explained, "authenticate").1,
        format!("a signature of the key {}, 2 s old", id(&acme.key))
    );
    let advertiser = id(&acme.advertiser);
    let (rule, found) = said(&explained, "goal");
    assert!(rule.starts_with(&format!("goal `purchase` of {advertiser}, active, matched by")), "{rule}");
    assert_eq!(found, "`purchase`, matched by click_id, order `A-1`, amount 49.90 EUR");
    let (rule, found) = said(&explained, "source");
    assert!(
        rule.contains(advertiser) && found.contains(id(&acme.campaign)) && found.contains("`human`"),
        "{found}"
    );
    assert_eq!(
        said(&explained, "windows"),
        ("window 30 d, reported within 120 d of the event", "age 1 min 30 s, reported 0 s after the event")
    );
    assert_eq!(said(&explained, "duplicates"), ("once per order", "not counted before"));
    assert!(said(&explained, "write").1.contains(answer["conversion_id"].as_str().unwrap()));
    assert_eq!(explained["signed_content"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_click_says_its_age_and_the_window() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    app.clock.advance(41 * DAY);
    let answer =
        acme.report_at(app.clock.now().seconds(), sale(&click_id, "A-1")).await.refused(410, "click_expired");
    let explained = explain(&acme, &answer).await;
    assert_eq!(outcomes(&explained), "ppppppppF---");
    let (rule, found) = said(&explained, "windows");
    assert!(rule.starts_with("window 30 d") && found.starts_with("age 41 d"), "{rule}: {found}");
    assert_eq!((&explained["hint"], &explained["retry"]), (&answer["hint"], &json!("no")));
    let early = json!({"goal": "purchase", "click_id": click_id, "order_id": "A-2", "amount": "1", "currency": "EUR", "event_time": app.clock.now().seconds() - 42 * DAY});
    let answer =
        acme.report_at(app.clock.now().seconds(), early).await.refused(422, "conversion_precedes_click");
    let found = said(&explain(&acme, &answer).await, "windows").1.to_owned();
    assert!(found.starts_with("age -") && found.ends_with("reported 42 d after the event"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_signature_shows_what_should_have_been_signed() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let at = app.clock.now().seconds();
    let mut wrong = acme.clone();
    wrong.key["secret"] = json!(format!("whsec_{}=", "A".repeat(43)));
    let body = json!({"goal": "purchase", "click_id": "x", "coupon": "jane@example.com"});
    let problem = wrong.report_at(at, body).await.refused(401, "signature_invalid");
    assert_eq!(problem["postback_id"], Value::Null, "who cannot sign learns of no line");
    let logged = &acme.agency.all("/v1/postbacks?code=signature_invalid").await[0];
    let explained = explain(&acme, &json!({"postback_id": logged["id"]})).await;
    assert_eq!(outcomes(&explained), "ppF---------");
    assert!(said(&explained, "authenticate").1.contains("signature"), "{explained:#}");
    let signed = format!(r#"msg_by_hand.{at}.{{"click_id":"x","coupon":"[redacted]","goal":"purchase"}}"#);
    assert_eq!(explained["signed_content"], signed);

    // Ids that are made in the same moment have no order.
    app.clock.advance(1);
    let at = at + 1;
    let query = wrong.signer().query("goal=purchase&click_id=x&adv_sub1=%2B4915112345678", at);
    Answer::to(client().get(format!("{}/v1/postback?{query}", app.base_url)))
        .await
        .refused(401, "signature_invalid");
    let logged = &acme.agency.all("/v1/postbacks?code=signature_invalid").await[0];
    let explained = explain(&acme, &json!({"postback_id": logged["id"]})).await;
    let key = id(&acme.key);
    let signed =
        format!("GET\n/v1/postback\ngoal=purchase&click_id=x&adv_sub1=[redacted]&key_id={key}&ts={at}");
    assert_eq!(explained["signed_content"], signed);

    let late = acme.report_at(at - 301, json!({})).await.refused(401, "timestamp_out_of_tolerance");
    assert_eq!(late["postback_id"], Value::Null);
    let logged = &acme.agency.all("/v1/postbacks?code=timestamp_out_of_tolerance").await[0];
    let explained = explain(&acme, &json!({"postback_id": logged["id"]})).await;
    assert_eq!(explained["signed_content"], format!("msg_by_hand.{}.{{}}", at - 301));
    assert!(said(&explained, "authenticate").1.contains("301 s behind"), "{explained:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_observed_says_what_would_have_been_refused() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let path = format!("/v1/advertisers/{}", id(&acme.advertiser));
    acme.agency.patch(&path, json!({"signing": "observe"})).await.expect(200);
    let mut wrong = acme.clone();
    wrong.key["secret"] = json!(format!("whsec_{}=", "A".repeat(43)));
    let explained = explain(&acme, &wrong.report(sale(&click_id, "A-1")).await.expect(201)).await;
    assert_eq!(outcomes(&explained), "pppppppppppp");
    let found = said(&explained, "authenticate").1;
    assert!(found.starts_with("`signature_invalid`") && found.contains("not enforced"), "{found}");
    assert!(explained["signed_content"].as_str().unwrap().starts_with("msg_by_hand."), "{explained:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_which_check_it_was_and_what_that_asks_for() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let other = Acme::set_up(acme.agency.clone()).await;
    acme.goal(json!({"event_name": "elsewhere", "campaign_ids": [acme.campaign["id"]]})).await;
    acme.report(sale(&click_id, "first")).await.expect(201);
    let mut not_money = sale(&click_id, "A");
    not_money["amount"] = json!("1,5");
    let mut dearer = sale(&click_id, "first");
    dearer["amount"] = json!("50");
    let broken = json!({"goal": "purchase", "click_id": "{click_id}"});
    let of_other = sale(&other.click().await, "B");
    for (report, status, code, ended, check, rule, found) in [
        (
            broken,
            400,
            "unresolved_macro",
            "pppppF------",
            "parameters",
            "no placeholders",
            "is a placeholder",
        ),
        (not_money, 422, "amount_invalid", "pppppF------", "parameters", "values", "amount"),
        (
            json!({"goal": "Purchase", "click_id": click_id}),
            422,
            "goal_mismatch",
            "ppppppF-----",
            "goal",
            "byte for byte",
            "`Purchase`",
        ),
        (
            json!({"goal": "purchase", "click_id": click_id, "order_id": "C"}),
            422,
            "amount_required",
            "ppppppF-----",
            "goal",
            "needs `amount`",
            "amount",
        ),
        (
            json!({"goal": "purchase", "click_id": click_id, "amount": "1", "currency": "EUR"}),
            422,
            "order_id_required",
            "ppppppF-----",
            "goal",
            "needs `order_id`",
            "order id",
        ),
        (
            sale("1abc", "D"),
            400,
            "click_id_malformed",
            "pppppppF----",
            "source",
            "genuine click id",
            "malformed",
        ),
        (of_other, 404, "click_not_found", "pppppppF----", "source", "genuine click id", "No such click"),
        (dearer, 409, "duplicate_conflict", "pppppppppF--", "duplicates", "once per order", "49.90 EUR"),
    ] {
        let explained = explain(&acme, &acme.report(report).await.refused(status, code)).await;
        assert_eq!(outcomes(&explained), ended, "{code}: {explained:#}");
        let finding = said(&explained, check);
        assert!(finding.0.contains(rule) && finding.1.contains(found), "{code}: {finding:?}");
        assert_eq!(explained["code"], code);
    }
    let request =
        client().post(format!("{}/v1/conversions", app.base_url)).header("content-type", "application/json");
    let answer = Answer::to(acme.signer().sign(request, "m", tallyback_tests::now(), b"{"))
        .await
        .refused(400, "malformed");
    assert_eq!(outcomes(&explain(&acme, &answer).await), "ppppF-------");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_names_the_first_and_a_dry_run_writes_nothing() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let first = acme.report(sale(&click_id, "A-1")).await.expect(201);
    let again = explain(&acme, &acme.report(sale(&click_id, "A-1")).await.expect(200)).await;
    assert_eq!((&again["code"], outcomes(&again).as_str()), (&json!("duplicate"), "pppppppp-F--"));
    assert!(said(&again, "duplicates").1.contains(first["conversion_id"].as_str().unwrap()), "{again:#}");

    let mut dry = sale(&click_id, "A-2");
    dry["validate_only"] = json!(true);
    let dry = explain(&acme, &acme.report(dry).await.expect(200)).await;
    assert_eq!((&dry["code"], outcomes(&dry).as_str()), (&json!("validated"), "ppppppppppp-"));
    let mut dry = sale(&click_id, "A-1");
    dry["validate_only"] = json!(true);
    let dry = explain(&acme, &acme.report(dry).await.expect(200)).await;
    assert_eq!((&dry["code"], outcomes(&dry).as_str()), (&json!("validated"), "pppppppp-F--"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_decision_says_why() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    acme.goal(json!({"event_name": "order", "count": "per_order", "currency": "EUR", "payout": {"type": "percent", "percent": "10"}, "caps": {"conversions_per_day": 1, "payout_total": "100"}})).await;
    let order = |order: &str| json!({"goal": "order", "click_id": click_id, "order_id": order, "amount": "100", "currency": "EUR"});
    let within = explain(&acme, &acme.report(order("1")).await.expect(201)).await;
    assert_eq!(outcomes(&within), "pppppppppppp");
    assert_eq!(
        said(&within, "caps_and_flags"),
        (
            "cap 1 (conversions_per_day), cap 100.00 EUR (payout_total); no flag that needs a decision",
            "0 taken (conversions_per_day), 0.00 EUR taken (payout_total); no flags"
        )
    );
    let over = explain(&acme, &acme.report(order("2")).await.expect(202)).await;
    assert_eq!(outcomes(&over), "ppppppppppFp");
    assert_eq!(
        said(&over, "caps_and_flags").1,
        "1 taken (conversions_per_day), 10.00 EUR taken (payout_total); flags `over_cap`, `cap:conversions_per_day`"
    );
}

/// Acme with a key that may adjust, and one sale of 49.90 euros.
async fn adjustable(app: &TestApp) -> Acme {
    let mut acme = app.acme().await;
    acme.report(sale(&acme.click().await, "A-1")).await.expect(201);
    let scopes = ["conversions:write", "adjustments:write", "status:write"];
    let key = json!({"name": "Refunds", "advertiser_ids": [acme.advertiser["id"]], "scopes": scopes});
    acme.key = acme.agency.make("/v1/signing-keys", key).await;
    acme
}

async fn send(acme: &Acme, path: &str, timestamp: i64, body: &str) -> Answer {
    let request = client().post(format!("{}/v1/{path}", acme.agency.base_url));
    let request = request.header("content-type", "application/json");
    Answer::to(acme.signer().sign(request, "refund_1", timestamp, body.as_bytes())).await
}

async fn adjust(acme: &Acme, body: Value) -> Answer {
    send(acme, "adjustments", tallyback_tests::now(), &body.to_string()).await
}

fn adjustment(name: &str, kind: &str) -> Value {
    json!({"adjustment_id": name, "kind": kind, "goal": "purchase", "order_id": "A-1"})
}

fn restatement(name: &str, amount: &str, currency: &str) -> Value {
    let mut body = adjustment(name, "restatement");
    (body["amount"], body["currency"]) = (json!(amount), json!(currency));
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adjustment_that_is_made_has_passed_its_own_checks() {
    let app = TestApp::start().await;
    let acme = adjustable(&app).await;
    let answer = adjust(&acme, restatement("R-1", "29.90", "EUR")).await.expect(200);
    // What is changed afterwards changes nothing about what was known then.
    adjust(&acme, adjustment("R-2", "retraction")).await.expect(200);
    let explained = explain(&acme, &answer).await;
    assert_eq!((&explained["code"], outcomes(&explained).as_str()), (&json!("adjusted"), "ppppppppppp"));
    let checks = explained["checks"].as_array().unwrap().iter().map(|check| check["check"].clone());
    let wanted = json!([
        "transport",
        "size_and_type",
        "authenticate",
        "rate_limit",
        "parse",
        "parameters",
        "target",
        "duplicates",
        "transition",
        "amount",
        "write"
    ]);
    assert_eq!(checks.collect::<Value>(), wanted);
    let (conversion, advertiser) = (answer["conversion_id"].as_str().unwrap(), id(&acme.advertiser));
    assert_eq!(said(&explained, "transport").1, "from 127.0.0.1");
    assert!(said(&explained, "authenticate").0.contains("`adjustments:write`"), "{explained:#}");
    assert!(said(&explained, "authenticate").1.contains(id(&acme.key)), "{explained:#}");
    let target = format!("the conversion of order `A-1` for the goal `purchase` of {advertiser}");
    assert_eq!(said(&explained, "target"), (target.as_str(), conversion));
    assert_eq!(said(&explained, "duplicates"), ("`R-1` once for an advertiser", "not made before"));
    let from = "`restatement` of a conversion that is one of `pending`, `on_hold`, `approved`, `rejected`, `reversed`";
    assert_eq!(said(&explained, "transition"), (from, "`approved`"));
    assert_eq!(said(&explained, "amount"), ("an amount in EUR, the conversion's currency", "29.90 EUR"));
    assert_eq!(said(&explained, "write").1, format!("{conversion}, `approved`"));
    assert_eq!(explained["signed_content"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_adjustment_says_which_check_it_was_and_what_that_asks_for() {
    let app = TestApp::start().await;
    let acme = adjustable(&app).await;
    adjust(&acme, restatement("R-1", "30", "EUR")).await.expect(200);
    let mut other_order = adjustment("R-2", "retraction");
    other_order["order_id"] = json!("A-2");
    let mut other_goal = adjustment("R-2", "retraction");
    other_goal["goal"] = json!("Purchase");
    for (body, status, code, ended, check, rule, found) in [
        (
            adjustment("R-2", "refund"),
            400,
            "malformed",
            "pppppF-----",
            "parameters",
            "can be read",
            "`refund`",
        ),
        (
            restatement("R-2", "1,5", "EUR"),
            422,
            "amount_invalid",
            "pppppF-----",
            "parameters",
            "`restatement`",
            "amount",
        ),
        (other_goal, 422, "goal_mismatch", "ppppppF----", "target", "`Purchase`", "No goal"),
        (other_order, 404, "conversion_not_found", "ppppppF----", "target", "order `A-2`", "conversion"),
        (
            restatement("R-1", "31", "EUR"),
            409,
            "adjustment_conflict",
            "pppppppF---",
            "duplicates",
            "`R-1` once",
            "another content",
        ),
        (
            adjustment("R-2", "reject"),
            409,
            "transition_not_allowed",
            "ppppppppF--",
            "transition",
            "one of `pending`, `on_hold`, `rejected`",
            "approved",
        ),
        (
            restatement("R-2", "31", "USD"),
            422,
            "currency_invalid",
            "pppppppppF-",
            "amount",
            "in EUR",
            "in USD",
        ),
    ] {
        let answer = adjust(&acme, body).await;
        let explained = explain(&acme, &answer.refused(status, code)).await;
        assert_eq!(outcomes(&explained), ended, "{code}: {explained:#}");
        let finding = said(&explained, check);
        assert!(finding.0.contains(rule) && finding.1.contains(found), "{code}: {finding:?}");
    }
    let broken = send(&acme, "adjustments", tallyback_tests::now(), "{").await.refused(400, "malformed");
    assert_eq!(outcomes(&explain(&acme, &broken).await), "ppppF------");
    let mut powerless = acme.clone();
    powerless.key = acme.agency.make("/v1/signing-keys", json!({"name": "Reports"})).await;
    let refused = adjust(&powerless, adjustment("R-2", "retraction")).await.refused(403, "scope_missing");
    let explained = explain(&acme, &refused).await;
    assert_eq!(outcomes(&explained), "ppF--------");
    assert!(said(&explained, "authenticate").1.contains("`adjustments:write`"), "{explained:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adjustment_again_and_a_dry_run_write_nothing() {
    let app = TestApp::start().await;
    let acme = adjustable(&app).await;
    let mut dry = adjustment("R-1", "retraction");
    dry["validate_only"] = json!(true);
    let validated = explain(&acme, &adjust(&acme, dry.clone()).await.expect(200)).await;
    assert_eq!((&validated["code"], outcomes(&validated).as_str()), (&json!("validated"), "ppppppppp--"));
    assert_eq!(said(&validated, "transition").1, "`approved`");
    let made = adjust(&acme, adjustment("R-1", "retraction")).await.expect(200);
    assert_eq!(outcomes(&explain(&acme, &made).await), "ppppppppp-p", "a refund has no amount");
    let again = explain(&acme, &adjust(&acme, adjustment("R-1", "retraction")).await.expect(200)).await;
    assert_eq!((&again["code"], outcomes(&again).as_str()), (&json!("duplicate"), "pppppppF---"));
    assert!(said(&again, "duplicates").1.contains(made["conversion_id"].as_str().unwrap()), "{again:#}");
    let dry = explain(&acme, &adjust(&acme, dry).await.expect(200)).await;
    assert_eq!((&dry["code"], outcomes(&dry).as_str()), (&json!("validated"), "pppppppF---"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_signature_of_adjustments_shows_what_should_have_been_signed() {
    let app = TestApp::at(0).await;
    let acme = adjustable(&app).await;
    let mut wrong = acme.clone();
    wrong.key["secret"] = json!(format!("whsec_{}=", "A".repeat(43)));
    for (path, body) in
        [("adjustments", r#"{"note":"jane@example.com"}"#), ("adjustments/batch", r#"[{"kind":"reopen"}]"#)]
    {
        app.clock.advance(1);
        let at = app.clock.now().seconds();
        send(&wrong, path, at, body).await.refused(401, "signature_invalid");
        let logged = &acme.agency.all("/v1/postbacks?code=signature_invalid").await[0];
        assert_eq!(logged["path"], format!("/v1/{path}"));
        let explained = explain(&acme, &json!({"postback_id": logged["id"]})).await;
        assert_eq!(outcomes(&explained), "ppF--------");
        let signed = format!("refund_1.{at}.{}", body.replace("jane@example.com", "[redacted]"));
        assert_eq!(explained["signed_content"], signed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_adjustments_explains_each_item_and_itself() {
    let app = TestApp::start().await;
    let acme = adjustable(&app).await;
    let body = json!([adjustment("R-1", "retraction"), adjustment("R-2", "approve")]).to_string();
    let now = tallyback_tests::now();
    let answer = send(&acme, "adjustments/batch", now, &body).await.expect(200);
    let [made, refused] = [0, 1].map(|index| &answer["results"][index]);
    let made = explain(&acme, made).await;
    assert_eq!(outcomes(&made), "ppppppppp-p");
    assert!(said(&made, "size_and_type").0.contains("1 MiB"), "{made:#}");
    assert_eq!(outcomes(&explain(&acme, refused).await), "ppppppppF--");
    let none = send(&acme, "adjustments/batch", now, "{}").await.refused(400, "malformed");
    assert_eq!(outcomes(&explain(&acme, &none).await), "ppppF------");
    for path in ["adjustments/batch", "conversions/batch"] {
        let many = format!("[{}]", vec!["{}"; 1_001].join(","));
        let large = send(&acme, path, now, &many).await.refused(413, "payload_too_large");
        let explained = explain(&acme, &large).await;
        assert!(outcomes(&explained).starts_with("pF--"), "{explained:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_postback_is_not_there() {
    let app = TestApp::start().await;
    let (acme, stranger) = (app.acme().await, app.agency().await);
    let answer = acme.report(sale(&acme.click().await, "A-1")).await.expect(201);
    let path = format!("/v1/postbacks/{}/explain", answer["postback_id"].as_str().unwrap());
    stranger.get(&path).await.refused(404, "not_found");
    acme.agency.get("/v1/postbacks/pbk_shoe/explain").await.refused(404, "not_found");
    acme.agency.get(&path).await.expect(200);
}
