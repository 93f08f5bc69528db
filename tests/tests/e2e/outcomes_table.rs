//! Every row of the table of outcomes, brought about over HTTP.

use reqwest::{
    RequestBuilder,
    header::{CONTENT_TYPE, USER_AGENT},
};
use serde_json::{Value, json};
use tallyback_server::{clock::Clock, config::Config};
use tallyback_tests::{Acme, Answer, Frail, Outage, Process, Signer, TestApp, Visit, client, visit};

use super::{
    outages::{is_ok, until},
    outcome_rows::{Judge, Place},
    tallyback,
};

const DAY: i64 = 86_400;
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
/// Reports in a minute, which is as long as the server's clock stands still.
const MOST: u64 = 1_000;

fn sale(click_id: &str, order_id: &str) -> Value {
    json!({"goal": "purchase", "click_id": click_id, "order_id": order_id, "amount": "49.90", "currency": "EUR"})
}

fn with(mut body: Value, changes: Value) -> Value {
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body
}

/// A server whose clock stands still behind a proxy, and Acme on it.
struct Scene {
    app: TestApp,
    acme: Acme,
    judge: Judge,
}

impl Scene {
    async fn set() -> Self {
        let change = |config: &mut Config| {
            config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
            config.limits.reports_per_minute = Some(MOST);
        };
        let app = TestApp::with(Clock::fixed(Clock::System.now()), change).await;
        let acme = app.acme().await;
        Self { app, acme, judge: Judge::default() }
    }

    fn now(&self) -> i64 {
        self.app.clock.now().seconds()
    }

    async fn check(&mut self, situation: &'static str, sent: impl Future<Output = Answer>) -> Answer {
        let place = Place { database: &self.app.database, acme: &self.acme };
        self.judge.check(place, situation, sent).await
    }

    /// Checks a report as JSON by a key.
    async fn report_by(&mut self, key: &Value, situation: &'static str, body: Value) -> Answer {
        let acme = Acme { key: key.clone(), ..self.acme.clone() };
        let now = self.now();
        self.check(situation, acme.report_at(now, body)).await
    }

    /// Checks a report as JSON by the back end's key.
    async fn report(&mut self, situation: &'static str, body: Value) -> Answer {
        let key = self.acme.key.clone();
        self.report_by(&key, situation, body).await
    }

    /// Checks a report by a signed query.
    async fn query(&mut self, situation: &'static str, parameters: &str) -> Answer {
        let query = self.acme.signer().query(parameters, self.now());
        self.send(situation, client().get(format!("{}/v1/postback?{query}", self.app.base_url))).await
    }

    async fn send(&mut self, situation: &'static str, request: RequestBuilder) -> Answer {
        self.check(situation, Answer::to(request)).await
    }

    /// A signed message, to be sent.
    fn message(&self, signer: &Signer, path: &str, content_type: &str, body: &[u8]) -> RequestBuilder {
        let request =
            client().post(format!("{}{path}", self.app.base_url)).header(CONTENT_TYPE, content_type);
        signer.sign(request, "msg_1", self.now(), body)
    }

    async fn change(&self, kind: &str, thing: &Value, changes: Value) {
        let path = format!("/v1/{kind}/{}", thing["id"].as_str().unwrap());
        self.acme.agency.patch(&path, changes).await.expect(200);
    }

