//! Money in other currencies than the advertiser's: rates, conversion, and what is told of both.

use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tallyback_server::clock::Clock;
use tallyback_tests::{Acme, Answer, TestApp, client};

use super::verify::verify;

/// Acme, whose conversions are in euros, with a goal that takes amounts in any currency.
async fn acme_in_euros(app: &TestApp) -> Acme {
    let acme = app.acme().await;
    change(&acme, json!({"currency": "EUR"})).await;
    acme.goal(json!({
        "event_name": "order", "count": "per_order", "payout": {"type": "percent", "percent": "10"},
        "revenue": {"type": "dynamic"},
    }))
    .await;
    acme
}

async fn change(acme: &Acme, changes: Value) {
    let path = format!("/v1/advertisers/{}", acme.advertiser["id"].as_str().unwrap());
    acme.agency.patch(&path, changes).await.expect(200);
}

async fn put(acme: &Acme, rates: Value) -> Answer {
    acme.agency.send(Method::PUT, "/v1/currency-rates", Some(json!({"rates": rates}))).await
}

async fn import(acme: &Acme, content_type: &str, table: String) -> Answer {
    let url = format!("{}/v1/currency-rates/import", acme.agency.base_url);
    let request = client().post(url).bearer_auth(&acme.agency.api_key).header(CONTENT_TYPE, content_type);
    Answer::to(request.body(table)).await
}

async fn conversion(acme: &Acme, made: &Value) -> Value {
    let path = format!("/v1/conversions/{}", made["conversion_id"].as_str().unwrap());
    acme.agency.get(&path).await.expect(200)
}

fn rate(base: &str, quote: &str, date: &str, rate: &str) -> Value {
    json!({"base": base, "quote": quote, "date": date, "rate": rate})
}

