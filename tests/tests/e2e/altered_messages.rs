//! Messages of others: signed by another library, altered by one bit anywhere, written otherwise, or with headers of all
//! kinds. Whatever is wrong, there is one answer, and nothing is recorded.

use reqwest::{
    Client,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tallyback_server::clock;
use tallyback_tests::{Acme, Answer, TestApp, client};

/// Wrong signatures of a key that are taken in a minute.
const IN_A_MINUTE: usize = 300;

/// A signed message, in its parts.
#[derive(Clone)]
struct Message {
    id: Vec<u8>,
    timestamp: Vec<u8>,
    signature: Vec<u8>,
    body: Vec<u8>,
    /// Who sends it, and all that are made of it.
    http: Client,
}

impl Message {
    fn of(acme: &Acme, id: &str, at: i64, body: &str) -> Self {
        let signature = acme.signer().signature(id, at, body.as_bytes()).into_bytes();
        let (id, timestamp, body) = (id.into(), at.to_string().into_bytes(), body.into());
        Self { id, timestamp, signature, body, http: client() }
    }

    /// Each message that differs in one bit, as far as a header can carry it.
    fn altered(&self) -> Vec<Self> {
        let parts: [fn(&mut Self) -> &mut Vec<u8>; 4] =
            [|m| &mut m.body, |m| &mut m.id, |m| &mut m.timestamp, |m| &mut m.signature];
        let mut all = Vec::new();
        for part in parts {
            for bit in 0..part(&mut self.clone()).len() * 8 {
                let mut altered = self.clone();
                part(&mut altered)[bit / 8] ^= 1 << (bit % 8);
                all.push(altered);
            }
        }
        let headers =
            |m: &Self| [&m.id, &m.timestamp, &m.signature].map(|part| HeaderValue::from_bytes(part));
        all.retain(|message| headers(message).iter().all(Result::is_ok));
        all
    }

    fn is_plain(&self) -> bool {
        [&self.id, &self.timestamp, &self.signature].iter().all(|part| part.is_ascii())
    }

    async fn send(&self, acme: &Acme) -> Answer {
        let mut request = self.http.post(format!("{}/v1/conversions", acme.agency.base_url));
        request = request.header(CONTENT_TYPE, "application/json").header("x-key-id", acme.signer().key_id);
        for (name, value) in [
            ("webhook-id", &self.id),
            ("webhook-timestamp", &self.timestamp),
            ("webhook-signature", &self.signature),
        ] {
            request = request.header(name, HeaderValue::from_bytes(value).unwrap());
        }
        Answer::to(request.body(self.body.clone())).await
    }
}

/// The body of a refusal, without what is its own; and no more than a key may get wrong in a minute.
async fn refusal(app: &TestApp, number: usize, answer: Answer) -> Value {
    if number % (IN_A_MINUTE - 1) == IN_A_MINUTE - 2 {
        app.clock.advance(60);
    }
    let mut body = answer.refused(401, "signature_invalid");
    body.as_object_mut().unwrap().remove("request_id");
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bit_of_a_message_can_be_flipped() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let body = json!({"goal": "purchase", "click_id": acme.click().await, "order_id": "é", "amount": "1.0", "currency": "EUR"});
    let message = Message::of(&acme, "msg_1", app.clock.now().seconds(), &body.to_string());
    let altered = message.altered();
    assert!(altered.len() > message.body.len() * 8 + 300, "{} messages", altered.len());
    let mut wanted = None;
    for (number, message) in altered.iter().enumerate() {
        let refused = refusal(&app, number, message.send(&acme).await).await;
        // What a header cannot be is said; it has nothing to do with the key.
        if message.is_plain() {
            let wanted = wanted.get_or_insert_with(|| refused.clone());
            assert_eq!(&refused, wanted, "{:?}", String::from_utf8_lossy(&message.signature));
        }
    }
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 0);
    let now = app.clock.now().seconds();
    Message::of(&acme, "msg_1", now, &body.to_string()).send(&acme).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_report_written_otherwise_is_another_message() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let body = format!(
        r#"{{"goal":"purchase","click_id":"{click_id}","order_id":"\u00e9","amount":"1.0","currency":"EUR","metadata":{{"b":1.0,"a":2}}}}"#
    );
    let message = Message::of(&acme, "msg_1", app.clock.now().seconds(), &body);
    let sorted = serde_json::from_str::<Value>(&body).unwrap();
    let others = [
        sorted.to_string(),
        serde_json::to_string_pretty(&sorted).unwrap(),
        body.replace(':', ": "),
        body.replace(',', ", "),
        body.replace("1.0,\"a\"", "1,\"a\""),
        body.replace("\"1.0\"", "\"1\""),
        body.replace("\\u00e9", "é"),
        body.replace("\\u00e9", "\\u00E9"),
        body.replace("\"a\":2", "\"a\":2,\"a\":2"),
        format!("{body}\n"),
        format!(" {body}"),
        format!("\u{feff}{body}"),
    ];
    let mut answers = Vec::new();
    for (number, other) in others.iter().enumerate() {
        assert_ne!(other, &body, "it is another one");
        let other = Message { body: other.clone().into(), ..message.clone() };
        answers.push(refusal(&app, number, other.send(&acme).await).await);
    }
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:#?}");
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 0);
    message.send(&acme).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_reference_library_signs_is_taken() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let (signer, click_id) = (acme.signer(), acme.click().await);
    let library = Webhook::new(&signer.secret).unwrap();
    for order in 0..20_u8 {
        let random: [u8; 8] = clock::random();
        let order = format!("{order} {} \u{202e}🧦 {random:?}", "é".repeat(usize::from(random[0] % 30)));
        let body = json!({"goal": "purchase", "click_id": click_id, "order_id": order, "amount": "1", "currency": "EUR"});
        let (body, id) =
            (body.to_string(), format!("msg-{order}").replace(|c: char| !c.is_ascii_graphic(), "_"));
        let at = app.clock.now().seconds() + i64::from(random[1]) - 127;
        let theirs = library.sign(&id, at, body.as_bytes()).unwrap();
        let message =
            Message { signature: theirs.clone().into_bytes(), ..Message::of(&acme, &id, at, &body) };
        message.send(&acme).await.expect(201);
        assert_eq!(message.signature, theirs.as_bytes(), "both sign the same");
        let wrong = Message { body: format!("{body} ").into(), ..message };
        wrong.send(&acme).await.refused(401, "signature_invalid");
    }
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_all_kinds_break_nothing() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let body = json!({"goal": "purchase", "click_id": acme.click().await, "order_id": "1", "amount": "1", "currency": "EUR"});
    let good = Message::of(&acme, "msg_1", app.clock.now().seconds(), &body.to_string());
    let signature = String::from_utf8(good.signature.clone()).unwrap();
    for (altered, status) in [
        ("x".repeat(64 * 1024), 431),
        (format!("{signature}, {signature}x"), 401),
        (format!("v1, {}", &signature[3..]), 401),
        (format!("\u{e9}{signature}"), 401),
        ("v1,AAAA ".repeat(31) + &signature, 200),
        ("v1,AAAA ".repeat(32) + &signature, 401),
        (format!("{}{signature}", "garbage ".repeat(1_000)), 401),
        (format!("{signature} {}", "garbage ".repeat(1_000)), 200),
        (format!("  {signature}  "), 200),
    ] {
        let sent = Message { signature: altered.clone().into_bytes(), ..good.clone() }.send(&acme).await;
        let status_seen = if sent.status == 201 { 200 } else { sent.status };
        assert_eq!(status_seen, status, "{altered:.80}: {}", sent.text);
    }
    let now = app.clock.now().seconds();
    for timestamp in [
        String::new(),
        "-1".into(),
        "0".into(),
        "00".into(),
        "1e3".into(),
        format!("+{now}"),
        format!(" {now}"),
        format!("0{now}"),
        format!("{now}.0"),
        format!("{now}000"),
        format!("{now}000000"),
        format!("0x{now:x}"),
        "9223372036854775807".into(),
        "9223372036854775808".into(),
        "99999999999999999999999999".into(),
        "١٧٩٥٣٤١٦٠٠".into(),
        "NaN".into(),
    ] {
        let altered = Message { timestamp: timestamp.clone().into_bytes(), ..good.clone() };
        let sent = altered.send(&acme).await;
        // White space around a header is not part of it.
        let is_same = timestamp.trim() == now.to_string();
        assert_eq!(sent.status, if is_same { 200 } else { 401 }, "{timestamp}: {}", sent.text);
    }
    for id in ["", ".", "msg.1", "msg_1.", &"x".repeat(257), &"x".repeat(1_024), "é"] {
        let sent = Message::of(&acme, id, now, &body.to_string()).send(&acme).await;
        sent.refused(401, "signature_invalid");
    }
    Message::of(&acme, &"x".repeat(256), now, &body.to_string()).send(&acme).await.expect(200);
    for key in [
        "",
        " ",
        "key_",
        "key_1",
        "KEY_00000000000000000000000000",
        "apk_00000000000000000000000000",
        "\u{e9}",
    ] {
        let request = client().post(format!("{}/v1/conversions", app.base_url));
        let request = request.header(CONTENT_TYPE, "application/json").header("x-key-id", key);
        let other = request.header("webhook-id", "msg_1").header("webhook-timestamp", now.to_string());
        let other = other.header("webhook-signature", &signature).body(body.to_string());
        Answer::to(other).await.refused(401, "signature_invalid");
    }
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_does_not_learn_which_keys_there_are() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let revoked = acme.agency.make("/v1/signing-keys", json!({"name": "Old"})).await;
    let path = format!("/v1/signing-keys/{}/revoke", revoked["id"].as_str().unwrap());
    acme.agency.post(&path, json!({})).await.expect(200);
    let token = json!({"name": "Token", "kind": "token", "advertiser_ids": [acme.advertiser["id"]]});
    let token = acme.agency.make("/v1/signing-keys", token).await;
    let keys = [&acme.key, &revoked, &token].map(|key| key["id"].as_str().unwrap());
    let now = app.clock.now().seconds().to_string();
    let all = [("webhook-id", "msg_1"), ("webhook-timestamp", &now), ("webhook-signature", "v1,AAAA")];
    let with = |name: &str, value: &'static str| -> Vec<(&str, &str)> {
        all.iter().map(|(own, old)| (*own, if *own == name { value } else { *old })).collect()
    };
    let without = |name: &str| all.iter().filter(|(own, _)| *own != name).copied().collect::<Vec<_>>();
    for (headers, code) in [
        (all.to_vec(), "signature_invalid"),
        (vec![], "signature_missing"),
        (without("webhook-id"), "signature_missing"),
        (without("webhook-timestamp"), "signature_missing"),
        (without("webhook-signature"), "signature_missing"),
        (with("webhook-id", "a.b"), "signature_invalid"),
        (with("webhook-timestamp", "1"), "signature_invalid"),
        (with("webhook-signature", "\u{e9}"), "signature_invalid"),
        ([all.to_vec(), all.to_vec()].concat(), "signature_invalid"),
    ] {
        let mut answers = Vec::new();
        for key in ["key_00000000000000000000000000", "nonsense"].into_iter().chain(keys) {
            for place in ["/v1/conversions", "/v1/conversions/batch"] {
                let request = client().post(format!("{}{place}", app.base_url)).header("x-key-id", key);
                let request = request.header(CONTENT_TYPE, "application/json").body("[]");
                let request =
                    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
                let mut body = Answer::to(request).await.refused(401, code);
                body.as_object_mut().unwrap().remove("request_id");
                answers.push(body);
            }
        }
        assert!(answers.iter().all(|answer| answer == &answers[0]), "{headers:?}: {answers:#?}");
    }
    for query in [
        "goal=x&key_id=K",
        "goal=x&key_id=K&ts=1",
        "key_id=K&ts=1&sig=00&goal=x",
        "goal=x&key_id=K&ts=1&sig=00",
    ] {
        let mut answers = Vec::new();
        for key in ["key_00000000000000000000000000"].into_iter().chain(keys) {
            let url = format!("{}/v1/postback?{}", app.base_url, query.replace('K', key));
            let answer = Answer::to(client().get(url)).await;
            let mut body = answer.expect(401);
            body.as_object_mut().unwrap().remove("request_id");
            answers.push(body);
        }
        assert!(answers.iter().all(|answer| answer == &answers[0]), "{query}: {answers:#?}");
    }
}
