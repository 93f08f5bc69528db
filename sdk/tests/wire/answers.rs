//! What the client makes of answers that are final.

use serde_json::json;
use tallyback::{Code, Error};

use crate::fake_server::{FakeServer, Reply};
use crate::{client, sale};

async fn only_error(reply: Reply) -> Error {
    let server = FakeServer::start([reply]).await;
    let error = client(&server).record(&sale()).await.unwrap_err();
    assert_eq!(server.requests().len(), 1, "tried again after {error}");
    error
}

#[tokio::test]
async fn a_refusal_is_told_whole_and_never_tried_again() {
    for status in [400, 401, 403, 404, 405, 409, 410, 413, 415, 422] {
        let body = json!({"result": "rejected", "code": "click_expired", "message": "Too late.",
            "postback_id": "pb_1", "conversion_id": null, "request_id": "req_1", "status": null,
            "retry": "no", "hint": "Ask for a longer window.", "flags": []});
        let error = only_error(Reply::json(status, body)).await;
        let Error::Refused(refusal) = &error else { panic!("{error:?}") };
        assert_eq!((refusal.status, &refusal.code), (status, &Code::ClickExpired));
        assert_eq!(refusal.message, "Too late.");
        assert_eq!(refusal.hint.as_deref(), Some("Ask for a longer window."));
        assert_eq!(refusal.retry.as_deref(), Some("no"));
        assert_eq!(refusal.postback_id.as_deref(), Some("pb_1"));
        assert_eq!(refusal.request_id.as_deref(), Some("req_1"));
        assert_eq!(refusal.conversion_id, None);
    }
}

#[tokio::test]
async fn every_field_error_is_told() {
    let body = json!({"type": "about:blank", "title": "Malformed", "status": 400, "detail": "Two fields.",
        "result": "rejected", "code": "malformed", "errors": [
            {"pointer": "/goal", "detail": "is missing"},
            {"pointer": "/amount", "detail": "is not a decimal"}]});
    let error = only_error(Reply::answer(400, "application/problem+json", &body.to_string())).await;
    let refusal = error.refusal().unwrap();
    assert_eq!(refusal.message, "Two fields.");
    let errors: Vec<_> = refusal.errors.iter().map(|e| (e.pointer.as_str(), e.detail.as_str())).collect();
    assert_eq!(errors, [("/goal", "is missing"), ("/amount", "is not a decimal")]);
    assert_eq!(
        error.to_string(),
        "the server refused the report: malformed (400): Two fields.; /goal: is missing; /amount: is not a decimal"
    );
}

#[tokio::test]
async fn a_later_servers_code_is_kept() {
    let error = only_error(Reply::json(422, json!({"result": "rejected", "code": "moon_phase"}))).await;
    assert_eq!(error.refusal().unwrap().code, Code::Unknown("moon_phase".to_owned()));
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let elsewhere = FakeServer::start([Reply::accepted()]).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{}/v1/conversions", elsewhere.url());
        let error = only_error(Reply::answer(status, "text/plain", "").header("location", &location)).await;
        assert!(matches!(&error, Error::UnexpectedAnswer { status: s, .. } if *s == status), "{error:?}");
        assert!(error.to_string().contains("redirect"), "{error}");
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn what_is_not_the_servers_is_not_believed() {
    let replies = [
        Reply::answer(200, "text/html", "<h1>Welcome</h1>"),
        Reply::answer(201, "application/json", ""),
        Reply::answer(200, "application/json", r#"{"ok":true}"#),
        Reply::answer(404, "text/html", "<h1>Not found</h1>"),
        Reply::answer(403, "application/json", "[1]"),
        Reply::answer(200, "application/json", &"[".repeat(1 << 20)),
    ];
    for reply in replies {
        let error = only_error(reply).await;
        assert!(matches!(error, Error::UnexpectedAnswer { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let error = only_error(Reply::EndlessAnswer).await;
    assert!(matches!(error, Error::UnexpectedAnswer { status: 201, .. }), "{error:?}");
}

#[tokio::test]
async fn no_error_shows_what_an_answer_echoes() {
    let echo = json!({"code": "malformed", "message": "No.", "echo": "whsec_hush"}).to_string();
    for reply in [
        Reply::answer(400, "application/json", &echo),
        Reply::answer(200, "application/json", &echo),
        Reply::answer(404, "text/plain", "whsec_hush"),
    ] {
        let error = only_error(reply).await;
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hush"), "{shown}");
    }
}
