//! How much is taken from a client.

use reqwest::header::HeaderName;
use tallyback_tests::{Answer, Raw, TestApp, client, visit};

#[tokio::test(flavor = "multi_thread")]
async fn long_values_are_no_reason_to_lose_a_visitor() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    for value in ["a".repeat(8 * 1024), "%C3%A4".repeat(4 * 1024)] {
        let click_id = visit(&format!("{}?sub1={value}&sub2=short", acme.click_url())).await.click_id();
        let click = acme.agency.get(&format!("/v1/clicks/{click_id}")).await.expect(200);
        assert_eq!(click["flags"], serde_json::json!(["cut:sub1"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_at_most_32_kib() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let longest = 32 * 1024;
    for path in ["/c/abcdefg?x=", "/v1/postback?x=", "/v1/campaigns?x=", "/nowhere?x=", "/livez?x="] {
        let url = |bytes: usize| format!("{}{path}{}", app.base_url, "x".repeat(bytes - path.len()));
        let get = |bytes| Answer::to(client().get(url(bytes)).bearer_auth(&acme.agency.api_key));
        let problem = get(longest + 1).await.refused(414, "uri_too_long");
        assert!(problem["detail"].as_str().unwrap().contains("32769"), "{problem}");
        assert!(problem["request_id"].as_str().is_some_and(|id| id.starts_with("req_")), "{problem}");
        assert_ne!(get(longest).await.status, 414, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_have_bounds() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let send = async |headers: Vec<(String, String)>| {
        let mut request = client().get(acme.click_url());
        for (name, value) in headers {
            request = request.header(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        }
        Answer::to(request).await
    };
    let many = |count: usize| (0..count).map(|n| (format!("x-{n}"), "1".to_owned())).collect();
    assert_eq!(send(many(60)).await.status, 302);
    send(many(70)).await.refused(431, "headers_too_large");
    let large = |bytes: usize| vec![("cookie".to_owned(), "c".repeat(bytes))];
    assert_eq!(send(large(47 * 1024)).await.status, 302);
    send(large(48 * 1024)).await.refused(431, "headers_too_large");
}

/// What the HTTP library refuses by itself, without a problem document.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_far_too_large_is_refused_and_harms_nobody() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    for (head, status) in [
        (format!("GET /c/{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(66_000)), "400"),
        (format!("GET /livez HTTP/1.1\r\nhost: x\r\n{many}\r\n"), "431"),
        (format!("GET /livez HTTP/1.1\r\nhost: x\r\ncookie: {}\r\n\r\n", "x".repeat(200_000)), "431"),
    ] {
        let answer = Raw::sending(&app.base_url, &head).await.until_closed().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer:?}");
    }
    acme.click().await;
}
