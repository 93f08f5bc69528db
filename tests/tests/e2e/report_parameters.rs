//! The rules of a report's parameters, each of them for every form in which it holds.

use reqwest::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};
use tallyback_tests::{Acme, Answer, TestApp, client, now};

const FORM: &str = "application/x-www-form-urlencoded";
/// Each parameter that has a value of its own, and its aliases.
const NAMES: [(&str, &[&str]); 4] = [
    ("goal", &["event", "et", "goal_ref"]),
    ("click_id", &["kcid", "transaction_id", "tid", "cid", "clickid", "subid"]),
    ("publisher_id", &["partner_id", "aff_id", "pid"]),
    ("order_id", &["txid", "action_id", "invoice_id"]),
];
/// Parameters whose values are only stored, and that a URL may have.
const STORED: [&str; 7] = ["adv_sub1", "adv_sub2", "adv_sub3", "adv_sub4", "adv_sub5", "coupon", "lead_id"];

/// A sale as parameters; no two of them are the same sale.
fn sale(acme: &Acme, click_id: &str) -> Map<String, Value> {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let order = format!("A-{}", NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let sale = json!({
        "goal": "purchase", "click_id": click_id, "order_id": order, "amount": "49.90", "currency": "EUR",
        "publisher_id": acme.publisher["id"],
    });
    sale.as_object().unwrap().clone()
}

fn with(mut sale: Map<String, Value>, name: &str, value: Value) -> Map<String, Value> {
    sale.insert(name.to_owned(), value);
    sale
}

fn renamed(mut sale: Map<String, Value>, name: &str, alias: &str) -> Map<String, Value> {
    let value = sale.remove(name).unwrap();
    with(sale, alias, value)
}

fn urlencoded(sale: &Map<String, Value>) -> String {
    let mut url = reqwest::Url::parse("http://x/").unwrap();
    for (name, value) in sale {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        url.query_pairs_mut().append_pair(name, &text);
    }
    url.query().unwrap_or_default().to_owned()
}

async fn by_query(acme: &Acme, sale: &Map<String, Value>) -> Answer {
    acme.report_by_url(&urlencoded(sale)).await
}

async fn by_form(acme: &Acme, sale: &Map<String, Value>) -> Answer {
    form(acme, &urlencoded(sale)).await
}

async fn form(acme: &Acme, body: &str) -> Answer {
    let request = client().post(format!("{}/v1/postback", acme.agency.base_url)).header(CONTENT_TYPE, FORM);
    Answer::to(acme.signer().sign(request, "msg_1", now(), body.as_bytes())).await
}

async fn by_json(acme: &Acme, sale: &Map<String, Value>) -> Answer {
    acme.report(Value::Object(sale.clone())).await
}

/// The answers to a report in each form.
async fn by_all(acme: &Acme, sale: &Map<String, Value>) -> [Answer; 3] {
    [by_query(acme, sale).await, by_form(acme, sale).await, by_json(acme, sale).await]
}

async fn counted(acme: &Acme, answer: Answer) -> Value {
    let made = answer.expect(201);
    acme.agency.get(&format!("/v1/conversions/{}", made["conversion_id"].as_str().unwrap())).await.expect(200)
}

fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_alias_is_read_in_each_form() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    for (name, aliases) in NAMES {
        for alias in aliases {
            let sale = renamed(sale(&acme, &click_id), name, alias);
            let order = sale[if name == "order_id" { *alias } else { "order_id" }].clone();
            let [first, second, third] = by_all(&acme, &sale).await;
            let row = counted(&acme, first).await;
            assert_eq!((&row["order_id"], &row["click_id"]), (&order, &json!(click_id)), "{alias}: {row:#}");
            for again in [second, third] {
                let again = again.expect(200);
                assert_eq!(
                    (&again["code"], &again["conversion_id"]),
                    (&json!("duplicate"), &row["id"]),
                    "{alias}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_names_of_one_parameter_only_one_may_have_a_value() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    for (name, aliases) in NAMES {
        for alias in aliases {
            let sale = sale(&acme, &click_id);
            let both = with(sale.clone(), alias, sale[name].clone());
            for answer in by_all(&acme, &both).await {
                let problem = answer.refused(400, "malformed");
                let named = pointers(&problem)[0].trim_start_matches('/');
                assert!(named == name || named == *alias, "{problem:#}");
            }
            let [first, ..] = by_all(&acme, &with(sale, alias, json!(""))).await;
            counted(&acme, first).await;
        }
    }
    let text = urlencoded(&sale(&acme, &click_id));
    for name in ["goal", "click_id", "amount", "adv_sub1", "shoe", "validate_only"] {
        for (first, second) in [("1", "1"), ("", "1"), ("1", ""), ("", "")] {
            let twice = format!("{text}&{name}={first}&{name}={second}");
            for answer in [acme.report_by_url(&twice).await, form(&acme, &twice).await] {
                let problem = answer.refused(400, "malformed");
                assert!(pointers(&problem).contains(&name), "{name}: {problem:#}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_present_but_empty_is_absent() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let others =
        ["advertiser", "customer_id", "publisher_id", "status", "event_time", "validate_only", "format"];
    let mut all = sale(&acme, &click_id);
    for name in others.iter().chain(&STORED) {
        all.insert((*name).to_owned(), json!(""));
    }
    let [first, second, third] = by_all(&acme, &all).await;
    let row = counted(&acme, first).await;
    assert_eq!(
        (&row["status"], &row["parameters"], &row["flags"]),
        (&json!("approved"), &json!({}), &json!([]))
    );
    assert_eq!((&row["event_time"], &row["customer_id"]), (&row["received_at"], &Value::Null), "{row:#}");
    for again in [second, third] {
        assert_eq!(again.expect(200)["code"], "duplicate");
    }
    for empty in [json!(""), Value::Null] {
        let mut posted = with(all.clone(), "order_id", json!(format!("null {empty}")));
        for name in others.iter().chain(&STORED).chain(&["email_sha256", "metadata"]) {
            posted.insert((*name).to_owned(), empty.clone());
        }
        assert_eq!(counted(&acme, by_json(&acme, &posted).await).await["parameters"], json!({}));
    }
    for (name, status, code) in [
        ("goal", 400, "malformed"),
        ("click_id", 422, "mode_not_allowed"),
        ("order_id", 422, "order_id_required"),
        ("amount", 422, "amount_required"),
        ("currency", 422, "currency_required"),
    ] {
        for answer in by_all(&acme, &with(sale(&acme, &click_id), name, json!(""))).await {
            answer.refused(status, code);
        }
    }
    let nobody = with(with(sale(&acme, &click_id), "click_id", json!("")), "publisher_id", json!(""));
    for answer in by_all(&acme, &nobody).await {
        assert_eq!(pointers(&answer.refused(400, "malformed"))[0].trim_start_matches('/'), "click_id");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_goal_is_compared_byte_for_byte_after_one_decoding() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    acme.goal(json!({"event_name": "Größe 1+1=2"})).await;
    acme.goal(json!({"event_name": "%41"})).await;
    let send = async |goal: &str| {
        let query = format!("goal={goal}&click_id={click_id}&order_id=A-1&amount=1&currency=EUR");
        [acme.report_by_url(&query).await, form(&acme, &query).await]
    };
    for (goal, status) in [
        ("Gr%C3%B6%C3%9Fe%201%2B1%3D2", 201),
        ("Gr%c3%b6%c3%9fe+1%2B1=2", 200),
        ("%2541", 201),
        ("p%75rchas%65", 201),
        ("purchase", 200),
    ] {
        let [first, second] = send(goal).await;
        first.expect(status);
        assert_eq!(second.expect(200)["code"], "duplicate");
    }
    for other in [
        "purchase%20",
        "+purchase",
        "purchase%0A",
        "Purchase",
        "PURCHASE",
        "%2570urchase",
        "purchas%C3%A9",
        "Gro%CC%88%C3%9Fe+1%2B1%3D2",
        "Gr%C3%B6%C3%9Fe+1+1%3D2",
        "A",
    ] {
        for answer in send(other).await {
            let (status, code) =
                if other.ends_with("%0A") { (400, "malformed") } else { (422, "goal_mismatch") };
            answer.refused(status, code);
        }
    }
    for (same, is_same) in [("Gr\u{f6}\u{df}e 1+1=2", true), ("Gro\u{308}\u{df}e 1+1=2", false)] {
        let report = with(with(sale(&acme, &click_id), "goal", json!(same)), "amount", json!("1"));
        assert_eq!(by_json(&acme, &report).await.status, if is_same { 200 } else { 422 }, "{same}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_id_has_at_most_128_bytes() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    for (order, fits) in [
        ("x".repeat(128), true),
        ("x".repeat(129), false),
        ("ä".repeat(64), true),
        (format!("{}x", "ä".repeat(64)), false),
        ("🧦".repeat(32), true),
        ("🧦".repeat(33), false),
    ] {
        let sale = with(sale(&acme, &click_id), "order_id", json!(order));
        let answers = by_all(&acme, &sale).await;
        if fits {
            let [first, ..] = answers;
            assert_eq!(counted(&acme, first).await["order_id"], order);
            continue;
        }
        for answer in answers {
            let problem = answer.refused(400, "malformed");
            assert_eq!(pointers(&problem)[0].trim_start_matches('/'), "order_id");
            assert!(problem["detail"].as_str().unwrap().contains("128"), "{problem:#}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_is_taken_digit_by_digit_or_not_at_all() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let dynamic = json!({"type": "dynamic"});
    acme.goal(json!({"event_name": "any", "count": "per_order", "payout": dynamic, "revenue": dynamic}))
        .await;
    let any = |amount: Value, currency: &str| {
        let sale = with(sale(&acme, &click_id), "goal", json!("any"));
        with(with(sale, "amount", amount), "currency", json!(currency))
    };
    for (amount, currency, shown) in [
        ("1200", "JPY", "1200"),
        ("1200.5", "JPY", "1200.5"),
        ("1.234", "KWD", "1.234"),
        ("1.2345", "KWD", "1.2345"),
        ("0", "EUR", "0.00"),
        ("0.0001", "EUR", "0.0001"),
        ("0.1", "EUR", "0.10"),
        ("0.3000", "EUR", "0.30"),
        ("007", "EUR", "7.00"),
        ("999999999999.9999", "EUR", "999999999999.9999"),
        ("9007199254.7409", "USD", "9007199254.7409"),
    ] {
        let [first, second, third] = by_all(&acme, &any(json!(amount), currency)).await;
        let row = counted(&acme, first).await;
        for sum in ["amount", "payout", "revenue"] {
            assert_eq!((&row[sum], &row["currency"]), (&json!(shown), &json!(currency)), "{amount}: {row:#}");
        }
        for again in [second, third] {
            assert_eq!(again.expect(200)["code"], "duplicate", "{amount}");
        }
    }
    for amount in [
        "-1",
        "-0",
        "+1",
        "1e3",
        "1E3",
        "1e-8",
        "1e400",
        "0.00001",
        "1000000000000",
        "1000000000000000",
        "1e15",
        "0.1+0.2",
        "NaN",
        "nan",
        "Infinity",
        "inf",
        "-inf",
        "null",
        "1,5",
        "1,000.00",
        "1.000,00",
        "1 000",
        "1'000",
        "1_000",
        "1.2.3",
        " 1",
        "1 ",
        ".5",
        "5.",
        ".",
        "0x10",
        "1f",
        "١٢",
        "１２",
        "€1",
        "1 EUR",
        "--1",
        "1\u{a0}000",
    ] {
        for answer in by_all(&acme, &any(json!(amount), "EUR")).await {
            let problem = answer.refused(422, "amount_invalid");
            assert_eq!(pointers(&problem)[0].trim_start_matches('/'), "amount", "{amount}");
        }
    }
    let long = "9".repeat(600);
    for number in [
        "49.9",
        "49",
        "0",
        "-1",
        "1e3",
        "1e308",
        "0.30000000000000004",
        "18446744073709551615",
        "1e400",
        "-1e400",
        "1E+99999999999999999999",
        &long,
    ] {
        let report = Value::Object(any(json!("@"), "EUR")).to_string().replace("\"@\"", number);
        let problem = json_text(&acme, &report).await.refused(422, "amount_invalid");
        assert_eq!(pointers(&problem), ["/amount"], "{number}");
        assert!(problem["postback_id"].is_string(), "{number}: {problem:#}");
    }
    let logged = &acme.agency.all("/v1/postbacks?code=amount_invalid").await;
    assert!(logged.iter().any(|line| line["request"]["amount"] == "1e400"), "as it came");
    for currency in ["EU", "EURO", "eur", "Eur", "XXX", "XTS", "ZZZ", "978", "€", " EUR", "EUR "] {
        for answer in by_all(&acme, &any(json!("1"), currency)).await {
            answer.refused(422, "currency_invalid");
        }
    }
}

async fn json_text(acme: &Acme, body: &str) -> Answer {
    let url = format!("{}/v1/conversions", acme.agency.base_url);
    let request = client().post(url).header(CONTENT_TYPE, "application/json");
    Answer::to(acme.signer().sign(request, "msg_1", now(), body.as_bytes())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_is_rfc_3339_or_seconds() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let second = now() + 30;
    let utc = tallyback_server::domain::time::Timestamp::from_seconds(second).to_string();
    let offset = tallyback_server::domain::time::Timestamp::from_seconds(second + 7_200).to_string();
    let offset = offset.replace('Z', "+02:00");
    for time in [second.to_string(), utc.clone(), offset, utc.to_lowercase()] {
        let [first, ..] = by_all(&acme, &with(sale(&acme, &click_id), "event_time", json!(time))).await;
        assert_eq!(counted(&acme, first).await["event_time"], utc, "{time}");
    }
    let number = with(sale(&acme, &click_id), "event_time", json!(second));
    assert_eq!(counted(&acme, by_json(&acme, &number).await).await["event_time"], utc);
    let signed = with(sale(&acme, &click_id), "event_time", json!(format!("+{second}")));
    by_json(&acme, &signed).await.refused(400, "malformed");
    for (time, code) in [
        ((second * 1_000).to_string(), "timestamp_in_milliseconds"),
        ("0000000000000".to_owned(), "timestamp_in_milliseconds"),
        ((second * 1_000_000).to_string(), "malformed"),
        ("9223372036854775808".to_owned(), "malformed"),
        (format!("-{second}"), "malformed"),
        (format!("{second}.5"), "malformed"),
        ("1e9".to_owned(), "malformed"),
        ("yesterday".to_owned(), "malformed"),
        ("2026-11-22".to_owned(), "malformed"),
        ("2026-11-22 10:05".to_owned(), "malformed"),
        ("2026-11-22T10:05:00".to_owned(), "malformed"),
        ("2026-02-30T10:05:00Z".to_owned(), "malformed"),
        ("22.11.2026 10:05".to_owned(), "malformed"),
        ("2999-01-01T00:00:00Z".to_owned(), "event_in_future"),
        ("0".to_owned(), "conversion_precedes_click"),
        ("1970-01-01T00:00:00Z".to_owned(), "conversion_precedes_click"),
    ] {
        let status = if code == "malformed" { 400 } else { 422 };
        for answer in by_all(&acme, &with(sale(&acme, &click_id), "event_time", json!(time))).await {
            answer.refused(status, code);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_a_wish_that_cannot_skip_a_hold() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let scopes = json!({"name": "Decides", "scopes": ["conversions:write", "status:write"]});
    let decides = Acme { key: acme.agency.make("/v1/signing-keys", scopes).await, ..acme.clone() };
    acme.goal(json!({"event_name": "held", "count": "per_order", "hold_seconds": 86_400})).await;
    acme.goal(json!({"event_name": "asked", "count": "per_order", "default_status": "pending"})).await;
    let click_id = acme.click().await;
    for (goal, wish, without, decided) in [
        ("purchase", "", "approved", "approved"),
        ("purchase", "approved", "approved", "approved"),
        ("purchase", "pending", "pending", "pending"),
        ("purchase", "rejected", "rejected", "rejected"),
        ("held", "", "on_hold", "on_hold"),
        ("held", "approved", "on_hold", "approved"),
        ("held", "pending", "pending", "pending"),
        ("held", "rejected", "rejected", "rejected"),
        ("asked", "", "pending", "pending"),
        ("asked", "approved", "pending", "approved"),
        ("asked", "rejected", "rejected", "rejected"),
    ] {
        for (acme, wanted) in [(&acme, without), (&decides, decided)] {
            let sale = with(with(sale(acme, &click_id), "goal", json!(goal)), "status", json!(wish));
            let [first, second, third] = by_all(acme, &sale).await;
            assert_eq!(first.body["status"], wanted, "{goal} {wish}: {}", first.text);
            for again in [second, third] {
                assert_eq!(again.expect(200)["status"], wanted, "{goal} {wish}");
            }
        }
    }
    for wrong in ["on_hold", "reversed", "Approved", "approved ", "1", "sale"] {
        for answer in by_all(&decides, &with(sale(&acme, &click_id), "status", json!(wrong))).await {
            let problem = answer.refused(400, "malformed");
            assert_eq!(pointers(&problem)[0].trim_start_matches('/'), "status");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hashes_and_metadata_come_by_post_alone() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let hash = "0123456789abcdef".repeat(4);
    for (name, value) in [("email_sha256", json!(hash)), ("metadata", json!("{\"size\":42}"))] {
        let sale = with(sale(&acme, &click_id), name, value.clone());
        let problem = by_query(&acme, &sale).await.refused(400, "malformed");
        assert_eq!(
            (pointers(&problem), problem["detail"].as_str().unwrap().contains("POST")),
            (vec![name], true)
        );
        assert_eq!(counted(&acme, by_form(&acme, &sale).await).await["parameters"][name], value);
    }
    let metadata = json!({"size": 42, "tags": ["a", {"b": null}], "float": 1e308, "text": "\u{202e}🧦"});
    let posted = with(sale(&acme, &click_id), "metadata", metadata.clone());
    assert_eq!(counted(&acme, by_json(&acme, &posted).await).await["parameters"]["metadata"], metadata);
    for wrong in [json!("text"), json!([1]), json!(1), json!(true), json!({"x": "x".repeat(8 * 1024)})] {
        let problem = by_json(&acme, &with(sale(&acme, &click_id), "metadata", wrong)).await;
        assert_eq!(pointers(&problem.refused(400, "malformed")), ["/metadata"]);
    }
    for wrong in ["", "x"].map(|end| format!("{}{end}", &hash[..63])) {
        let problem = by_json(&acme, &with(sale(&acme, &click_id), "email_sha256", json!(wrong))).await;
        assert_eq!(pointers(&problem.refused(400, "malformed")), ["/email_sha256"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_person_is_named_in_a_url_or_as_a_customer() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let people = [
        "jane@example.com",
        "Jane Doe <jane@example.co.uk>",
        "ask jane@example.com, please",
        "jane%40example.com",
        "+49 151 12345678",
        "+4915112345678",
        "call +49 151 12345678",
    ];
    let names =
        ["advertiser", "goal", "click_id", "customer_id", "publisher_id", "order_id", "amount", "currency"];
    let names: Vec<&str> = names.into_iter().chain(["status", "event_time", "email"]).chain(STORED).collect();
    for name in names {
        for person in people {
            let sale = with(sale(&acme, &click_id), name, json!(person));
            let problem = by_query(&acme, &sale).await.refused(400, "pii_in_url");
            assert_eq!(pointers(&problem), [name]);
            assert!(!problem.to_string().contains(person), "{problem:#}");
        }
    }
    for (name, number) in
        [("phone", "0151 1234567"), ("Tel", "4915112345678"), ("msisdn", "(0151) 123-45.67")]
    {
        let sale = with(sale(&acme, &click_id), name, json!(number));
        let problem = by_query(&acme, &sale).await.refused(400, "pii_in_url");
        assert_eq!(pointers(&problem), [name]);
        assert!(!problem.to_string().contains(number), "{problem:#}");
    }
    let problem = acme.report_by_url("jane%40example.com=1&goal=purchase").await.refused(400, "pii_in_url");
    assert_eq!(pointers(&problem), ["[redacted]"]);
    let harmless = ["2 @ 9.99", "a@", "@shop", "1 + 2", "x+23456789"];
    for text in harmless {
        let sale = with(sale(&acme, &click_id), "adv_sub1", json!(text));
        by_query(&acme, &with(sale, "order_id", json!(text))).await.expect(201);
    }
    for alias in ["tid", "txid", "pid", "et"] {
        let problem = acme.report_by_url(&format!("{alias}=jane%40example.com&goal=&order_id=")).await;
        problem.refused(400, "pii_in_url");
    }
    let lines = json!(acme.agency.all("/v1/postbacks").await).to_string();
    assert!(!lines.contains("jane") && !lines.contains("Jane") && !lines.contains("12345678"), "{lines}");
    assert!(lines.contains("[redacted]"));

    for person in people {
        let sale = with(sale(&acme, &click_id), "customer_id", json!(person));
        for answer in [by_form(&acme, &sale).await, by_json(&acme, &sale).await] {
            let problem = answer.refused(400, "malformed");
            assert_eq!(pointers(&problem)[0].trim_start_matches('/'), "customer_id");
        }
    }
    let hashed = with(sale(&acme, &click_id), "customer_id", json!("a".repeat(64)));
    assert_eq!(counted(&acme, by_query(&acme, &hashed).await).await["customer_id"], "a".repeat(64));
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), harmless.len() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_is_never_taken_for_a_value() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let names =
        ["click_id", "customer_id", "publisher_id", "order_id", "amount", "currency", "status", "event_time"];
    let placeholders = [
        "{payout}",
        "{{payout}}",
        "${PAYOUT}",
        "%TID%",
        "%%CACHEBUSTER%%",
        "[CLICK_ID]",
        "[[click_id]]",
        "<clickid>",
        "#order#",
        "{ payout }",
        "{conversion.id}",
        "TRANSACTION_ID",
        "CLICKID",
        "SUBID",
        "KCID",
        "%ACTION_ID%",
    ];
    for name in names.into_iter().chain(STORED) {
        for placeholder in placeholders {
            let sale = with(sale(&acme, &click_id), name, json!(placeholder));
            let problem = by_json(&acme, &sale).await.refused(400, "unresolved_macro");
            assert_eq!(pointers(&problem), [format!("/{name}")], "{placeholder}");
        }
    }
    // As careless systems send them: not encoded.
    for placeholder in ["{payout}", "%TID%", "%ADID%", "%FEED_ID%", "TRANSACTION_ID"] {
        let query = format!(
            "goal=purchase&click_id={click_id}&order_id=1&amount=1&currency=EUR&coupon={placeholder}"
        );
        for answer in [acme.report_by_url(&query).await, form(&acme, &query).await] {
            assert_eq!(pointers(&answer.refused(400, "unresolved_macro")), ["coupon"], "{placeholder}");
        }
    }
    by_json(&acme, &with(sale(&acme, &click_id), "goal", json!("{event}")))
        .await
        .refused(400, "unresolved_macro");
    for value in ["{", "100%", "%", "A{1}B", "<3", "#1", "Transaction_id", "ORDER-ID", "{}", "ET"] {
        let [first, ..] = by_all(&acme, &with(sale(&acme, &click_id), "coupon", json!(value))).await;
        assert_eq!(counted(&acme, first).await["parameters"]["coupon"], value);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_makes_the_whole_decision_and_leaves_a_line() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let known = sale(&acme, &click_id);
    by_json(&acme, &known).await.expect(201);
    let mut lines = 1;
    for value in ["true", "1"] {
        for (sale, status, code, would_be) in [
            (sale(&acme, &click_id), 200, "validated", json!("accepted")),
            (
                with(sale(&acme, &click_id), "status", json!("pending")),
                200,
                "validated",
                json!("accepted_pending"),
            ),
            (known.clone(), 200, "validated", json!("duplicate")),
            (with(known.clone(), "amount", json!("1")), 409, "duplicate_conflict", Value::Null),
            (with(sale(&acme, &click_id), "click_id", json!("cut")), 400, "click_id_malformed", Value::Null),
            (with(sale(&acme, &click_id), "goal", json!("x")), 422, "goal_mismatch", Value::Null),
        ] {
            for answer in by_all(&acme, &with(sale, "validate_only", json!(value))).await {
                lines += 1;
                let body = answer.expect(status);
                assert_eq!((&body["code"], &body["would_be"]), (&json!(code), &would_be), "{body:#}");
                assert!(body["conversion_id"].is_null() || code == "duplicate_conflict", "{body:#}");
                assert!(body["postback_id"].is_string(), "{body:#}");
            }
        }
    }
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 1);
    assert_eq!(acme.agency.all("/v1/postbacks").await.len(), lines);
    for value in [json!("false"), json!("0"), json!(false)] {
        by_json(&acme, &with(sale(&acme, &click_id), "validate_only", value)).await.expect(201);
    }
    for value in [json!("yes"), json!("TRUE"), json!(1), json!("2")] {
        let problem = by_json(&acme, &with(sale(&acme, &click_id), "validate_only", value)).await;
        assert_eq!(pointers(&problem.refused(400, "malformed")), ["/validate_only"]);
    }
    acme.agency.report_until("", "/totals/conversions/total", json!(4)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_as_text_is_one_line_whatever_it_is() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let text = urlencoded(&sale(&acme, &click_id));
    let made = acme.report_by_url(&format!("{text}&format=text")).await;
    let id = acme.agency.all("/v1/conversions").await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!((made.status, made.text.as_str()), (201, format!("OK {id}").as_str()));
    assert_eq!(made.header("content-type"), Some("text/plain; charset=utf-8"));
    for (parameters, status, line) in [
        (format!("format=text&{text}"), 200, format!("OK {id}")),
        (format!("{text}&format=text&validate_only=1"), 200, "OK".to_owned()),
        (format!("{}&format=text", text.replace("49.90", "1")), 409, "ERR duplicate_conflict".to_owned()),
        (format!("{text}&goal=x&format=text"), 400, "ERR malformed".to_owned()),
        (format!("{text}&format=text&shoe=%ff"), 400, "ERR malformed".to_owned()),
        (format!("{text}&format=text&coupon=jane%40example.com"), 400, "ERR pii_in_url".to_owned()),
    ] {
        let answer = acme.report_by_url(&parameters).await;
        assert_eq!((answer.status, answer.text), (status, line), "{parameters}");
    }
    let unsigned = client().get(format!("{}/v1/postback?{text}&format=text", app.base_url));
    let unsigned = Answer::to(unsigned).await;
    assert_eq!((unsigned.status, unsigned.text.as_str()), (401, "ERR signature_missing"));
    for other in ["format=TEXT", "format=json", "format=", "formats=text"] {
        assert!(acme.report_by_url(&format!("{text}&{other}")).await.body.is_object(), "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_advertiser_is_needed_where_the_key_covers_several() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let sister = Acme::set_up(acme.agency.clone()).await;
    let key = json!({"name": "Both", "advertiser_ids": [acme.advertiser["id"], sister.advertiser["id"]]});
    let both = Acme { key: acme.agency.make("/v1/signing-keys", key).await, ..acme.clone() };
    let path = format!("/v1/advertisers/{}", acme.advertiser["id"].as_str().unwrap());
    acme.agency.patch(&path, json!({"external_id": "shoes"})).await.expect(200);
    let click_id = acme.click().await;
    for answer in by_all(&both, &sale(&acme, &click_id)).await {
        let problem = answer.refused(400, "malformed");
        assert_eq!(pointers(&problem)[0].trim_start_matches('/'), "advertiser");
    }
    for name in [acme.advertiser["id"].clone(), json!("shoes"), json!("ext:shoes")] {
        let [first, ..] = by_all(&both, &with(sale(&acme, &click_id), "advertiser", name)).await;
        assert_eq!(counted(&acme, first).await["advertiser_id"], acme.advertiser["id"]);
    }
    let stranger = app.acme().await;
    for unknown in [json!("boots"), json!("ext:boots"), stranger.advertiser["id"].clone()] {
        for answer in by_all(&both, &with(sale(&acme, &click_id), "advertiser", unknown)).await {
            answer.refused(404, "not_found");
        }
    }
}
