//! Bodies of all kinds, signed well: each is refused with a problem document or kept as it came, and nothing breaks.

use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tallyback_server::domain::code::Code;
use tallyback_tests::{Acme, Answer, Raw, TestApp, client, now};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

async fn send(acme: &Acme, path: &str, content_type: &str, body: &[u8]) -> Answer {
    let request = client().post(format!("{}{path}", acme.agency.base_url)).header(CONTENT_TYPE, content_type);
    Answer::to(acme.signer().sign(request, "msg_1", now(), body)).await
}

async fn report(acme: &Acme, body: impl AsRef<[u8]>) -> Answer {
    send(acme, "/v1/conversions", JSON, body.as_ref()).await
}

/// A sale as JSON, with another member at its end.
fn sale(click_id: &str, order: &str, member: &str) -> String {
    let sale = json!({"goal": "purchase", "click_id": click_id, "order_id": order, "amount": "1", "currency": "EUR"});
    sale.to_string().replacen('}', &format!(",{member}}}"), 1)
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_json_object_is_malformed() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let good = sale(&click_id, "A-1", "\"coupon\":\"x\"");
    let with = |member: &str| sale(&click_id, "A-1", member).into_bytes();
    let deep = |count: usize| {
        format!("\"metadata\":{}{}", "{\"a\":".repeat(count), "0".to_owned() + &"}".repeat(count))
    };
    let gzip: &[u8] =
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0xae, 5, 0, 0x43, 0xbf, 0xa6, 0xa3, 2, 0, 0, 0];
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b" ".to_vec(),
        b"\0".to_vec(),
        b"null".to_vec(),
        b"{}{}".to_vec(),
        format!("{good}x").into(),
        good[..good.len() - 1].into(),
        format!("[{good}]").into(),
        format!("\u{feff}{good}").into(),
        utf16(&good, u16::to_le_bytes),
        utf16(&good, u16::to_be_bytes),
        utf16(&format!("\u{feff}{good}"), u16::to_le_bytes),
        good.replace('"', "'").into(),
        good.replace("\"goal\"", "goal").into(),
        gzip.to_vec(),
        with("\"order_id\":\"A-1\""),
        with("\"txid\":\"A-1\""),
        with("\"coupon\":\"\\ud800\""),
        with("\"coupon\":\"\\udc00\\ud800\""),
        with("\"coupon\":\"\\u0000\""),
        with("\"coupon\":\"a\nb\""),
        with("\"coupon\":\"\\n\""),
        with("\"coupon\":\"\\x41\""),
        with("\"coupon\":1e308"),
        with("\"coupon\":[\"x\"]"),
        with("\"coupon\":{\"a\":\"x\"}"),
        with("\"coupon\":true"),
        with("\"metadata\":{\"a\":1e400}"),
        with("\"metadata\":{\"a\":NaN}"),
        with("\"metadata\":{\"\\u0000\":1}"),
        with(&deep(200)),
        with(&deep(9_000)),
        with(&format!("\"metadata\":{}{}", "[".repeat(30_000), "]".repeat(30_000))),
        with(&format!("\"coupon\":\"{}\"", "x".repeat(501))),
        with("\"coupon\":\"x\",}").to_vec(),
        [&with("\"coupon\":\"")[..good.len() - 3], b"\xff\"}"].concat(),
        [&with("\"coupon\":\"")[..good.len() - 3], b"\xed\xa0\x80\"}"].concat(),
        [&with("\"coupon\":\"")[..good.len() - 3], b"\xc0\xaf\"}"].concat(),
    ];
    for body in &bodies {
        let answer = report(&acme, body).await;
        assert_eq!(answer.status, 400, "{:.200}: {}", String::from_utf8_lossy(body), answer.text);
        let problem = answer.refused(400, "malformed");
        assert!(problem["postback_id"].is_string(), "its owner finds it in the log: {problem:#}");
    }
    assert_eq!(acme.agency.all("/v1/postbacks?code=malformed").await.len(), bodies.len());
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 0);
    report(&acme, good).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_out_of_range_is_told_where_it_stands() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    for (member, pointer) in [
        ("\"metadata\":{\"a\":[0,{\"b/c\":1e400}]}", "/metadata/a/1/b~1c"),
        ("\"coupon\":-1e400", "/coupon"),
        ("\"event_time\":1e400", "/event_time"),
        ("\"unheard_of\":1e400", "/unheard_of"),
    ] {
        let problem = report(&acme, sale(&click_id, "A-1", member)).await.refused(400, "malformed");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem:#}");
        assert!(problem["detail"].as_str().unwrap().contains("out of range"), "{problem:#}");
    }
    let twice = sale(&click_id, "A-1", "\"metadata\":{\"x\":{\"size\":41,\"size\":42}}");
    let problem = report(&acme, twice).await.refused(400, "malformed");
    assert_eq!(problem["errors"][0]["pointer"], "/metadata/x", "{problem:#}");
    let currency = sale(&click_id, "A-1", "\"coupon\":\"x\"").replace("\"EUR\"", "1e400");
    report(&acme, currency).await.refused(422, "currency_invalid");
    report(&acme, sale(&click_id, "A-1", "\"metadata\":{\"a\":1e308}")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_and_queries_of_all_kinds_break_nothing() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let good = format!("goal=purchase&click_id={click_id}&order_id=A-1&amount=1&currency=EUR");
    for more in
        ["coupon=%00", "coupon=%0d%0a", "coupon=%ff", "coupon=%c0%af", "coupon=%ed%a0%80", "x=1&x=1", "%ff=1"]
    {
        let text = format!("{good}&{more}");
        for answer in
            [acme.report_by_url(&text).await, send(&acme, "/v1/postback", FORM, text.as_bytes()).await]
        {
            answer.refused(400, "malformed");
        }
    }
    for body in [&b"\xff"[..], b"\0", b"", b"=", b"&&&", b"goal", b"{\"goal\":\"purchase\"}"] {
        send(&acme, "/v1/postback", FORM, body).await.refused(400, "malformed");
    }
    let utf16_form = utf16(&good, u16::to_le_bytes);
    send(&acme, "/v1/postback", FORM, &utf16_form).await.refused(400, "malformed");
    for (order, more, kept) in [
        ("B-1", "coupon=%F0%9F%A7%A6", "🧦"),
        ("B-2", "coupon=%E2%80%AEabc", "\u{202e}abc"),
        ("B-3", "coupon=%", "%"),
        ("B-4", "coupon=%zz%4", "%zz%4"),
        ("B-5", "coupon=a%2526b", "a%26b"),
        ("B-6", "coupon=a=b=c", "a=b=c"),
        ("B-7", "coupon=%3Cb%3Ex%3C/b%3E", "<b>x</b>"),
        ("B-8", "coupon=%27;drop%20table", "';drop table"),
        ("B-9", "&&coupon=x&&", "x"),
    ] {
        let text = format!("{}&{more}", good.replace("A-1", order));
        let made = send(&acme, "/v1/postback", FORM, text.as_bytes()).await.expect(201);
        let path = format!("/v1/conversions/{}", made["conversion_id"].as_str().unwrap());
        assert_eq!(acme.agency.get(&path).await.expect(200)["parameters"]["coupon"], kept);
        assert_eq!(acme.report_by_url(&text).await.expect(200)["code"], "duplicate", "{more}");
    }
    let many: String = (0..1_000).map(|number| format!("&p{number}=1")).collect();
    let made = acme.report_by_url(&format!("{good}{many}")).await.expect(201);
    assert_eq!(made["flags"], json!(["unknown_parameter"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn types_and_encodings_are_what_they_say() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let body = sale(&acme.click().await, "A-1", "\"coupon\":\"x\"");
    let post = async |headers: &[(&str, &str)]| {
        let mut request = client().post(format!("{}/v1/conversions", app.base_url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::to(acme.signer().sign(request, "msg_1", now(), body.as_bytes())).await
    };
    let json_type = ("content-type", JSON);
    for headers in [
        &[][..],
        &[("content-type", "")],
        &[("content-type", "text/plain")],
        &[("content-type", "text/json")],
        &[("content-type", "application/json-seq")],
        &[("content-type", "application/problem+json")],
        &[("content-type", FORM)],
        &[("content-type", "multipart/form-data; boundary=x")],
        &[json_type, ("content-encoding", "gzip")],
        &[json_type, ("content-encoding", "br")],
        &[json_type, ("content-encoding", "identity, gzip")],
        &[json_type, ("content-encoding", "identity"), ("content-encoding", "gzip")],
    ] {
        post(headers).await.refused(415, "unsupported_media_type");
    }
    for headers in [
        &[json_type][..],
        &[("content-type", "Application/JSON; charset=utf-8")],
        &[json_type, ("content-encoding", "identity")],
        &[json_type, ("accept", "text/html")],
    ] {
        let answer = post(headers).await;
        assert!([200, 201].contains(&answer.status), "{headers:?}: {}", answer.text);
    }
}

/// What is wrong with a request, whatever it is: a problem document with a code of the table, under the code's status.
#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_the_tracking_endpoints_is_a_problem_document() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let paths = ["/v1/postback", "/v1/conversions", "/v1/conversions/batch", "/v1/adjustments"];
    let (long, deep) = ("x".repeat(33 * 1024), "[".repeat(60_000));
    for path in paths {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let url = format!("{}{path}", app.base_url);
            let asking = |query: &str| client().request(method.clone(), format!("{url}{query}"));
            let request = || asking("");
            for request in [
                request(),
                asking("?token=x&key_id=y"),
                asking(&format!("?x={long}")),
                request().header("x-large", "x".repeat(50 * 1024)),
                request().header(CONTENT_TYPE, JSON).body(deep.clone()),
                request().header(CONTENT_TYPE, JSON).header("x-key-id", acme.signer().key_id).body("{}"),
                request().header(CONTENT_TYPE, FORM).body("token=tbt_x&goal=%ff"),
                acme.signer().sign(request().header(CONTENT_TYPE, JSON), "msg_1", now(), b"\xff"),
                acme.signer().sign(request().header(CONTENT_TYPE, FORM), "msg_1", now(), b"\xff"),
                acme.signer().sign(request().header(CONTENT_TYPE, "text/plain"), "msg_1", now(), b"x"),
            ] {
                // The list of conversions has the same address as their reports.
                if (path, method.as_str()) != ("/v1/conversions", "GET") {
                    check_problem(&format!("{method} {path}"), Answer::to(request).await);
                }
            }
        }
        let large = client().post(format!("{}{path}", app.base_url)).header(CONTENT_TYPE, JSON);
        check_problem(path, Answer::to(large.body(vec![b'x'; 1024 * 1024 + 1])).await);
        let head = Answer::to(client().head(format!("{}{path}", app.base_url))).await;
        assert!((400..500).contains(&head.status), "HEAD {path}: {}", head.status);
        for other in [format!("{path}/"), format!("{path}/x"), format!("{path}%00"), path.to_uppercase()] {
            check_problem(&other, Answer::to(client().post(format!("{}{other}", app.base_url))).await);
        }
    }
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 0);
}

fn check_problem(what: &str, answer: Answer) {
    assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.text);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}: {}", answer.text);
    let body: &Value = &answer.body;
    let word = body["code"].as_str().unwrap_or_default();
    let code = Code::ALL.iter().find(|code| code.as_str() == word);
    let code = code.unwrap_or_else(|| panic!("{what}: `{word}` is no code: {}", answer.text));
    assert_eq!(
        (&body["status"], &body["title"], &body["type"]),
        (&json!(code.status()), &json!(code.title()), &json!(format!("/docs/outcomes#{word}"))),
        "{what}"
    );
    assert_eq!(answer.status, code.status(), "{what}");
    for name in ["detail", "hint", "request_id"] {
        assert!(body[name].as_str().is_some_and(|text| !text.is_empty()), "{what}: {name} in {body:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_break_off_harm_nobody() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let key = acme.signer().key_id;
    for (headers, body) in [
        ("Transfer-Encoding: chunked", "zz\r\n"),
        ("Transfer-Encoding: chunked", "-1\r\n{}\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", "ffffffffffffffffff\r\n{}"),
        ("Content-Length: -1", "{}"),
        ("Content-Length: 2\r\nContent-Length: 3", "{}x"),
        ("Content-Length: 2\r\nTransfer-Encoding: chunked", "2\r\n{}\r\n0\r\n\r\n"),
        ("Content-Length: 99999999999999999999", "{}"),
    ] {
        let head = format!(
            "POST /v1/conversions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {JSON}\r\nX-Key-Id: {key}\r\n{headers}\r\n\r\n{body}"
        );
        let answer = Raw::sending(&app.base_url, &head).await.until_closed().await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{headers}: {answer}");
    }
    let body = sale(&acme.click().await, "A-1", "\"coupon\":\"x\"");
    report(&acme, body).await.expect(201);
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 1);
}
