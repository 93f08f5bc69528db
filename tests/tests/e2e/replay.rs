//! The same signed message again: harmless while its signature is fresh, refused afterwards, wherever it is sent.

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tallyback_server::clock::Clock;
use tallyback_tests::{Acme, Answer, TestApp, client};

/// A message as somebody on the way has copied it, in both forms.
struct Copied {
    headers: Vec<(&'static str, String)>,
    body: String,
    query: String,
}

impl Copied {
    /// Signs a sale at a time.
    fn at(acme: &Acme, click_id: &str, timestamp: i64) -> Self {
        let signer = acme.signer();
        let body = json!({"goal": "purchase", "click_id": click_id, "order_id": "A-1", "amount": "49.90", "currency": "EUR"});
        let body = body.to_string();
        let headers = vec![
            ("x-key-id", signer.key_id.clone()),
            ("webhook-id", "msg_copied".to_owned()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signer.signature("msg_copied", timestamp, body.as_bytes())),
        ];
        let parameters = format!("goal=purchase&click_id={click_id}&order_id=A-1&amount=49.90&currency=EUR");
        Self { headers, body, query: signer.query(&parameters, timestamp) }
    }

    async fn post(&self, app: &TestApp) -> Answer {
        let request = client().post(format!("{}/v1/conversions", app.base_url));
        let request = request.header(CONTENT_TYPE, "application/json").body(self.body.clone());
        Answer::to(self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value)))
            .await
    }

    async fn get(&self, app: &TestApp) -> Answer {
        Answer::to(client().get(format!("{}/v1/postback?{}", app.base_url, self.query))).await
    }

    /// Sends it when the server's clock is so many seconds after the signature, and before it.
    async fn replay(&self, app: &TestApp, first: &Value) {
        for seconds in [0, 299, 300, -299, -300] {
            app.clock.advance(seconds);
            for answer in [self.post(app).await, self.get(app).await] {
                let again = answer.expect(200);
                assert_eq!(again["code"], "duplicate", "{seconds}: {again}");
                assert_eq!(again["conversion_id"], first["conversion_id"], "{seconds}");
            }
            app.clock.advance(-seconds);
        }
        for seconds in [301, -301, 86_400, -86_400] {
            app.clock.advance(seconds);
            for answer in [self.post(app).await, self.get(app).await] {
                let problem = answer.refused(401, "timestamp_out_of_tolerance");
                assert_eq!(problem["server_time"], app.clock.now().seconds(), "{seconds}");
            }
            app.clock.advance(-seconds);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_message_is_a_duplicate_or_out_of_tolerance() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let copied = Copied::at(&acme, &acme.click().await, app.clock.now().seconds());
    let first = copied.post(&app).await.expect(201);
    copied.replay(&app, &first).await;
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_opens_no_door_for_a_copied_message() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let copied = Copied::at(&acme, &acme.click().await, app.clock.now().seconds());
    let first = copied.get(&app).await.expect(201);
    let clock = app.clock.clone();
    let app = TestApp::on(app.stop().await, clock, |_| {}).await;
    copied.replay(&app, &first).await;
    assert_eq!(acme.at(&app.base_url).agency.all("/v1/conversions").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_on_the_same_database_knows_a_copied_message() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let other = TestApp::on(app.database.shared(), Clock::fixed(app.clock.now()), |_| {}).await;
    let copied = Copied::at(&acme, &acme.click().await, app.clock.now().seconds());
    let first = copied.post(&app).await.expect(201);
    copied.replay(&other, &first).await;
    copied.replay(&app, &first).await;
    assert_eq!(acme.at(&other.base_url).agency.all("/v1/conversions").await.len(), 1);
}