    async fn key(&self, more: Value) -> Value {
        self.acme.agency.make("/v1/signing-keys", with(json!({"name": "Another"}), more)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_table_of_outcomes_holds() {
    let mut scene = Scene::set().await;
    counted(&mut scene).await;
    said_again(&mut scene).await;
    clicks(&mut scene).await;
    goals_and_publishers(&mut scene).await;
    values(&mut scene).await;
    what_cannot_be_read(&mut scene).await;
    credentials(&mut scene).await;
    transport(&mut scene).await;
    times(&mut scene).await;
    over_the_limit(&mut scene).await;
    let mut judge = scene.judge;
    outage(&mut judge).await;
    judge.dismiss();
}

async fn counted(scene: &mut Scene) {
    let click_id = scene.acme.click().await;
    let made = scene.report("it counts", sale(&click_id, "A-1")).await.body;
    assert_eq!(
        (&made["status"], &made["hint"], &made["flags"]),
        (&json!("approved"), &Value::Null, &json!([]))
    );

    scene.acme.goal(json!({"event_name": "application", "default_status": "pending"})).await;
    let waits = json!({"goal": "application", "click_id": click_id});
    let made = scene.report("the goal needs approval", waits).await.body;
    assert_eq!((&made["status"], &made["flags"]), (&json!("pending"), &json!(["goal_needs_approval"])));

    let capped = json!({"event_name": "few", "count": "per_order", "caps": {"conversions_total": 1}});
    scene.acme.goal(capped).await;
    let few = |order: &str| json!({"goal": "few", "click_id": click_id, "order_id": order});
    scene.acme.report_at(scene.now(), few("F-1")).await.expect(201);
    let made = scene.report("over the cap", few("F-2")).await.body;
    assert_eq!(made["flags"], json!(["over_cap", "cap:conversions_total"]));

    let campaign = scene.acme.campaign.clone();
    scene.change("campaigns", &campaign, json!({"status": "paused"})).await;
    let made = scene.report("the campaign was paused after the click", sale(&click_id, "A-2")).await.body;
    assert_eq!(made["flags"], json!(["campaign_paused"]));
    scene.change("campaigns", &campaign, json!({"status": "active"})).await;

    let advertiser = scene.acme.advertiser.clone();
    scene.change("advertisers", &advertiser, json!({"static_token": "allowed"})).await;
    let token = scene.key(json!({"kind": "token", "advertiser_ids": [advertiser["id"]]})).await;
    let query = format!("goal=purchase&click_id={click_id}&order_id=A-3&amount=1&currency=EUR&token=");
    let query = query + token["secret"].as_str().unwrap();
    let made = client().get(format!("{}/v1/postback?{query}", scene.app.base_url));
    assert_eq!(scene.send("a weak token", made).await.body["flags"], json!(["weak_token"]));

    let robot = client().get(scene.acme.click_url()).header(USER_AGENT, "Googlebot/2.1");
    let robot = Visit::of(Answer::to(robot).await).click_id();
    let made = scene.report("a bot's click", sale(&robot, "A-4")).await.body;
    assert_eq!(made["flags"], json!(["bot_click"]));

    scene.acme.goal(json!({"event_name": "trial", "hold_seconds": DAY})).await;
    let made = scene.report("a hold", json!({"goal": "trial", "click_id": click_id})).await.body;
    let end = scene.app.clock.now().plus_seconds(DAY).to_string();
    assert_eq!((&made["status"], &made["hold_until"]), (&json!("on_hold"), &json!(end)));

    let lost = scene.acme.click().await;
    scene.app.database.db_execute("DELETE FROM clicks").await;
    let made = scene.report("a genuine click id without its row", sale(&lost, "A-5")).await.body;
    assert_eq!(made["flags"], json!(["click_row_missing"]));
    let path = format!("/v1/conversions/{}", made["conversion_id"].as_str().unwrap());
    let row = scene.acme.agency.get(&path).await.expect(200);
    for (name, owner) in [("campaign_id", &scene.acme.campaign), ("link_id", &scene.acme.link)] {
        assert_eq!(row[name], owner["id"], "the id says whose link it was");
    }
    assert_eq!(row["publisher_id"], scene.acme.publisher["id"]);

    let click_id = scene.acme.click().await;
    let dry = with(sale(&click_id, "A-6"), json!({"validate_only": true}));
    let dry = scene.report("a dry run", dry).await.body;
    let told = ["would_be", "payout_rule", "revenue_rule"].map(|name| dry[name].as_str().unwrap_or_default());
    assert_eq!(told, ["accepted", "goal", "goal"]);
    let test = scene.key(json!({"test": true})).await;
    assert_eq!(
        scene.report_by(&test, "a test key", sale(&click_id, "A-6")).await.body["would_be"],
        "accepted"
    );
}

async fn said_again(scene: &mut Scene) {
    let (click_id, other) = (scene.acme.click().await, scene.acme.click().await);
    let first = scene.acme.report_at(scene.now(), sale(&click_id, "B-1")).await.expect(201);
    let again = scene.report("the same again", sale(&click_id, "B-1")).await.body;
    assert_eq!(
        (&again["conversion_id"], &again["status"]),
        (&first["conversion_id"], &json!("approved")),
        "the first one's"
    );
    let dearer = with(sale(&click_id, "B-1"), json!({"amount": "59.90"}));
    let conflict = scene.report("the same order for another amount", dearer).await.body;
    assert_eq!((&conflict["counted"], &conflict["received"]), (&json!("49.90 EUR"), &json!("59.90 EUR")));

    let dynamic = json!({"event_name": "any", "count": "per_order", "payout": {"type": "dynamic"}});
    scene.acme.goal(dynamic).await;
    let any = |currency: &str| with(sale(&click_id, "B-2"), json!({"goal": "any", "currency": currency}));
    scene.acme.report_at(scene.now(), any("EUR")).await.expect(201);
    let conflict = scene.report("the same order in another currency", any("USD")).await.body;
    assert_eq!((&conflict["counted"], &conflict["received"]), (&json!("49.90 EUR"), &json!("49.90 USD")));
    scene.report("the order of another click", sale(&other, "B-1")).await;
}

async fn clicks(scene: &mut Scene) {
    let click_id = scene.acme.click().await;
    let cut = scene.report("a click id that was cut", sale(&click_id[..15], "C-1")).await.body;
    assert_eq!((&cut["received_characters"], &cut["expected_characters"]), (&json!(15), &json!(35)));
    let last = if click_id.ends_with('0') { "1" } else { "0" };
    let altered = format!("{}{last}", &click_id[..34]);
    let invented = format!("1{}", "0".repeat(34));
    let foreign = scene.app.acme().await.click().await;
    let sister = Acme::set_up(scene.acme.agency.clone()).await;
    let sisters = sister.click().await;
    let mut answers = Vec::new();
    for (situation, id) in [
        ("a click id that was altered", &altered),
        ("a click id that was invented", &invented),
        ("another tenant's click", &foreign),
        ("a click of an advertiser that the key does not cover", &sisters),
    ] {
        let mut body = scene.report(situation, sale(id, "C-1")).await.body;
        for own in ["postback_id", "request_id"] {
            body.as_object_mut().unwrap().remove(own);
        }
        answers.push(body);
    }
    assert!(answers.iter().all(|body| body == &answers[0]), "one answer for all: {answers:#?}");

    let wide = scene.key(json!({})).await;
    let named = with(sale(&sisters, "C-1"), json!({"advertiser": scene.acme.advertiser["id"]}));
    scene.report_by(&wide, "a click of another advertiser that the key covers", named).await;
}

async fn goals_and_publishers(scene: &mut Scene) {
    let click_id = scene.acme.click().await;
    let sale = sale(&click_id, "D-1");
    let misspelt = with(sale.clone(), json!({"goal": "Purchase"}));
    assert_eq!(scene.report("no goal of that name", misspelt).await.body["nearest"][0], "purchase");

    let goal = scene.acme.goal.clone();
    scene.change("goals", &goal, json!({"status": "paused"})).await;
    scene.report("a goal that is paused", sale.clone()).await;
    scene.change("goals", &goal, json!({"status": "active"})).await;
    let other = json!({"advertiser_id": scene.acme.advertiser["id"], "name": "Winter", "landing_url": "https://shop.example"});
    let other = scene.acme.agency.make("/v1/campaigns", other).await;
    scene.change("goals", &goal, json!({"campaign_ids": [other["id"]]})).await;
    scene.report("a goal for other campaigns", sale.clone()).await;
    scene.change("goals", &goal, json!({"campaign_ids": []})).await;
    let own = scene.acme.publisher["id"].clone();
    let alone = with(sale.clone(), json!({"click_id": null, "publisher_id": own}));
    scene.report("a mode that the goal does not allow", alone).await;

    scene.report("an unknown publisher", with(sale.clone(), json!({"publisher_id": "nobody"}))).await;
    let advertiser = scene.acme.advertiser.clone();
    let named = with(sale, json!({"publisher_id": own}));
    scene.change("advertisers", &advertiser, json!({"blocked_publisher_ids": [own]})).await;
    scene.report("a blocked publisher", named.clone()).await;
    let others = scene.acme.agency.make("/v1/publishers", json!({"name": "Another"})).await;
    let only = json!({"blocked_publisher_ids": [], "publisher_ids": [others["id"]]});
    scene.change("advertisers", &advertiser, only).await;
    scene.report("a publisher that is not on this advertiser", named.clone()).await;
    scene.change("advertisers", &advertiser, json!({"publisher_ids": null})).await;
    scene.acme.report_at(scene.now(), named).await.expect(201);
}

async fn values(scene: &mut Scene) {
    let click_id = scene.acme.click().await;
    let now = scene.now();
    for (situation, changes) in [
        ("no order id", json!({"order_id": ""})),
        ("no amount", json!({"amount": null, "currency": null})),
        ("no currency", json!({"currency": null})),
        ("a bad amount", json!({"amount": "49,90"})),
        ("a bad currency", json!({"currency": "EURO"})),
        ("milliseconds", json!({"event_time": now * 1_000})),
        ("an event in the future", json!({"event_time": now + 301})),
    ] {
        scene.report(situation, with(sale(&click_id, "E-1"), changes)).await;
    }
}

async fn what_cannot_be_read(scene: &mut Scene) {
    let click_id = scene.acme.click().await;
    let signer = scene.acme.signer();
    let bad = scene.message(&signer, "/v1/conversions", JSON, b"{\"goal\": \"purchase\"");
    scene.send("bad JSON", bad).await;
    let bad = scene.message(&signer, "/v1/postback", FORM, b"goal=purchase&click_id=\xff");
    scene.send("bad UTF-8", bad).await;
    let missing = scene.report("a missing field", json!({"order_id": "F-1"})).await.body;
    let pointers = |body: &Value| -> Vec<String> {
        let errors = body["errors"].as_array().unwrap().iter();
        errors.map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(pointers(&missing), ["/goal", "/click_id"]);
    let rest = "order_id=F-1&amount=1&currency=EUR";
    let twice = format!("goal=purchase&click_id={click_id}&click_id={click_id}&order_id=1&{rest}");
    assert_eq!(pointers(&scene.query("a repeated parameter", &twice).await.body), ["click_id", "order_id"]);

    for (situation, value) in [
        ("a macro in braces", "{payout}"),
        ("a macro in percent signs", "%ADID%"),
        ("a macro in capitals", "TRANSACTION_ID"),
    ] {
        let query = format!("goal=purchase&click_id={click_id}&{rest}&adv_sub1={value}");
        let body = scene.query(situation, &query).await.body;
        assert_eq!(pointers(&body), ["adv_sub1"]);
        assert!(body["detail"].as_str().unwrap().contains(value), "{body:#}");
    }
    for (situation, value) in [
        ("an e-mail address in a URL", "jane%40example.com"),
        ("a phone number in a URL", "%2B4915112345678"),
    ] {
        let query = format!("goal=purchase&click_id={click_id}&{rest}&adv_sub1={value}");
        let body = scene.query(situation, &query).await.body;
        assert_eq!(pointers(&body), ["adv_sub1"]);
        let line = format!("/v1/postbacks/{}", body["postback_id"].as_str().unwrap());
        let line = scene.acme.agency.get(&line).await.expect(200);
        assert_eq!(line["request"]["adv_sub1"], "[redacted]");
        assert!(
            !line.to_string().contains("jane") && !line.to_string().contains("4915112345678"),
            "{line:#}"
        );
    }
}

async fn credentials(scene: &mut Scene) {
    let click_id = scene.acme.click().await;
    let sale = sale(&click_id, "G-1");
    let url = format!("{}/v1/conversions", scene.app.base_url);
    let nobody = client().post(&url).header(CONTENT_TYPE, JSON).body(sale.to_string());
    scene.send("no credentials", nobody).await;
    let forged = format!("whsec_{}=", "A".repeat(43));
    let stranger = json!({"id": scene.acme.key["id"], "secret": forged});
    let mut answers = vec![scene.report_by(&stranger, "a bad signature", sale.clone()).await.body];
    let unknown = json!({"id": "key_00000000000000000000000000", "secret": forged});
    answers.push(scene.report_by(&unknown, "an unknown key", sale.clone()).await.body);
    let revoked = scene.key(json!({})).await;
    let path = format!("/v1/signing-keys/{}/revoke", revoked["id"].as_str().unwrap());
    scene.acme.agency.post(&path, json!({})).await.expect(200);
    answers.push(scene.report_by(&revoked, "a revoked key", sale.clone()).await.body);
    answers.iter_mut().for_each(|body| drop(body.as_object_mut().unwrap().remove("request_id")));
    assert!(answers.iter().all(|body| body == &answers[0]), "{answers:#?}");

    let late = scene.now() - 301;
    let acme = scene.acme.clone();
    let refused = scene.check("a timestamp out of tolerance", acme.report_at(late, sale.clone())).await;
    assert_eq!(refused.body["server_time"], scene.now());
    let weak = scene.key(json!({"scopes": ["logs:read"]})).await;
    let refused = scene.report_by(&weak, "a key without the scope", sale.clone()).await.body;
    assert!(refused["detail"].as_str().unwrap().contains("conversions:write"), "{refused:#}");
    let elsewhere = scene.key(json!({"allowed_ips": ["192.0.2.1"]})).await;
    scene.report_by(&elsewhere, "an address that the key does not work from", sale).await;
}

async fn transport(scene: &mut Scene) {
    let (signer, body) = (scene.acme.signer(), sale(&scene.acme.click().await, "H-1").to_string());
    let plain = scene.message(&signer, "/v1/conversions", JSON, body.as_bytes());
    scene.send("plain HTTP", plain.header("x-forwarded-proto", "http")).await;
    let padded = |bytes: usize| format!("{body}{}", " ".repeat(bytes - body.len()));
    let large = scene.message(&signer, "/v1/conversions", JSON, padded(64 * 1024 + 1).as_bytes());
    scene.send("a body that is too large", large).await;
    let largest = scene.message(&signer, "/v1/conversions", JSON, padded(64 * 1024).as_bytes());
    Answer::to(largest).await.expect(201);
    let other = scene.message(&signer, "/v1/conversions", "text/plain", body.as_bytes());
    scene.send("a wrong type", other).await;
    let put = client().put(format!("{}/v1/postback", scene.app.base_url));
    let refused = scene.send("a wrong method", put).await;
    assert_eq!(refused.header("allow"), Some("GET, POST"));
}

async fn times(scene: &mut Scene) {
    let click_id = scene.acme.click().await;
    let began = scene.now();
    let at = |order: &str, time: i64| with(sale(&click_id, order), json!({"event_time": time}));
    scene.report("an event before its click", at("I-1", began - 1)).await;
    scene.acme.report_at(began, at("I-2", began)).await.expect(201);
    scene.app.clock.advance(30 * DAY + 1);
    let refused = scene.report("a click older than the window", sale(&click_id, "I-3")).await.body;
    let (age, window) = (&refused["age_seconds"], &refused["window_seconds"]);
    assert_eq!((age, window), (&json!(30 * DAY + 1), &json!(30 * DAY)));
    scene.app.clock.advance(90 * DAY);
    scene.report("a report long after the event", at("I-4", began)).await;
    scene.app.database.db_execute("DELETE FROM clicks").await;
    scene.app.clock.advance(60 * DAY);
    scene.report("a click that retention has removed", sale(&click_id, "I-5")).await;
}

async fn over_the_limit(scene: &mut Scene) {
    let (signer, click_id) = (scene.acme.signer(), scene.acme.click().await);
    let all = format!("[{}]", vec!["0"; MOST as usize].join(","));
    scene.app.clock.advance(60);
    Answer::to(scene.message(&signer, "/v1/conversions/batch", JSON, all.as_bytes())).await.expect(200);
    let refused = scene.report("over the rate limit", sale(&click_id, "J-1")).await;
    assert_eq!(refused.header("retry-after"), Some("60"));
    assert_eq!(refused.header("ratelimit"), Some("\"reports\";r=0;t=60"));
    assert_eq!(refused.header("ratelimit-policy"), Some("\"reports\";q=1000;w=60"));
    scene.app.clock.advance(60);
    scene.acme.report_at(scene.now(), sale(&click_id, "J-1")).await.expect(201);
}

async fn outage(judge: &mut Judge) {
    let mut frail = Frail::create().await;
    let server = Process::serve(tallyback(), &frail.database, &[]).await;
    let acme = Acme::set_up(server.agency(&frail.database).await).await;
    let click_id = visit(&acme.click_url()).await.click_id();
    acme.report(sale(&click_id, "K-0")).await.expect(201);
    frail.begin(Outage::of(&frail.database)).await;
    let place = Place { database: &frail.database, acme: &acme };
    let spooled = judge.check(place, "the database is away", acme.report(sale(&click_id, "K-1"))).await;
    let dry = with(sale(&click_id, "K-2"), json!({"validate_only": true}));
    let refused = judge.check(place, "nothing can be written", acme.report(dry)).await;
    assert_eq!(refused.header("retry-after"), Some("1"));
    frail.end().await;
    until(&server.base_url, is_ok).await;
    let path = format!("/v1/postbacks/{}", spooled.body["postback_id"].as_str().unwrap());
    assert_eq!(acme.agency.get(&path).await.expect(200)["code"], "accepted");
    server.kill().await;
}
