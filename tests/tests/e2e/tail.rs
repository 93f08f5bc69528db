//! The live tail of the log: server-sent events.

use std::time::{Duration, Instant};

use reqwest::Response;
use serde_json::{Value, json};
use tallyback_server::clock::Clock;
use tallyback_tests::{Acme, Agency, Process, TestApp, TestDatabase, client};
use tokio::time::timeout;

use super::tallyback;

const PATIENCE: Duration = Duration::from_secs(20);

/// An open tail.
struct Tail {
    response: Response,
    text: String,
}

impl Tail {
    async fn open(agency: &Agency, query: &str, last: Option<&str>) -> Self {
        let url = format!("{}/v1/postbacks/tail{query}", agency.base_url);
        let mut request = client().get(url).bearer_auth(&agency.api_key);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next block: an event or a comment; none at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return Some(block);
            }
            let chunk =
                timeout(PATIENCE, self.response.chunk()).await.expect("there is something").unwrap()?;
            self.text += std::str::from_utf8(&chunk).unwrap();
        }
    }

    /// The next event: its id and its order.
    async fn event(&mut self) -> (String, String) {
        loop {
            let block = self.block().await.expect("the tail goes on");
            if block.starts_with(':') {
                continue;
            }
            let field = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                line.unwrap_or_else(|| panic!("no {name} in {block}")).to_owned()
            };
            let data: Value = serde_json::from_str(&field("data")).unwrap();
            assert_eq!((field("event").as_str(), data["id"].as_str()), ("postback", Some(&*field("id"))));
            return (field("id"), data["order_id"].as_str().unwrap_or("-").to_owned());
        }
    }

    async fn order(&mut self) -> String {
        self.event().await.1
    }
}

