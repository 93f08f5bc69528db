//! How the steps of a walk reach the server.

use reqwest::{Client, RequestBuilder, header::CONTENT_TYPE, header::USER_AGENT};
use serde_json::{Map, Value, json};
use tallyback_tests::{Agency, Answer, BROWSER, Signer, TestApp, Visit, client};

use super::{
    figures,
    model::{Change, Conversion, DAY, Report, World},
    money::{Parts, decimal},
};

const BOT: &str = "Googlebot/2.1 (+http://www.google.com/bot.html)";

/// The server, and who talks to it.
pub struct Sender {
    app: Option<TestApp>,
    agency: Agency,
    signer: Signer,
    client: Client,
}

/// The status that goes with a code.
pub fn http_status(code: &str) -> u16 {
    match code {
        "accepted" => 201,
        "accepted_pending" | "accepted_on_hold" => 202,
        "duplicate" | "adjusted" | "adjusted_nothing" => 200,
        "duplicate_conflict" | "order_attributed_elsewhere" => 409,
        "adjustment_conflict" | "transition_not_allowed" => 409,
        "click_expired" => 410,
        "customer_not_found" => 404,
        _ => 422,
    }
}

/// A time as RFC 3339 has it.
pub fn time(at: i64) -> String {
    let second = at.rem_euclid(DAY);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", figures::date(at))
}

impl Sender {
    pub fn new(app: TestApp, agency: Agency, signer: Signer) -> Self {
        Self { app: Some(app), agency, signer, client: client() }
    }

    pub fn agency(&self) -> &Agency {
        &self.agency
    }

    pub fn app(&self) -> &TestApp {
        self.app.as_ref().expect("it runs, but while it is restarted")
    }

    /// Stops the server, and starts it again after a while.
    pub async fn restart(&mut self, seconds: i64) {
        let app = self.app.take().expect("it runs");
        let clock = app.clock.clone();
        let database = app.stop().await;
        clock.advance(seconds);
        let app = TestApp::on(database, clock, |_| {}).await;
        self.agency = Agency::new(&app.base_url, &self.agency.id, &self.agency.api_key);
        self.app = Some(app);
    }

    /// A visit through a link; the click's id.
    pub async fn click(&self, code: &str, is_bot: bool) -> String {
        let request = self.client.get(format!("{}/c/{code}", self.app().base_url));
        let agent = if is_bot { BOT } else { BROWSER };
        Visit::of(Answer::to(request.header(USER_AGENT, agent)).await).click_id()
    }

    /// Sends a report as JSON, as a form or as a query.
    pub async fn report(&self, world: &World, report: &Report, form: usize) -> Answer {
        let fields = fields(world, report);
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let pairs: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
        match form {
            0 => self.signed("/v1/conversions", "application/json", &Value::from(fields).to_string()).await,
            1 => self.signed("/v1/postback", "application/x-www-form-urlencoded", &pairs.join("&")).await,
            _ => {
                let query = self.signer.query(&pairs.join("&"), world.now);
                Answer::to(self.client.get(format!("{}/v1/postback?{query}", self.app().base_url))).await
            }
        }
    }

    /// Sends reports in one message; the answer to each.
    pub async fn batch(&self, world: &World, reports: &[Report]) -> Vec<Value> {
        let items: Vec<Value> = reports.iter().map(|report| fields(world, report).into()).collect();
        let body = Value::from(items).to_string();
        let answer = self.signed("/v1/conversions/batch", "application/json", &body).await.expect(200);
        answer["results"].as_array().unwrap().clone()
    }

    /// Sends an adjustment: by the advertiser where it has a name, else by the partner.
    pub async fn adjust(
        &self,
        world: &World,
        row: &Conversion,
        change: &Change,
        name: Option<&str>,
        by_order: bool,
    ) -> Answer {
        let mut body = json!({"kind": change.kind});
        if let Some((amount, unit)) = change.money {
            (body["amount"], body["currency"]) = (json!(sent(amount)), json!(unit));
        }
        let Some(name) = name else {
            return self.agency.post(&format!("/v1/conversions/{}/adjustments", row.id), body).await;
        };
        body["adjustment_id"] = json!(name);
        match row.order.as_ref().filter(|_| by_order) {
            Some(order) => {
                body["order_id"] = json!(order);
                body["goal"] = json!(world.goals[row.goal].name);
                body["advertiser"] = json!(world.shops[row.shop].id);
            }
            None => body["conversion_id"] = json!(row.id),
        }
        self.signed("/v1/adjustments", "application/json", &body.to_string()).await
    }

    async fn signed(&self, path: &str, content_type: &str, body: &str) -> Answer {
        let request: RequestBuilder = self.client.post(format!("{}{path}", self.app().base_url));
        let request = request.header(CONTENT_TYPE, content_type);
        let now = self.app().clock.now().seconds();
        Answer::to(self.signer.sign(request, "msg_walk", now, body.as_bytes())).await
    }
}

/// A report on the wire.
fn fields(world: &World, report: &Report) -> Map<String, Value> {
    let mut fields = Map::new();
    let goal = report.goal.map_or("sales", |goal| world.goals[goal].name);
    fields.insert("advertiser".to_owned(), json!(world.shops[report.shop].id));
    fields.insert("goal".to_owned(), json!(goal));
    let mut add = |name: &str, value: Option<Value>| {
        value.into_iter().for_each(|value| drop(fields.insert(name.to_owned(), value)))
    };
    add("click_id", report.click.map(|click| json!(world.clicks[click].id)));
    add("customer_id", report.customer.as_ref().map(|customer| json!(customer)));
    add("publisher_id", report.publisher.map(|publisher| json!(world.publishers[publisher])));
    add("order_id", report.order.as_ref().map(|order| json!(order)));
    add("amount", report.money.map(|(amount, _)| json!(sent(amount))));
    add("currency", report.money.map(|(_, unit)| json!(unit)));
    add("status", report.status.map(|status| json!(status)));
    add("event_time", report.event_time.map(|time| json!(time)));
    fields
}

/// An amount as reports and adjustments send it.
fn sent(amount: Parts) -> String {
    decimal(amount, 2)
}
