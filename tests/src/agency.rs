//! A partner, as its API key sees the server.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::{Answer, answer};

/// A caller of the REST API.
#[derive(Clone)]
pub struct Agency {
    /// The partner's id.
    pub id: String,
    /// Its API key.
    pub api_key: String,
    /// Where the server is.
    pub base_url: String,
    client: Client,
}

impl Agency {
    /// A caller with an API key.
    pub fn new(base_url: &str, id: &str, api_key: &str) -> Self {
        let (id, api_key, base_url) = (id.to_owned(), api_key.to_owned(), base_url.to_owned());
        Self { id, api_key, base_url, client: answer::client() }
    }

    /// Sends a request with the API key.
    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request =
            self.client.request(method, format!("{}{path}", self.base_url)).bearer_auth(&self.api_key);
        Answer::to(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// Posts a body.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Changes something.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    /// Makes something.
    pub async fn make(&self, path: &str, body: Value) -> Value {
        self.post(path, body).await.expect(201)
    }

    /// Archives something.
    pub async fn archive(&self, path: &str) -> Value {
        self.post(&format!("{path}/archive"), json!({})).await.expect(200)
    }

    /// Every row of a list, through all of its pages.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let mut page = self.get(&format!("{path}{separator}limit=100{cursor}")).await.expect(200);
            rows.append(page["data"].as_array_mut().unwrap());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return rows,
            }
        }
    }

    /// The report without dimensions of its own: one row of all numbers, once it says `wanted` at `pointer`.
    pub async fn report_until(&self, query: &str, pointer: &str, wanted: Value) -> Value {
        let path = format!("/v1/reports?{query}");
        for _ in 0..100 {
            let report = self.get(&path).await.expect(200);
            if report.pointer(pointer) == Some(&wanted) {
                return report;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{pointer} is not {wanted} in {}", self.get(&path).await.text);
    }
}
