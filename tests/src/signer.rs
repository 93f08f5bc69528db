//! Signatures, made by other code than the server's and the SDK's.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::RequestBuilder;

/// A signing key.
#[derive(Clone)]
pub struct Signer {
    /// Its id.
    pub key_id: String,
    /// Its secret, as it was shown.
    pub secret: String,
}

impl Signer {
    /// Adds the headers of a signed message.
    pub fn sign(&self, request: RequestBuilder, id: &str, timestamp: i64, body: &[u8]) -> RequestBuilder {
        request
            .header("x-key-id", &self.key_id)
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.signature(id, timestamp, body))
            .body(body.to_vec())
    }

    /// The signature of a message (Standard Webhooks).
    pub fn signature(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
        format!("v1,{}", STANDARD.encode(self.tag(&signed)))
    }

    /// A signed query of `/v1/postback`.
    pub fn query(&self, parameters: &str, timestamp: i64) -> String {
        let query = format!("{parameters}&key_id={}&ts={timestamp}", self.key_id);
        let tag = self.tag(format!("GET\n/v1/postback\n{query}").as_bytes());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{query}&sig={hex}")
    }

    fn tag(&self, signed: &[u8]) -> hmac::Tag {
        let secret = STANDARD.decode(self.secret.strip_prefix("whsec_").unwrap()).unwrap();
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed)
    }
}
