//! Postbacks: one sale for each click, half of them by URL and half as JSON, or many in a batch; signed as they are made.

use serde_json::{Value, json};
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

    /// Whole requests, signed now, each with a batch of sales for so many of these clicks.
    pub fn batches(&mut self, host: &str, clicks: &[[u8; 16]], size: usize) -> Vec<String> {
        clicks.chunks(size).map(|clicks| self.batch(host, clicks)).collect()
    }

    fn batch(&mut self, host: &str, clicks: &[[u8; 16]]) -> String {
        let items = clicks.iter().map(|click| {
            let (_, click_id, order, amount) = self.sale(ClickId::from_bytes(*click));
            item(&click_id, &order, &amount)
        });
        let body = Value::Array(items.collect()).to_string();
        self.signed(host, "/v1/conversions/batch", &format!("batch-{}", self.made), &body)
    }

    /// A sale: its number, the click id, the order and the amount.
    fn sale(&mut self, click: ClickId) -> (u64, String, String, String) {
        self.made += 1;
        let number = self.made;
        let amount = format!("{}.{:02}", 10 + number % 90, number % 100);
        (number, self.click_ids.text(&click), format!("B-{number}"), amount)
    }

    fn request(&mut self, host: &str, click: ClickId) -> String {
        let (number, click_id, order, amount) = self.sale(click);
        match number % 2 {
            0 => self.by_url(host, &click_id, &order, &amount),
            _ => self.signed(host, "/v1/conversions", &order, &item(&click_id, &order, &amount).to_string()),
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

    fn signed(&self, host: &str, path: &str, id: &str, body: &str) -> String {
        let timestamp = now();
        let signature = self.signer.signature(id, timestamp, body.as_bytes());
        format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: shop/1.0\r\nAccept: */*\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nX-Key-Id: {}\r\nwebhook-id: {id}\r\n\
             webhook-timestamp: {timestamp}\r\nwebhook-signature: {signature}\r\n\r\n{body}",
            body.len(),
            self.signer.key_id
        )
    }
}

fn item(click_id: &str, order: &str, amount: &str) -> Value {
    json!({"goal": "purchase", "click_id": click_id, "order_id": order, "amount": amount, "currency": "EUR"})
}
