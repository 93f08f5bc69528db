//! The database goes away under load, in every way that can be brought about: clicks go on redirecting, postbacks are
//! taken, nothing is lost and nothing is counted twice. `TEST_OUTAGE_SECONDS` makes each outage longer.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tallyback::Outcome;
use tallyback_server::domain::api_key::ApiKeyText;
use tallyback_tests::{Acme, Agency, Frail, Load, Outage, Process, Seen, TestDatabase, client, visit};

use super::{tallyback, verify::verify};

const VISITORS: usize = 8;
/// Sales before and after each outage.
const SALES: u64 = 50;

/// How long before an outage requests are sent that it hits.
const IN_FLIGHT: Duration = Duration::from_millis(200);

fn outage_length() -> Duration {
    let seconds = std::env::var("TEST_OUTAGE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(4))
}

/// What the server says about itself.
async fn health(base_url: &str) -> Value {
    let answer = client().get(format!("{base_url}/readyz")).send().await.unwrap();
    assert_eq!(answer.status(), 200, "the server goes on working");
    answer.json().await.unwrap()
}

/// Waits until the server says something about itself.
pub async fn until(base_url: &str, what: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let health = health(base_url).await;
        if what(&health) {
            return health;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "still {health}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub fn is_ok(health: &Value) -> bool {
    health["status"] == "ok"
}

pub fn is_away(health: &Value) -> bool {
    health["reasons"].as_array().into_iter().flatten().any(|reason| reason == "database_unavailable")
}

/// Everything that was answered is there once, and the totals are the rows.
async fn assert_complete(database: &TestDatabase, acme: &Acme, seen: &Seen) {
    let names = |rows: &[Value], name: &str| -> HashSet<String> {
        rows.iter().map(|row| row[name].as_str().unwrap().to_owned()).collect()
    };
    let (clicks, conversions) =
        (acme.agency.all("/v1/clicks").await, acme.agency.all("/v1/conversions").await);
    let answered: HashSet<String> = seen.clicks.iter().map(|click| click.id.clone()).collect();
    let sold: HashSet<String> = seen.sales.iter().map(|sale| sale.order.clone()).collect();
    let (stored, orders) = (names(&clicks, "click_id"), names(&conversions, "order_id"));
    let missing = (answered.difference(&stored).count(), sold.difference(&orders).count());
    assert_eq!(missing, (0, 0), "clicks and sales that were answered and are not there");
    assert_eq!(
        (clicks.len(), conversions.len()),
        (answered.len(), sold.len()),
        "clicks and sales, each once"
    );
    let lines = acme.agency.all("/v1/postbacks").await;
    let others: Vec<_> = lines.iter().filter(|line| line["code"] != "accepted").collect();
    assert!(lines.len() == sold.len() && others.is_empty(), "{} lines, {others:#?}", lines.len());

    let report = acme.agency.report_until("", "/totals/conversions/total", json!(conversions.len())).await;
    assert_eq!(report["totals"]["clicks"], clicks.len());
    let cents = conversions.len() * 4_990;
    assert_eq!(report["totals"]["money"][0]["amount"], format!("{}.{:02}", cents / 100, cents % 100));
    let verified = verify(database, &[]).await;
    assert!(verified.code == Some(0) && verified.stderr.is_empty(), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_loses_nothing_and_counts_nothing_twice() {
    let frail = Frail::create().await;
    let outages = Outage::all(&frail.database);
    assert_nothing_is_lost(frail, outages).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_postgresql_loses_nothing_and_counts_nothing_twice() {
    // SQLite has no processes to be stopped; its file can be locked.
    if TestDatabase::create().await.is_postgres() {
        assert_nothing_is_lost(Frail::alone().await, vec![Outage::Stopped]).await;
    }
}

/// Lets these outages happen under load, one after the other.
#[expect(clippy::print_stdout, reason = "what an outage comes to is for people to read")]
async fn assert_nothing_is_lost(mut frail: Frail, outages: Vec<Outage>) {
    let server = Process::serve(tallyback(), &frail.database, &[]).await;
    let acme = Acme::set_up(server.agency(&frail.database).await).await;
    let mut all = Seen::default();
    for outage in outages {
        let load = Load::start(&acme, VISITORS, &format!("{outage:?}"));
        load.more(SALES).await;
        frail.begin(outage).await;
        let began = Instant::now();
        until(&server.base_url, is_away).await;
        let refused = acme.agency.get("/v1/clicks").await;
        assert_eq!(refused.header("retry-after"), Some("1"), "{outage:?}");
        refused.refused(503, "unavailable");
        tokio::time::sleep(outage_length()).await;
        let depth = health(&server.base_url).await["spooled"].clone();
        frail.end().await;
        let ended = Instant::now();
        until(&server.base_url, is_ok).await;
        let drained = ended.elapsed();
        load.more(SALES).await;
        let seen = load.stop().await;
        println!(
            "{outage:?}: {} clicks, sales {:?}; p99 of clicks {:?} before, {:?} during; {depth} spooled, drained in {drained:?}",
            seen.clicks.len(),
            seen.outcomes(),
            seen.p99(began - Duration::from_secs(1), began - IN_FLIGHT),
            seen.p99(began - IN_FLIGHT, ended),
        );
        assert!(seen.failures.is_empty(), "{outage:?}: {:#?}", seen.failures);
        for outcome in ["accepted", "accepted_spooled"] {
            assert!(seen.outcomes().contains_key(outcome), "{outage:?}: no {outcome}");
        }
        all.clicks.extend(seen.clicks);
        all.sales.extend(seen.sales);
    }
    assert_complete(&frail.database, &acme, &all).await;
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_during_an_outage_is_answered_as_far_as_it_is_known() {
    let mut frail = Frail::create().await;
    let server = Process::serve(tallyback(), &frail.database, &[]).await;
    let acme = Acme::set_up(server.agency(&frail.database).await).await;
    let click_id = acme.click().await;
    acme.sdk().record(&Acme::sale(&click_id, "A-0")).await.unwrap();
    let open_link = json!({"campaign_id": acme.campaign["id"], "name": "Open"});
    let open_link = acme.agency.make("/v1/links", open_link).await;
    visit(open_link["click_url"].as_str().unwrap()).await.click_id();
    visit(&acme.click_url()).await.click_id();
    acme.sdk().record(&Acme::sale(&click_id, "A-00")).await.unwrap();
    frail.begin(Outage::of(&frail.database)).await;

    let sale = json!({"goal": "purchase", "click_id": click_id, "order_id": "A-1", "amount": "49.90", "currency": "EUR"});
    let spooled = acme.report(sale.clone()).await.expect(202);
    let postback_id = spooled["postback_id"].as_str().unwrap().to_owned();
    let expected = json!({
        "result": "accepted", "code": "accepted_spooled", "postback_id": postback_id, "conversion_id": null,
        "status": null, "hold_until": null, "retry": "no", "flags": [],
        "message": spooled["message"], "hint": spooled["hint"],
    });
    assert_eq!(spooled, expected);
    let recorded = acme.sdk().record(&Acme::sale(&click_id, "A-2")).await.unwrap();
    assert_eq!((recorded.outcome, recorded.conversion_id), (Outcome::Spooled, None));
    let by_url = format!("goal=purchase&click_id={click_id}&order_id=A-3&amount=1&currency=EUR&format=text");
    assert_eq!(acme.report_by_url(&by_url).await.text, "OK");

    // What is known without the database is said at once; a dry run is not recorded, so it cannot wait.
    let mut dry_run = sale.clone();
    dry_run["validate_only"] = json!(true);
    acme.report(dry_run).await.refused(503, "unavailable");
    acme.report(json!({"goal": "purchase"})).await.refused(400, "malformed");
    let placeholder = json!({"goal": "purchase", "click_id": click_id, "order_id": "{order}"});
    let refused = acme.report(placeholder).await.refused(400, "unresolved_macro");
    acme.report_at(tallyback_tests::now() - 301, sale.clone())
        .await
        .refused(401, "timestamp_out_of_tolerance");
    // A link that nobody has clicked yet may exist, or not.
    assert_eq!(visit(&format!("{}/c/0000000", server.base_url)).await.status, 503);
    // Nor may a publisher that nobody has named yet; its name is kept.
    let open = visit(&format!("{}?publisher_id=ext:new", open_link["click_url"].as_str().unwrap())).await;
    let spooled_click = open.click_id();
    // An impression waits like a click.
    let pixel = acme.click_url().replace("/c/", "/i/");
    assert_eq!(visit(&pixel).await.status, 200);

    frail.end().await;
    until(&server.base_url, is_ok).await;
    let pictures = acme.agency.all("/v1/impressions").await;
    assert_eq!(pictures.len(), 1, "{pictures:?}");
    let line = acme.agency.get(&format!("/v1/postbacks/{postback_id}")).await.expect(200);
    assert_eq!((&line["code"], &line["http_status"]), (&json!("accepted"), &json!(201)), "{line:#}");
    let conversion = line["conversion_id"].as_str().unwrap();
    let conversion = acme.agency.get(&format!("/v1/conversions/{conversion}")).await.expect(200);
    assert_eq!((&conversion["order_id"], &conversion["flags"]), (&json!("A-1"), &json!([])));
    let refused = refused["postback_id"].as_str().unwrap();
    let line = acme.agency.get(&format!("/v1/postbacks/{refused}")).await.expect(200);
    assert_eq!(line["code"], "unresolved_macro");
    let mut codes: Vec<_> =
        acme.agency.all("/v1/postbacks").await.iter().map(|line| line["code"].to_string()).collect();
    codes.sort();
    codes.dedup();
    assert_eq!(codes, [r#""accepted""#, r#""malformed""#, r#""unresolved_macro""#]);
    let click = acme.agency.get(&format!("/v1/clicks/{spooled_click}")).await.expect(200);
    let kept = (&click["flags"], &click["parameters"]["publisher_id"], &click["publisher_id"]);
    assert_eq!(kept, (&json!(["unresolved:publisher_id"]), &json!("ext:new"), &Value::Null));
    assert_eq!(acme.report(sale).await.expect(200)["conversion_id"], conversion["id"], "a repetition");
    server.kill().await;
}

/// What is no click id of the partner's is known without the database.
#[tokio::test(flavor = "multi_thread")]
async fn a_click_id_that_is_not_ours_is_refused_during_an_outage_too() {
    let mut frail = Frail::create().await;
    let server = Process::serve(tallyback(), &frail.database, &[]).await;
    let acme = Acme::set_up(server.agency(&frail.database).await).await;
    let click_id = acme.click().await;
    acme.sdk().record(&Acme::sale(&click_id, "A-0")).await.unwrap();
    frail.begin(Outage::of(&frail.database)).await;
    acme.click().await;
    until(&server.base_url, is_away).await;
    let altered = format!("{}{}", &click_id[..34], if click_id.ends_with('0') { '1' } else { '0' });
    let cases = [(&click_id[..15], 400, "click_id_malformed"), (altered.as_str(), 404, "click_not_found")];
    let sale = |click_id: &str| json!({"goal": "purchase", "click_id": click_id, "order_id": "A-1"});
    let mut refused = Vec::new();
    for (click_id, status, code) in cases {
        let answer = acme.report(sale(click_id)).await.refused(status, code);
        let mut dry_run = sale(click_id);
        dry_run["validate_only"] = json!(true);
        acme.report(dry_run).await.refused(status, code);
        refused.push((answer["postback_id"].as_str().unwrap().to_owned(), code));
    }
    frail.end().await;
    until(&server.base_url, is_ok).await;
    for (postback, code) in refused {
        let line = acme.agency.get(&format!("/v1/postbacks/{postback}")).await.expect(200);
        assert_eq!((&line["code"], &line["request"]["order_id"]), (&json!(code), &json!("A-1")));
        let explained = acme.agency.get(&format!("/v1/postbacks/{postback}/explain")).await.expect(200);
        let outcomes: Vec<_> = explained["checks"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|check| {
                ["parameters", "goal", "source", "windows"].map(Value::from).contains(&check["check"])
            })
            .map(|check| check["outcome"].as_str().unwrap())
            .collect();
        assert_eq!(outcomes, ["passed", "not_reached", "failed", "not_reached"], "{explained:#}");
    }
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 1);
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_back_end_may_tell_of_clicks_and_impressions_during_an_outage() {
    let mut frail = Frail::create().await;
    let server = Process::serve(tallyback(), &frail.database, &[]).await;
    let acme = Acme::set_up(server.agency(&frail.database).await).await;
    let link = json!({"campaign_id": acme.campaign["id"], "name": "App", "external_id": "app"});
    let link = acme.agency.make("/v1/links", link).await;
    let told = json!({"link": "ext:app", "parameters": {"sub1": "a"}});
    let before = acme.agency.make("/v1/clicks", told.clone()).await;
    let click_id = acme.click().await;
    acme.sdk().record(&Acme::sale(&click_id, "A-0")).await.unwrap();
    // What is known stays known when something else changes.
    let changed = acme.agency.make("/v1/publishers", json!({"name": "Other"})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    frail.begin(Outage::of(&frail.database)).await;
    acme.click().await;
    until(&server.base_url, is_away).await;

    let click = acme.agency.make("/v1/clicks", told.clone()).await;
    let shown = acme.agency.make("/v1/impressions", told.clone()).await;
    let [click, shown] =
        [&click["click_id"], &shown["impression_id"]].map(|id| id.as_str().unwrap().to_owned());
    let unknown = json!({"link": "ext:unknown"});
    acme.agency.post("/v1/clicks", unknown).await.refused(503, "unavailable");
    acme.agency.get("/v1/links").await.refused(503, "unavailable");
    acme.agency.post("/v1/links", json!({"name": "Other"})).await.refused(503, "unavailable");
    // With another secret it is not the key that is known.
    let id = ApiKeyText::parse(&acme.agency.api_key).unwrap().id();
    let forged = ApiKeyText::new(id, [9; 32]);
    let stranger = Agency::new(&server.base_url, &acme.agency.id, forged.reveal());
    stranger.post("/v1/clicks", told.clone()).await.refused(401, "api_key_invalid");
    acme.agency.make("/v1/clicks", told).await;
    let recorded = acme.sdk().record(&Acme::sale(&click_id, "A-1")).await.unwrap();
    assert_eq!(recorded.outcome, Outcome::Spooled, "after the change of {changed}");
    // A link is known under each of its names.
    for (link, used_by) in [(&link, "code"), (&acme.link, "id")] {
        let url = link["click_url"].as_str().unwrap();
        let by_id = format!("{}/c/{}", server.base_url, link["id"].as_str().unwrap());
        visit(if used_by == "code" { url } else { &by_id }).await.click_id();
    }

    frail.end().await;
    until(&server.base_url, is_ok).await;
    acme.agency.get(&format!("/v1/clicks/{click}")).await.expect(200);
    acme.agency.get(&format!("/v1/impressions/{shown}")).await.expect(200);
    acme.agency.get(&format!("/v1/clicks/{}", before["click_id"].as_str().unwrap())).await.expect(200);
    assert_eq!(acme.agency.all("/v1/clicks").await.len(), 7);
    server.kill().await;
}

/// While a server is cut off, another one may revoke the key.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_after_its_key_was_revoked_is_refused_when_it_is_drained() {
    let mut frail = Frail::create().await;
    let server = Process::serve(tallyback(), &frail.database, &[]).await;
    let acme = Acme::set_up(server.agency(&frail.database).await).await;
    let click_id = acme.click().await;
    acme.sdk().record(&Acme::sale(&click_id, "A-0")).await.unwrap();
    frail.begin(Outage::of(&frail.database)).await;
    acme.click().await;
    until(&server.base_url, is_away).await;
    let sale = json!({"goal": "purchase", "click_id": click_id, "order_id": "A-1", "amount": "1", "currency": "EUR"});
    let spooled = acme.report(sale).await.expect(202);
    assert_eq!(spooled["code"], "accepted_spooled");
    server.kill().await;
    frail.end().await;
    frail.database.db_execute("UPDATE signing_keys SET revoked_at = created_at").await;
    let server = Process::serve(tallyback(), &frail.database, &[]).await;
    until(&server.base_url, is_ok).await;
    let agency = acme.at(&server.base_url).agency;
    let line = format!("/v1/postbacks/{}", spooled["postback_id"].as_str().unwrap());
    let line = agency.get(&line).await.expect(200);
    assert_eq!((&line["code"], &line["http_status"]), (&json!("signature_invalid"), &json!(401)), "{line:#}");
    assert!(line["answer"]["detail"].as_str().unwrap().contains("revoked"), "{line:#}");
    assert_eq!(agency.all("/v1/conversions").await.len(), 1);
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_that_the_database_never_takes_does_not_block_the_others() {
    let mut frail = Frail::create().await;
    let mut server = Process::serve(tallyback(), &frail.database, &[]).await;
    let acme = Acme::set_up(server.agency(&frail.database).await).await;
    acme.click().await;
    let refuse = if frail.database.is_postgres() { POSTGRES_REFUSES } else { SQLITE_REFUSES };
    frail.database.db_execute(refuse).await;
    frail.begin(Outage::of(&frail.database)).await;
    for number in 0..10 {
        let site = if number == 3 { "poison" } else { "blog" };
        visit(&format!("{}?site={site}", acme.click_url())).await.click_id();
    }
    frail.end().await;
    until(&server.base_url, is_ok).await;
    assert_eq!(frail.database.db_number("SELECT count(*) FROM clicks").await, 10);
    let told = server.logged("the database refuses entries of the spool").await;
    assert!(told.contains("entries=1"), "{told}");
    server.kill().await;
}

const SQLITE_REFUSES: &str =
    "CREATE TRIGGER refuse BEFORE INSERT ON clicks WHEN NEW.details ->> 'site' = 'poison'
    BEGIN SELECT RAISE(ABORT, 'poison'); END";
const POSTGRES_REFUSES: &str = "ALTER TABLE clicks ADD CHECK (CAST(details AS JSON) ->> 'site' <> 'poison')";
