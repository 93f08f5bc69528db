//! Tracking URLs that mean harm: nothing gets into a header, nothing breaks, values are cut.

use reqwest::Method;
use serde_json::{Value, json};
use tallyback_tests::{Acme, BROWSER, TestApp, Visit, parameter};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::clicks::{fetch, link, stored};

/// A link that passes on what it can.
async fn open(acme: &Acme) -> String {
    let landing = "https://shop.example/{sub1}?e={sub1}&r={!sub1}&x={ext_click_id}#{!sub1}";
    link(acme, json!({"landing_url": landing})).await
}

async fn follow(url: &str) -> Visit {
    fetch(Method::GET, url, &[("user-agent", BROWSER)]).await
}

/// The visitor is where the link leads, and nothing else got into the answer.
#[track_caller]
fn assert_harmless(seen: &Visit, sent: &str) {
    assert_eq!(seen.status, 302, "{sent}: {}", seen.answer.text);
    let location = seen.location.as_deref().unwrap();
    assert!(location.starts_with("https://shop.example/"), "{sent}: {location}");
    assert!(location.bytes().all(|byte| byte.is_ascii_graphic()), "{sent}: {location}");
    let mut names: Vec<_> = seen.answer.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["cache-control", "content-length", "date", "location", "x-content-type-options", "x-request-id"],
        "{sent}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_values_are_tamed() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let url = open(&acme).await;
    for (sent, kept) in [
        ("a%0d%0aSet-Cookie:%20x=1", json!("aSet-Cookie: x=1")),
        ("%0d%0a%0d%0a%3Chtml%3E", json!("<html>")),
        ("a%0aLocation:%20https://evil.example", json!("aLocation: https://evil.example")),
        ("%E5%98%8A%E5%98%8Dx", json!("\u{560a}\u{560d}x")),
        ("%00", Value::Null),
        ("a%00b", json!("ab")),
        ("%ff%fe", json!("\u{fffd}\u{fffd}")),
        ("%E2%80%AE", json!("\u{202e}")),
        ("%C3%A9%F0%9F%98%80", json!("é😀")),
        ("%2523", json!("%23")),
        ("%25%32%35%30%64%250a", json!("%250d%0a")),
        ("%23top", json!("#top")),
        ("a%26r%3Dhttps://evil.example", json!("a&r=https://evil.example")),
        ("%40evil.example", json!("@evil.example")),
        ("..%2F..%2Fevil", json!("../../evil")),
        ("%5C%5Cevil.example", json!("\\\\evil.example")),
        ("%7Bclick_id%7D", json!("{click_id}")),
        ("{!sub2}", json!("{!sub2}")),
        ("%22%3E%3Cscript%3E", json!("\"><script>")),
        ("%", json!("%")),
        ("%zz%1", json!("%zz%1")),
        ("a+b", json!("a b")),
    ] {
        let seen = follow(&format!("{url}?sub1={sent}&ext_click_id={sent}")).await;
        assert_harmless(&seen, sent);
        let click = stored(&acme, &seen.click_id()).await;
        assert_eq!(click["parameters"].get("sub1").cloned().unwrap_or_default(), kept, "{sent}");
        assert_eq!(click["ext_click_id"], kept, "{sent}");
        assert_eq!(click["flags"], json!([]), "{sent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_values_are_cut_at_a_character_and_flagged() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let url = open(&acme).await;
    for (sent, kept) in [
        ("x".repeat(8_192), "x".repeat(500)),
        ("%C3%A9".repeat(1_365), "é".repeat(250)),
        (format!("x{}", "%F0%9F%98%80".repeat(680)), format!("x{}", "😀".repeat(124))),
        ("%0d%0a".repeat(1_000) + &"y".repeat(600), "y".repeat(500)),
    ] {
        let seen = follow(&format!("{url}?sub1={sent}&site={sent}")).await;
        assert_harmless(&seen, &sent);
        let click = stored(&acme, &seen.click_id()).await;
        assert_eq!((&click["parameters"]["sub1"], &click["site"]), (&json!(kept), &json!(kept)));
        assert_eq!(click["flags"], json!(["cut:sub1", "cut:site"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_of_repeated_names_counts_and_unknown_ones_are_inert() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let url = open(&acme).await;
    let repeated: String = (0..1_000).map(|number| format!("sub1={number}&")).collect();
    let unknown: String = (0..1_000).map(|number| format!("p{number}={number}&")).collect();
    let empty = "sub1=&".repeat(1_000);
    for query in [repeated, format!("{unknown}sub1=0"), format!("{empty}sub1=0"), "&&&=&=&sub1=0&&".into()] {
        let seen = follow(&format!("{url}?{query}")).await;
        assert_harmless(&seen, &query[..20.min(query.len())]);
        assert_eq!(parameter(seen.location.as_deref().unwrap(), "e").as_deref(), Some("0"));
        let click = stored(&acme, &seen.click_id()).await;
        assert_eq!(click["parameters"], json!({"sub1": "0"}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_headers_and_paths_break_nothing() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let long = "x".repeat(8_000);
    for headers in [
        vec![("user-agent", long.as_str()), ("referer", &long), ("accept-language", &long)],
        vec![("user-agent", "\"><script>"), ("referer", "javascript:alert(1)"), ("accept-language", "*")],
        vec![("x-forwarded-for", "1.2.3.4, ' OR 1=1"), ("forwarded", "for=evil"), ("host", "evil.example")],
        vec![("sec-purpose", &long), ("cookie", &long)],
    ] {
        let seen = fetch(Method::GET, &acme.click_url(), &headers).await;
        assert_harmless(&seen, headers[0].1);
        stored(&acme, &seen.click_id()).await;
    }
    for path in ["..%2f..%2fetc%2fpasswd", "%00", "%0d%0aset-cookie:x", "%ff", "🦀", "' OR 1=1", "lnk_"] {
        let seen = follow(&format!("{}/c/{path}?url=https://evil.example", app.base_url)).await;
        assert_eq!((seen.status, &seen.location), (404, &None), "{path}");
        assert!(seen.answer.header("set-cookie").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_client_would_send_is_no_server_error() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let path = acme.click_url().strip_prefix(&app.base_url).unwrap().to_owned();
    for line in [
        format!("GET {path}?sub1=a\x01b HTTP/1.1"),
        format!("GET {path}?sub1=\u{e9} HTTP/1.1"),
        format!("GET {path}?sub1=a#frag HTTP/1.1"),
        format!("GET {path}?{} HTTP/1.1", "a".repeat(70_000)),
        format!("GET http://evil.example{path}?sub1=x HTTP/1.1"),
        format!("GET {path}?sub1=x HTTP/1.1\r\nX-Evil: a\x00b"),
    ] {
        let mut stream = TcpStream::connect(app.base_url.trim_start_matches("http://")).await.unwrap();
        let request = format!("{line}\r\nHost: x\r\nConnection: close\r\n\r\n");
        // A server that has had enough may close before it has read everything.
        drop(stream.write_all(request.as_bytes()).await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1).unwrap_or("closed");
        assert!(!status.starts_with('5'), "{line:.60}: {answer}");
        assert!(!answer.contains("evil.example"), "{line:.60}: {answer}");
    }
    acme.click().await;
}
