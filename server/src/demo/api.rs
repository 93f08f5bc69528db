//! The demo's client of the REST API.

use reqwest::{Client, redirect::Policy};
use serde_json::Value;

use super::Failure;

/// A caller with an API key.
pub struct Api {
    /// Where the server is.
    pub base_url: String,
    /// The API key.
    pub key: String,
    client: Client,
}

impl Api {
    /// A caller that follows no redirects.
    pub fn new(base_url: &str, key: &str) -> Result<Self, Failure> {
        let client = Client::builder().redirect(Policy::none()).no_proxy().build()?;
        Ok(Self { base_url: base_url.to_owned(), key: key.to_owned(), client })
    }

    /// Posts a body and returns what was made.
    pub async fn post(&self, path: &str, body: Value) -> Result<Value, Failure> {
        let request = self.client.post(self.base_url.clone() + path).bearer_auth(&self.key).json(&body);
        answer(request.send().await?).await
    }

    /// Reads something.
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        answer(self.client.get(self.base_url.clone() + path).bearer_auth(&self.key).send().await?).await
    }

    /// Clicks, and returns where the visitor is sent.
    pub async fn click(&self, url: &str) -> Result<String, Failure> {
        let answer = self.client.get(url).header("user-agent", BROWSER).send().await?;
        let location =
            answer.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
        location.ok_or_else(|| format!("the click was answered {}", answer.status()).into())
    }
}

const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

async fn answer(response: reqwest::Response) -> Result<Value, Failure> {
    let status = response.status();
    let body: Value = response.json().await?;
    if status.is_success() { Ok(body) } else { Err(format!("{status}: {body}").into()) }
}

/// A parameter of a URL.
pub fn parameter(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}