fn sale(click_id: &str, order: &str) -> Value {
    json!({"goal": "purchase", "click_id": click_id, "order_id": order, "amount": "1.00", "currency": "EUR"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_shown_live_to_its_owner_alone_and_a_tail_goes_on_where_it_ended() {
    let app = TestApp::start().await;
    let (acme, other) = (app.acme().await, app.acme().await);
    let click_id = acme.click().await;
    acme.report(sale(&click_id, "before")).await.expect(201);
    let mut tail = Tail::open(&acme.agency, "", None).await;
    let mut of_other = Tail::open(&other.agency, "", None).await;
    assert!(tail.block().await.unwrap().starts_with(':'), "it begins at once");
    acme.report(sale(&click_id, "A-1")).await.expect(201);
    other.report(sale(&other.click().await, "other's")).await.expect(201);
    acme.report(json!({"goal": "shoe", "click_id": "x", "order_id": "A-2"})).await.expect(422);
    let (first, order) = tail.event().await;
    assert_eq!((order.as_str(), tail.order().await.as_str()), ("A-1", "A-2"));
    assert_eq!(of_other.order().await, "other's");
    drop(tail);
    for order in ["A-3", "A-4"] {
        tokio::time::sleep(Duration::from_millis(5)).await;
        acme.report(sale(&click_id, order)).await.expect(201);
    }
    let mut again = Tail::open(&acme.agency, "", Some(&first)).await;
    assert_eq!([again.order().await, again.order().await, again.order().await], ["A-2", "A-3", "A-4"]);
    // A foreign id is a place in time, and opens nothing.
    let mut foreign = Tail::open(&other.agency, "", Some(&first)).await;
    assert_eq!(foreign.order().await, "other's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_has_the_filters_of_the_list() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let mut refused = Tail::open(&acme.agency, "?result=rejected", None).await;
    let mut of_order = Tail::open(&acme.agency, "?order_id=A-3&code=accepted,duplicate", None).await;
    for order in ["A-1", "A-3"] {
        acme.report(sale(&click_id, order)).await.expect(201);
    }
    acme.report(sale("x", "A-2")).await.expect(400);
    assert_eq!((refused.order().await.as_str(), of_order.order().await.as_str()), ("A-2", "A-3"));
    for (query, status, code) in [
        ("?code=shoe", 422, "validation_failed"),
        ("?received_from=2026-01-01T00:00:00Z", 400, "malformed"),
        ("?limit=1", 400, "malformed"),
    ] {
        acme.agency.get(&format!("/v1/postbacks/tail{query}")).await.refused(status, code);
    }
    let url = format!("{}/v1/postbacks/tail", app.base_url);
    let wrong = client().get(&url).bearer_auth(&acme.agency.api_key).header("last-event-id", "7");
    tallyback_tests::Answer::to(wrong).await.refused(400, "malformed");
    tallyback_tests::Answer::to(client().get(url)).await.refused(401, "api_key_missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_tail_is_heard_of_and_lives_on_beside_the_watch_for_idle_connections() {
    let app = TestApp::with(Clock::System, |config| {
        config.limits.tail_heartbeat = Duration::from_millis(500);
        config.limits.quiet = Duration::from_secs(2);
    })
    .await;
    let acme = app.acme().await;
    let mut tail = Tail::open(&acme.agency, "", None).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        assert!(tail.block().await.unwrap().starts_with(':'));
    }
    acme.report(json!({"goal": "shoe", "click_id": "x", "order_id": "A-1"})).await.expect(422);
    assert_eq!(tail.order().await, "A-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn tails_are_bounded_and_make_room_when_they_end() {
    let app = TestApp::with(Clock::System, |config| {
        config.limits.tails = 3;
        config.limits.tails_of_partner = 2;
    })
    .await;
    let (acme, other) = (app.agency().await, app.agency().await);
    let first = Tail::open(&acme, "", None).await;
    let _second = Tail::open(&acme, "", None).await;
    let problem = acme.get("/v1/postbacks/tail").await.refused(429, "rate_limited");
    assert!(problem["detail"].as_str().unwrap().contains("2 of them are yours"), "{problem:#}");
    let _third = Tail::open(&other, "", None).await;
    other.get("/v1/postbacks/tail").await.refused(429, "rate_limited");
    drop(first);
    let path = format!("{}/v1/postbacks/tail", app.base_url);
    let mut status = 0;
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        status = client().get(&path).bearer_auth(&other.api_key).send().await.unwrap().status().as_u16();
        if status == 200 {
            break;
        }
    }
    assert_eq!(status, 200, "who leaves makes room");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_ends_with_the_server_and_when_it_has_lived_long_enough() {
    let app = TestApp::with(Clock::System, |config| config.limits.tail_life = Duration::from_secs(1)).await;
    let agency = app.agency().await;
    let mut tail = Tail::open(&agency, "", None).await;
    while tail.block().await.is_some() {}
    drop(app.stop().await);

    let app = TestApp::start().await;
    let agency = app.agency().await;
    let mut tail = Tail::open(&agency, "", None).await;
    tail.block().await.unwrap();
    let began = Instant::now();
    let (_, _) = tokio::join!(app.stop(), async { while tail.block().await.is_some() {} });
    assert!(began.elapsed() < Duration::from_secs(3), "the server waited {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_does_not_wait_for_a_tail() {
    let database = TestDatabase::create().await;
    let server = Process::serve(tallyback(), &database, &[]).await;
    let agency = server.agency(&database).await;
    let mut tail = Tail::open(&agency, "", None).await;
    tail.block().await.unwrap();
    let began = Instant::now();
    server.signal("TERM").await;
    while tail.block().await.is_some() {}
    assert!(began.elapsed() < Duration::from_secs(2), "the tail ended after {:?}", began.elapsed());
    assert!(server.end().await.0.success());
    assert!(began.elapsed() < Duration::from_secs(8), "the server ended after {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_shows_what_another_server_on_the_same_database_takes() {
    let database = TestDatabase::create().await;
    // A SQLite database belongs to one process.
    if !database.is_postgres() {
        return;
    }
    let one = Process::serve(tallyback(), &database, &[]).await;
    let spool = database.folder.path().join("another-spool.db").display().to_string();
    let two = Process::serve(tallyback(), &database, &["--spool", &spool]).await;
    let acme = Acme::set_up(one.agency(&database).await).await;
    let there = acme.at(&two.base_url);
    let mut tail = Tail::open(&acme.agency, "", None).await;
    there.report(sale(&there.click().await, "A-1")).await.expect(201);
    assert_eq!(tail.order().await, "A-1");
    one.kill().await;
    two.kill().await;
}
