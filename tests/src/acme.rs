//! An advertiser with everything that a conversion needs, set up over the REST API.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tallyback::{Client, Conversion};

use crate::{Agency, Answer, Signer, answer, visit};

/// Acme sells shoes.
#[derive(Clone)]
pub struct Acme {
    /// The agency that looks after it.
    pub agency: Agency,
    /// The advertiser.
    pub advertiser: Value,
    /// Its goal: `purchase`, per order, 10 % payout, 12.5 % revenue, in euros.
    pub goal: Value,
    /// Its campaign.
    pub campaign: Value,
    /// Who sends the traffic.
    pub publisher: Value,
    /// The tracking link.
    pub link: Value,
    /// The key that its back end signs with.
    pub key: Value,
}

impl Acme {
    /// Sets everything up.
    pub async fn set_up(agency: Agency) -> Self {
        let advertiser = agency.make("/v1/advertisers", json!({"name": "Acme Shoes"})).await;
        let goal = json!({
            "event_name": "purchase", "advertiser_id": advertiser["id"], "count": "per_order", "currency": "EUR",
            "payout": {"type": "percent", "percent": "10"}, "revenue": {"type": "percent", "percent": "12.5"},
        });
        let goal = agency.make("/v1/goals", goal).await;
        let campaign = json!({
            "advertiser_id": advertiser["id"], "name": "Autumn", "landing_url": "https://shop.example/sale",
        });
        let campaign = agency.make("/v1/campaigns", campaign).await;
        let publisher = agency.make("/v1/publishers", json!({"name": "Shoe blog"})).await;
        let link = json!({"campaign_id": campaign["id"], "publisher_id": publisher["id"], "name": "Sidebar"});
        let link = agency.make("/v1/links", link).await;
        let key = json!({"name": "Back end", "advertiser_ids": [advertiser["id"]]});
        let key = agency.make("/v1/signing-keys", key).await;
        Self { agency, advertiser, goal, campaign, publisher, link, key }
    }

    /// Another goal of Acme's: the fields of `goal` over usual ones.
    pub async fn goal(&self, goal: Value) -> Value {
        let mut body = json!({"advertiser_id": self.advertiser["id"]});
        body.as_object_mut().unwrap().extend(goal.as_object().unwrap().clone());
        self.agency.make("/v1/goals", body).await
    }

    /// The tracking URL, at the address where the agency reaches the server now.
    pub fn click_url(&self) -> String {
        let (_, code) = self.link["click_url"].as_str().unwrap().rsplit_once('/').unwrap();
        format!("{}/c/{code}", self.agency.base_url)
    }

    /// A visitor's click; its id.
    pub async fn click(&self) -> String {
        visit(&self.click_url()).await.click_id()
    }

    /// The back end's key.
    pub fn signer(&self) -> Signer {
        signer(&self.key)
    }

    /// The back end's SDK client.
    pub fn sdk(&self) -> Client {
        let signer = self.signer();
        Client::builder(&self.agency.base_url)
            .key_id(signer.key_id)
            .signing_secret(signer.secret)
            .build()
            .unwrap()
    }

    /// The same client, which sends everything once.
    pub fn sdk_that_sends_once(&self) -> Client {
        let signer = self.signer();
        let builder =
            Client::builder(&self.agency.base_url).key_id(signer.key_id).signing_secret(signer.secret);
        builder.retries(0).timeout(Duration::from_secs(20)).build().unwrap()
    }

    /// Acme as it is known to another server on the same database.
    pub fn at(&self, base_url: &str) -> Self {
        let agency = Agency::new(base_url, &self.agency.id, &self.agency.api_key);
        Self { agency, ..self.clone() }
    }

    /// Reports a conversion as JSON, signed now.
    pub async fn report(&self, body: Value) -> Answer {
        self.report_at(now(), body).await
    }

    /// Reports a conversion as JSON, signed at a time of the test's own.
    pub async fn report_at(&self, timestamp: i64, body: Value) -> Answer {
        let body = body.to_string();
        let request = answer::client().post(format!("{}/v1/conversions", self.agency.base_url));
        let request = request.header(CONTENT_TYPE, "application/json");
        Answer::to(self.signer().sign(request, "msg_by_hand", timestamp, body.as_bytes())).await
    }

    /// Reports a conversion by a signed query.
    pub async fn report_by_url(&self, parameters: &str) -> Answer {
        let query = self.signer().query(parameters, now());
        Answer::to(answer::client().get(format!("{}/v1/postback?{query}", self.agency.base_url))).await
    }
}

/// A sale of a click.
impl Acme {
    /// A sale of 49.90 euros.
    pub fn sale(click_id: &str, order_id: &str) -> Conversion {
        Conversion::new("purchase").click_id(click_id).order_id(order_id).amount("49.90", "EUR")
    }
}

/// The key in an answer of the API.
pub fn signer(key: &Value) -> Signer {
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    Signer { key_id: text("id"), secret: text("secret") }
}

/// The machine's time, in seconds.
pub fn now() -> i64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    elapsed.unwrap().as_secs().try_into().unwrap()
}
