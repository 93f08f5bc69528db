//! Postbacks: one sale for each click, half of them by URL and half as JSON, signed as they are made.

use serde_json::json;
use tallyback_server::domain::{
    click_id::{ClickId, ClickIdKey},
    ids::{Id, PartnerId},
    master_key::MasterKey,
};
use tallyback_tests::{Acme, Signer, TestDatabase, now};

/// Makes the sales of one advertiser.
pub struct Sales {
    signer: Signer,
    click_ids: ClickIdKey,
    made: u64,
}

impl Sales {
    /// Sales of an advertiser. The texts of click ids are made with the server's own master key.
    pub fn of(acme: &Acme, database: &TestDatabase) -> Self {
        let key = std::fs::read_to_string(database.folder.path().join("data/master.key")).unwrap();
        let partner = PartnerId::parse(&acme.agency.id).expect("a partner's id");
        let click_ids = ClickIdKey::derive(&MasterKey::parse(key.trim()).unwrap(), partner);
        Self { signer: acme.signer(), click_ids, made: 0 }
    }

    /// Whole requests, signed now, for these clicks.
    pub fn requests(&mut self, host: &str, clicks: impl Iterator<Item = [u8; 16]>) -> Vec<String> {
        clicks.map(|click| self.request(host, ClickId::from_bytes(click))).collect()
    }

    fn request(&mut self, host: &str, click: ClickId) -> String {
        self.made += 1;
        let (number, click_id) = (self.made, self.click_ids.text(&click));
        let (order, amount) = (format!("B-{number}"), format!("{}.{:02}", 10 + number % 90, number % 100));
        match number % 2 {
            0 => self.by_url(host, &click_id, &order, &amount),
            _ => self.as_json(host, &click_id, &order, &amount),
        }
    }

    fn by_url(&self, host: &str, click_id: &str, order: &str, amount: &str) -> String {
        let parameters =
            format!("goal=purchase&click_id={click_id}&order_id={order}&amount={amount}&currency=EUR");
        let query = self.signer.query(&parameters, now());
        format!(
            "GET /v1/postback?{query} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: shop/1.0\r\nAccept: */*\r\n\r\n"
        )
    }

    fn as_json(&self, host: &str, click_id: &str, order: &str, amount: &str) -> String {
        let body = json!({"goal": "purchase", "click_id": click_id, "order_id": order, "amount": amount, "currency": "EUR"});
        let (body, timestamp) = (body.to_string(), now());
        let signature = self.signer.signature(order, timestamp, body.as_bytes());
        format!(
            "POST /v1/conversions HTTP/1.1\r\nHost: {host}\r\nUser-Agent: shop/1.0\r\nAccept: */*\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nX-Key-Id: {}\r\nwebhook-id: {order}\r\n\
             webhook-timestamp: {timestamp}\r\nwebhook-signature: {signature}\r\n\r\n{body}",
            body.len(),
            self.signer.key_id
        )
    }
}
