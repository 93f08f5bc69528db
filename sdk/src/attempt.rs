//! One attempt: a freshly signed request and its whole answer. When to try again is `retry`'s business.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Response, Url};

use crate::answer::Answer;
use crate::causes::with_causes;
use crate::client::Settings;
use crate::error::{TransportError, TransportStep};
use crate::message_id::MessageId;
use crate::retry;

/// Bytes of an answer that are read; the server's are smaller, also for a batch, and what is cut is no JSON.
const LONGEST_ANSWER: usize = 8 * 1024 * 1024;

/// Posts a message once. The timestamp, and so the signature, is this attempt's own.
pub(crate) async fn post(
    settings: &Settings,
    url: &Url,
    id: &MessageId,
    body: &[u8],
) -> reqwest::Result<Answer> {
    let timestamp = unix_seconds(SystemTime::now());
    let signature = settings.signing_key.sign(id, timestamp, body);
    let response = settings
        .http
        .post(url.clone())
        .header("accept", "application/json")
        .header(CONTENT_TYPE, "application/json")
        .header("x-key-id", settings.key_id.clone())
        .header("webhook-id", id.as_str())
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", sensitive(&signature))
        .body(body.to_vec())
        .send()
        .await?;
    whole(response).await
}

/// Describes a failed attempt without its URL.
pub(crate) fn failure(settings: &Settings, error: reqwest::Error, attempts: u32) -> TransportError {
    let step = if error.is_timeout() {
        TransportStep::Timeout
    } else if error.is_connect() {
        TransportStep::Connect
    } else {
        TransportStep::Exchange
    };
    let detail = with_causes(&error.without_url());
    TransportError { step, origin: settings.base_url.origin(), attempts, detail }
}

async fn whole(mut response: Response) -> reqwest::Result<Answer> {
    let mut body = Vec::new();
    while body.len() <= LONGEST_ANSWER
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    body.truncate(LONGEST_ANSWER);
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    Ok(Answer {
        status: response.status().as_u16(),
        content_type: header(CONTENT_TYPE).map(str::to_owned),
        retry_after: header(RETRY_AFTER).and_then(|value| retry::retry_after(value, SystemTime::now())),
        body,
    })
}

/// Returns 0 for a clock before 1970; the server then says by how much the clock is wrong.
fn unix_seconds(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn sensitive(signature: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(signature).expect("base64 makes a header");
    value.set_sensitive(true);
    value
}
