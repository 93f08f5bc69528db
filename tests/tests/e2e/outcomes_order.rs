//! The fixed order of the checks: of two faults in one report, whatever they are, the one that is found earlier is answered;
//! in every form of a report.

use reqwest::{RequestBuilder, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tallyback_server::{clock::Clock, config::Config};
use tallyback_tests::{Acme, Answer, TestApp, client};

/// Reports in a minute, which is as long as the server's clock stands still.
const MOST: usize = 900;

/// One fault for each check, in the order of the checks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    PlainHttp,
    WrongType,
    BadSignature,
    OverTheLimit,
    Unreadable,
    BadAmount,
    UnknownGoal,
    UnknownPublisher,
    BeforeTheClick,
    AnotherAmount,
    OverTheCap,
}
use Fault::*;

const FAULTS: [Fault; 11] = [
    PlainHttp,
    WrongType,
    BadSignature,
    OverTheLimit,
    Unreadable,
    BadAmount,
    UnknownGoal,
    UnknownPublisher,
    BeforeTheClick,
    AnotherAmount,
    OverTheCap,
];

impl Fault {
    fn outcome(self) -> (u16, &'static str) {
        match self {
            PlainHttp => (403, "https_required"),
            WrongType => (415, "unsupported_media_type"),
            BadSignature => (401, "signature_invalid"),
            OverTheLimit => (429, "rate_limited"),
            Unreadable => (400, "malformed"),
            BadAmount => (422, "amount_invalid"),
            UnknownGoal => (422, "goal_mismatch"),
            UnknownPublisher => (422, "publisher_not_permitted"),
            BeforeTheClick => (422, "conversion_precedes_click"),
            AnotherAmount => (409, "duplicate_conflict"),
            OverTheCap => (202, "accepted_pending"),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sent {
    Query,
    Form,
    Json,
}

/// Acme with a goal whose cap is reached, a click, and an order that is counted.
struct Shop {
    app: TestApp,
    acme: Acme,
    click_id: String,
}

impl Shop {
    async fn open() -> Self {
        let change = |config: &mut Config| {
            config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
            config.limits.reports_per_minute = Some(MOST as u64);
        };
        let app = TestApp::with(Clock::fixed(Clock::System.now()), change).await;
        let acme = app.acme().await;
        let capped = json!({"event_name": "capped", "count": "per_order", "caps": {"conversions_total": 1}});
        acme.goal(capped).await;
        let click_id = acme.click().await;
        let shop = Self { app, acme, click_id };
        shop.send(&[OverTheCap], Sent::Json, "counted").await.expect(201);
        shop.send(&[], Sent::Json, "counted").await.expect(201);
        shop
    }

    fn now(&self) -> i64 {
        self.app.clock.now().seconds()
    }

    /// What is reported, with these faults.
    fn report(&self, faults: &[Fault], order: &str) -> Value {
        let mut report = json!({
            "goal": "purchase", "click_id": self.click_id, "order_id": order, "amount": "1.00", "currency": "EUR",
        });
        let mut set = |name: &str, value: Value| report[name] = value;
        for fault in faults {
            match fault {
                BadAmount => set("amount", json!("1,00")),
                UnknownPublisher => set("publisher_id", json!("nobody")),
                BeforeTheClick => set("event_time", json!(self.now() - 3_600)),
                OverTheCap => set("goal", json!("capped")),
                _ => {}
            }
        }
        if faults.contains(&AnotherAmount) {
            report["order_id"] = json!("counted");
            report["amount"] = if faults.contains(&BadAmount) { json!("2,00") } else { json!("2.00") };
        }
        if faults.contains(&UnknownGoal) {
            report["goal"] = json!("nothing");
        }
        report
    }

    /// Sends a report with these faults.
    async fn send(&self, faults: &[Fault], form: Sent, order: &str) -> Answer {
        let has = |fault: Fault| faults.contains(&fault);
        let report = self.report(faults, order);
        let mut text = if form == Sent::Json { report.to_string() } else { urlencoded(&report) };
        if has(Unreadable) {
            text = if form == Sent::Json { text.replacen('{', "{\"x\": }{", 1) } else { text + "&x=1&x=2" };
        }
        let scheme = if has(PlainHttp) { "http" } else { "https" };
        let request = match form {
            Sent::Query => self.signed_query(&text, has(BadSignature)),
            Sent::Form => self.signed("/v1/postback", "application/x-www-form-urlencoded", &text, faults),
            Sent::Json => self.signed("/v1/conversions", "application/json", &text, faults),
        };
        Answer::to(request.header("x-forwarded-proto", scheme)).await
    }

    fn signed_query(&self, text: &str, is_forged: bool) -> RequestBuilder {
        let mut query = self.acme.signer().query(text, self.now());
        if is_forged {
            let last = if query.ends_with('0') { "1" } else { "0" };
            query.replace_range(query.len() - 1.., last);
        }
        client().get(format!("{}/v1/postback?{query}", self.app.base_url))
    }

    fn signed(&self, path: &str, content_type: &str, text: &str, faults: &[Fault]) -> RequestBuilder {
        let sent_as = if faults.contains(&WrongType) { "text/plain" } else { content_type };
        let request = client().post(format!("{}{path}", self.app.base_url)).header(CONTENT_TYPE, sent_as);
        let altered = if faults.contains(&BadSignature) { " " } else { "" };
        let signed = format!("{text}{altered}");
        let signed = self.acme.signer().sign(request, "msg_1", self.now(), signed.as_bytes());
        signed.body(text.to_owned())
    }

    /// Uses up what the partner may send in this minute.
    async fn use_up(&self) {
        let all = format!("[{}]", vec!["0"; MOST].join(","));
        self.app.clock.advance(60);
        let sent = self.signed("/v1/conversions/batch", "application/json", &all, &[]);
        Answer::to(sent).await.expect(200);
    }
}

fn urlencoded(report: &Value) -> String {
    let members = report.as_object().unwrap().iter();
    let pairs = members.map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}={text}"),
        None => format!("{name}={value}"),
    });
    pairs.collect::<Vec<_>>().join("&")
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_faults_the_earlier_is_answered() {
    let shop = Shop::open().await;
    let mut cases: Vec<Vec<Fault>> = FAULTS.iter().map(|fault| vec![*fault]).collect();
    for (place, first) in FAULTS.iter().enumerate() {
        cases.extend(FAULTS[place + 1..].iter().map(|second| vec![*first, *second]));
    }
    assert_eq!(cases.len(), 11 + 55);
    // Those for which nothing may be left come last.
    cases.sort_by_key(|faults| faults.contains(&OverTheLimit));
    let (mut is_used_up, mut number) = (false, 0);
    for faults in cases {
        if faults.contains(&OverTheLimit) && !is_used_up {
            shop.use_up().await;
            is_used_up = true;
        }
        for form in [Sent::Query, Sent::Form, Sent::Json] {
            // A query has no type.
            if form == Sent::Query && faults.contains(&WrongType) {
                continue;
            }
            number += 1;
            let answer = shop.send(&faults, form, &format!("order-{number}")).await;
            let code = answer.body["code"].as_str().unwrap_or_default();
            assert_eq!((answer.status, code), faults[0].outcome(), "{faults:?} {form:?}: {}", answer.text);
        }
    }
    assert_eq!(number, 66 * 3 - 11, "all pairs in all forms");
    let conversions = shop.acme.agency.all("/v1/conversions").await;
    assert_eq!(conversions.len(), 2 + 3, "only what is over the cap was counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_holds_for_batches() {
    let shop = Shop::open().await;
    let send = async |faults: &[Fault], body: &str| {
        let request = shop.signed("/v1/conversions/batch", "application/json", body, faults);
        let scheme = if faults.contains(&PlainHttp) { "http" } else { "https" };
        Answer::to(request.header("x-forwarded-proto", scheme)).await
    };
    let (large, unreadable) = (format!("[{}", " ".repeat(1024 * 1024)), "[{}");
    send(&[PlainHttp, WrongType], &large).await.refused(403, "https_required");
    send(&[WrongType, BadSignature], &large).await.refused(415, "unsupported_media_type");
    send(&[BadSignature], &large).await.refused(413, "payload_too_large");
    send(&[BadSignature], unreadable).await.refused(401, "signature_invalid");
    send(&[], unreadable).await.refused(400, "malformed");
    shop.use_up().await;
    send(&[BadSignature], unreadable).await.refused(401, "signature_invalid");
    for body in [unreadable, "{}", "", "[0]"] {
        send(&[], body).await.refused(429, "rate_limited");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_is_answered_before_whatever_has_changed_since() {
    let shop = Shop::open().await;
    let goal = format!("/v1/goals/{}", shop.acme.goal["id"].as_str().unwrap());
    let publisher = format!("/v1/publishers/{}", shop.acme.publisher["id"].as_str().unwrap());
    let campaign = format!("/v1/campaigns/{}", shop.acme.campaign["id"].as_str().unwrap());
    for (path, changes) in [
        (&goal, json!({"status": "paused", "caps": {"conversions_total": 1}})),
        (&publisher, json!({"status": "paused"})),
        (&campaign, json!({"status": "paused"})),
    ] {
        shop.acme.agency.patch(path, changes).await.expect(200);
    }
    shop.app.clock.advance(400 * 86_400);
    for form in [Sent::Query, Sent::Form, Sent::Json] {
        let again = shop.send(&[], form, "counted").await.expect(200);
        assert_eq!((&again["code"], &again["retry"]), (&json!("duplicate"), &json!("no")), "{form:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rejected_or_reversed_keeps_its_key() {
    let shop = Shop::open().await;
    let scopes = json!({"name": "Refunds", "scopes": ["conversions:write", "adjustments:write"]});
    let shop = Shop {
        acme: Acme { key: shop.acme.agency.make("/v1/signing-keys", scopes).await, ..shop.acme.clone() },
        ..shop
    };
    let now = shop.now();
    let report = async |status: &str, order: &str, amount: &str| {
        let mut report = shop.report(&[], order);
        (report["status"], report["amount"]) = (json!(status), json!(amount));
        shop.acme.report_at(now, report).await
    };
    report("rejected", "rejected", "1.00").await.expect(201);
    let taken_back = report("", "reversed", "1.00").await.expect(201);
    let refund =
        json!({"adjustment_id": "R-1", "kind": "retraction", "conversion_id": taken_back["conversion_id"]});
    let refund = shop.signed("/v1/adjustments", "application/json", &refund.to_string(), &[]);
    Answer::to(refund).await.expect(200);
    for status in ["rejected", "reversed"] {
        let again = report("", status, "1.00").await.expect(200);
        assert_eq!((&again["code"], &again["status"]), (&json!("duplicate"), &json!(status)));
        report("", status, "2.00").await.refused(409, "duplicate_conflict");
    }
    assert_eq!(shop.acme.agency.all("/v1/conversions").await.len(), 2 + 2);
}