fn order(click_id: &str, order: &str, amount: &str, currency: &str, event_time: &str) -> Value {
    json!({"goal": "order", "click_id": click_id, "order_id": order, "amount": amount, "currency": currency,
        "event_time": event_time})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_is_converted_with_the_rate_of_the_events_day() {
    let app = TestApp::start().await;
    let acme = acme_in_euros(&app).await;
    let click_id = acme.click().await;
    let today = app.clock.now().to_string()[..10].to_owned();
    let rates = json!([
        rate("USD", "EUR", "2026-01-01", "0.5"),
        rate("USD", "EUR", &today, "0.92"),
        rate("USD", "EUR", "2099-01-01", "7"),
        rate("EUR", "GBP", "2026-01-01", "0.8"),
    ]);
    assert_eq!(put(&acme, rates).await.expect(200), json!({"written": 4}));
    let now = app.clock.now().to_string();
    let made = acme.report(order(&click_id, "A-1", "49.90", "USD", &now)).await.expect(201);
    let shown = conversion(&acme, &made).await;
    let told =
        ["amount", "currency", "original_amount", "original_currency", "exchange_rate", "payout", "revenue"]
            .map(|name| shown[name].as_str().unwrap_or_default());
    assert_eq!(told, ["45.908", "EUR", "49.90", "USD", "0.92", "4.5908", "45.908"], "{shown:#}");

    let own = acme.report(order(&click_id, "A-2", "10", "EUR", &now)).await.expect(201);
    let own = conversion(&acme, &own).await;
    assert_eq!(
        [&own["amount"], &own["original_amount"], &own["exchange_rate"]],
        [&json!("10.00"), &Value::Null, &Value::Null]
    );

    let report = acme.agency.report_until("", "/totals/conversions/total", json!(2)).await;
    let money = &report["totals"]["money"];
    assert_eq!((money.as_array().unwrap().len(), &money[0]["currency"]), (1, &json!("EUR")));
    assert_eq!((&money[0]["amount"], &money[0]["payout"]), (&json!("55.908"), &json!("5.5908")));
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_holds_until_a_later_one_and_not_before_its_day() {
    let app = TestApp::at(0).await;
    let acme = acme_in_euros(&app).await;
    let midnight = app.clock.now().start_of_day();
    app.clock.advance(midnight.seconds() + 86_400 - app.clock.now().seconds());
    let click_id = acme.click().await;
    let first = app.clock.now().plus_seconds(86_400);
    let date = |days: i64| first.plus_seconds(days * 86_400).to_string()[..10].to_owned();
    put(&acme, json!([rate("USD", "EUR", &date(0), "0.5"), rate("USD", "EUR", &date(2), "0.25")]))
        .await
        .expect(200);
    app.clock.advance(10 * 86_400);
    let at = |seconds: i64| first.plus_seconds(seconds).to_string();
    let too_early = acme
        .report_at(app.clock.now().seconds(), order(&click_id, "A-0", "8", "USD", &at(-1)))
        .await
        .refused(422, "currency_invalid");
    assert_eq!(
        [&too_early["base"], &too_early["quote"], &too_early["date"]],
        [&json!("USD"), &json!("EUR"), &json!(date(-1))]
    );
    assert!(too_early["hint"].as_str().unwrap().contains("/v1/currency-rates"), "{too_early:#}");
    for (name, seconds, amount) in [
        ("A-1", 0, "4.00"),
        ("A-2", 2 * 86_400 - 1, "4.00"),
        ("A-3", 2 * 86_400, "2.00"),
        ("A-4", 9 * 86_400, "2.00"),
    ] {
        let made = acme
            .report_at(app.clock.now().seconds(), order(&click_id, name, "8", "USD", &at(seconds)))
            .await
            .expect(201);
        assert_eq!(conversion(&acme, &made).await["amount"], amount, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_rate_a_report_says_which_one_is_missing_and_counts_once_it_is_there() {
    let app = TestApp::start().await;
    let acme = acme_in_euros(&app).await;
    let click_id = acme.click().await;
    let now = app.clock.now().to_string();
    let sale = order(&click_id, "A-1", "100", "JPY", &now);
    let refusal = acme.report(sale.clone()).await.refused(422, "currency_invalid");
    assert_eq!(refusal["detail"], format!("There is no rate from JPY to EUR for {} or before.", &now[..10]));
    put(&acme, json!([rate("EUR", "JPY", "2026-01-01", "163")])).await.expect(200);
    acme.report(sale.clone()).await.refused(422, "currency_invalid");
    put(&acme, json!([rate("JPY", "EUR", "2026-01-01", "0.006125")])).await.expect(200);
    let made = acme.report(sale.clone()).await.expect(201);
    assert_eq!(conversion(&acme, &made).await["amount"], "0.6125");
    put(&acme, json!([rate("JPY", "EUR", "2026-01-01", "0.5")])).await.expect(200);
    assert_eq!(acme.report(sale.clone()).await.expect(200)["code"], "duplicate", "as it was reported");
    let mut other = sale;
    other["amount"] = json!("101");
    let conflict = acme.report(other).await.refused(409, "duplicate_conflict");
    assert_eq!((&conflict["counted"], &conflict["received"]), (&json!("100 JPY"), &json!("101 JPY")));
    assert_eq!(conversion(&acme, &made).await["exchange_rate"], "0.006125", "what is counted keeps its rate");
}

#[tokio::test(flavor = "multi_thread")]
async fn fixed_sums_come_into_the_advertisers_currency_too() {
    let app = TestApp::start().await;
    let acme = acme_in_euros(&app).await;
    let lead = json!({"event_name": "lead", "currency": "USD", "payout": {"type": "fixed", "amount": "5"}});
    acme.goal(lead).await;
    let click_id = acme.click().await;
    let lead = json!({"goal": "lead", "click_id": click_id});
    acme.report(lead.clone()).await.refused(422, "currency_invalid");
    put(&acme, json!([rate("USD", "EUR", "2026-01-01", "0.9")])).await.expect(200);
    let made = acme.report(lead).await.expect(201);
    let shown = conversion(&acme, &made).await;
    assert_eq!(
        [&shown["payout"], &shown["currency"], &shown["amount"]],
        [&json!("4.50"), &json!("EUR"), &Value::Null]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_currency_of_its_own_an_advertiser_keeps_what_is_reported() {
    let app = TestApp::start().await;
    let acme = acme_in_euros(&app).await;
    change(&acme, json!({"currency": null})).await;
    put(&acme, json!([rate("USD", "EUR", "2026-01-01", "0.9")])).await.expect(200);
    let click_id = acme.click().await;
    let made =
        acme.report(order(&click_id, "A-1", "10", "USD", &app.clock.now().to_string())).await.expect(201);
    let shown = conversion(&acme, &made).await;
    assert_eq!(
        [&shown["amount"], &shown["currency"], &shown["original_amount"]],
        [&json!("10.00"), &json!("USD"), &Value::Null]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn money_is_exact_or_refused() {
    let app = TestApp::start().await;
    let acme = acme_in_euros(&app).await;
    change(&acme, json!({"currency": null})).await;
    let click_id = acme.click().await;
    let now = app.clock.now().to_string();
    for (name, amount, currency, kept) in [
        ("yen", "1500", "JPY", "1500"),
        ("parts of a yen", "0.5", "JPY", "0.5"),
        ("dinar", "1.234", "KWD", "1.234"),
        ("the smallest", "0.0001", "EUR", "0.0001"),
        ("tenths", "0.1", "EUR", "0.10"),
        ("fifths", "0.2", "EUR", "0.20"),
        ("the largest", "999999999999.9999", "EUR", "999999999999.9999"),
        ("nothing", "0", "EUR", "0.00"),
    ] {
        let made = acme.report(order(&click_id, name, amount, currency, &now)).await.expect(201);
        assert_eq!(conversion(&acme, &made).await["amount"], kept, "{name}");
    }
    for wrong in [
        "0.00000001",
        "1e-8",
        "1000000000000000",
        "1e15",
        "0.1+0.2",
        "-1",
        "-0",
        "NaN",
        "inf",
        "1e400",
        "ten",
        "1,000.00",
        "1.000,00",
        "1'000",
        "1 000",
        "12,50",
        "+1",
        ".5",
        "5.",
        "0x10",
        "１",
    ] {
        let refusal =
            acme.report(order(&click_id, "wrong", wrong, "EUR", &now)).await.refused(422, "amount_invalid");
        assert_eq!(refusal["errors"][0]["pointer"], "/amount", "{wrong}: {refusal:#}");
    }
    for number in [json!(1.1), json!(5), json!(1e308)] {
        let mut body = order(&click_id, "number", "1", "EUR", &now);
        body["amount"] = number;
        acme.report(body).await.refused(422, "amount_invalid");
    }
    let report = acme.agency.report_until("", "/totals/conversions/total", json!(8)).await;
    let euros = report["totals"]["money"]
        .as_array()
        .unwrap()
        .iter()
        .find(|money| money["currency"] == "EUR")
        .unwrap()
        .clone();
    assert_eq!(euros["amount"], "1000000000000.30", "0.0001 + 0.1 + 0.2 + 999999999999.9999");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_grows_too_large_when_it_is_converted_is_refused() {
    let app = TestApp::start().await;
    let acme = acme_in_euros(&app).await;
    put(&acme, json!([rate("USD", "EUR", "2026-01-01", "9000000")])).await.expect(200);
    let click_id = acme.click().await;
    let sale = order(&click_id, "A-1", "999999999999", "USD", &app.clock.now().to_string());
    acme.report(sale).await.refused(422, "amount_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_are_listed_replaced_and_the_partners_own() {
    let app = TestApp::start().await;
    let (acme, stranger) = (app.acme().await, app.acme().await);
    put(
        &acme,
        json!([
            rate("USD", "EUR", "2026-11-01", "0.9"),
            rate("GBP", "EUR", "2026-11-02", "1.1"),
            rate("GBP", "USD", "2026-11-02", "1.3")
        ]),
    )
    .await
    .expect(200);
    put(&acme, json!([rate("USD", "EUR", "2026-11-01", "0.95")])).await.expect(200);
    let told = |rates: Vec<Value>| -> Vec<String> {
        let text = |rate: &Value, name: &str| rate[name].as_str().unwrap().to_owned();
        rates
            .iter()
            .map(|rate| ["date", "base", "quote", "rate"].map(|name| text(rate, name)).join(" "))
            .collect()
    };
    let all = told(acme.agency.all("/v1/currency-rates").await);
    assert_eq!(all, ["2026-11-02 GBP EUR 1.1", "2026-11-02 GBP USD 1.3", "2026-11-01 USD EUR 0.95"]);
    for (filter, count) in
        [("base=GBP", 2), ("quote=EUR", 2), ("from=2026-11-02", 2), ("to=2026-11-01", 1), ("base=JPY", 0)]
    {
        assert_eq!(acme.agency.all(&format!("/v1/currency-rates?{filter}")).await.len(), count, "{filter}");
    }
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = acme.agency.get(&format!("/v1/currency-rates?limit=1{cursor}")).await.expect(200);
        pages.extend(page["data"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(told(pages), all, "page by page");
    assert!(stranger.agency.all("/v1/currency-rates").await.is_empty());
    for wrong in ["base=eur", "from=yesterday", "to=2026-02-30"] {
        acme.agency.get(&format!("/v1/currency-rates?{wrong}")).await.refused(422, "validation_failed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_rate_is_told_and_none_is_written() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let rates = json!([
        rate("USD", "EUR", "2026-11-01", "0.9"),
        rate("usd", "EUR", "2026-11-01", "0.9"),
        rate("USD", "USD", "01.11.2026", "0"),
        {"base": "GBP", "quote": "EUR"},
        rate("USD", "EUR", "2026-11-01", "0.91"),
    ]);
    let problem = put(&acme, rates).await.refused(422, "validation_failed");
    let pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(
        pointers,
        [
            "/rates/1/base",
            "/rates/2/quote",
            "/rates/2/date",
            "/rates/2/rate",
            "/rates/3/date",
            "/rates/3/rate",
            "/rates/4"
        ]
    );
    put(&acme, json!([])).await.refused(422, "validation_failed");
    acme.agency
        .send(Method::PUT, "/v1/currency-rates", Some(json!({})))
        .await
        .refused(422, "validation_failed");
    assert!(acme.agency.all("/v1/currency-rates").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_rates_is_imported_whole_or_not_at_all() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let wrong = "base,quote,date,rate\nUSD,EUR,2026-11-01,0.9\nUSD,EUR,2026-11-02,zero\nEUR,USD,2026-11-02\n";
    let problem = import(&acme, "text/csv", wrong.to_owned()).await.refused(422, "validation_failed");
    let pointers: Vec<&Value> =
        problem["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["line 3", "line 4"], "{problem:#}");
    assert!(acme.agency.all("/v1/currency-rates").await.is_empty());

    let mut table = "date,base,quote,rate\r\n".to_owned();
    for day in 1..=28 {
        for month in 1..=12 {
            table.push_str(&format!("2026-{month:02}-{day:02},USD,EUR,0.{month}{day}\r\n"));
        }
    }
    assert_eq!(
        import(&acme, "text/csv; charset=utf-8", table.clone()).await.expect(200),
        json!({"written": 336})
    );
    assert_eq!(acme.agency.all("/v1/currency-rates").await.len(), 336);
    assert_eq!(import(&acme, "text/csv", table).await.expect(200), json!({"written": 336}), "again");

    import(&acme, "application/json", "{}".to_owned()).await.refused(415, "unsupported_media_type");
    import(&acme, "text/csv", "x".repeat((1 << 20) + 1)).await.refused(413, "payload_too_large");
    import(&acme, "text/csv", String::new()).await.refused(422, "validation_failed");
    let not_utf8 = client()
        .post(format!("{}/v1/currency-rates/import", acme.agency.base_url))
        .bearer_auth(&acme.agency.api_key)
        .header(CONTENT_TYPE, "text/csv")
        .body(vec![0xff, 0xfe]);
    Answer::to(not_utf8).await.refused(400, "malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_knows_a_new_rate_within_a_second() {
    let app = TestApp::start().await;
    if !app.database.is_postgres() {
        return;
    }
    let acme = acme_in_euros(&app).await;
    let there = TestApp::on(app.database.shared(), Clock::System, |_| {}).await;
    let click_id = acme.click().await;
    let sale = order(&click_id, "A-1", "100", "USD", &app.clock.now().to_string());
    acme.at(&there.base_url).report(sale.clone()).await.refused(422, "currency_invalid");
    put(&acme, json!([rate("USD", "EUR", "2026-01-01", "0.9")])).await.expect(200);
    let began = std::time::Instant::now();
    while acme.at(&there.base_url).report(sale.clone()).await.status != 201 {
        assert!(
            began.elapsed() < std::time::Duration::from_secs(5),
            "the other process does not know the rate"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
