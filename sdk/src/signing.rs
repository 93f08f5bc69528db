//! Standard Webhooks signatures: the secret, and what it signs.
//! The time comes in as an argument.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::message_id::MessageId;

/// Holds the parsed signing secret. Its `Debug` shows nothing of it.
#[derive(Clone)]
pub(crate) struct SigningKey(hmac::Key);

impl SigningKey {
    const PREFIX: &'static str = "whsec_";

    /// Reads `whsec_` and the base64 of 24 to 64 bytes, as the Standard Webhooks specification has it.
    pub(crate) fn parse(secret: &str) -> Result<Self, &'static str> {
        if secret != secret.trim() {
            return Err("has white space around it, such as a line end from a file; trim it");
        }
        let encoded = secret
            .strip_prefix(Self::PREFIX)
            .ok_or("does not start with whsec_; pass the secret that was shown when the key was created")?;
        let bytes =
            STANDARD.decode(encoded).map_err(|_| "is not base64 after whsec_; was it cut while copying?")?;
        if !(24..=64).contains(&bytes.len()) {
            return Err("is not 24 to 64 bytes long; was it cut while copying?");
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// Returns the value of `webhook-signature` for `id.timestamp.body`.
    pub(crate) fn sign(&self, id: &MessageId, timestamp: u64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(id.as_str().as_bytes());
        context.update(format!(".{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;
    use standardwebhooks::Webhook;

    use super::SigningKey;
    use crate::message_id::MessageId;

    const FIRST: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const SECOND: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn signed(secret: &str, id: &str, timestamp: u64, body: &str) -> String {
        SigningKey::parse(secret).unwrap().sign(&MessageId::parse(id).unwrap(), timestamp, body.as_bytes())
    }

    #[test]
    fn the_published_vectors_are_met() {
        let body = r#"{"email":"test@example.com","username":"test_user"}"#;
        assert_eq!(
            signed(FIRST, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body),
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
        );
        assert_eq!(
            signed(SECOND, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn the_reference_library_signs_the_same() {
        let theirs = Webhook::new(FIRST).unwrap().sign("msg_1", 1_700_000_000, b"{}").unwrap();
        assert_eq!(signed(FIRST, "msg_1", 1_700_000_000, "{}"), theirs);
    }

    #[test]
    fn the_reference_library_verifies_what_is_signed_here() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", "msg_1".parse().unwrap());
        headers.insert("webhook-timestamp", now.into());
        headers.insert("webhook-signature", signed(SECOND, "msg_1", now, "{}").parse().unwrap());
        Webhook::new(SECOND).unwrap().verify(b"{}", &headers).unwrap();
        assert!(Webhook::new(SECOND).unwrap().verify(b"{ }", &headers).is_err());
    }

    #[test]
    fn secrets_of_the_wrong_shape_are_refused_without_being_repeated() {
        for secret in ["", "C2FVsBQI", "key_C2FVsBQI", "whsec_%%", "whsec_C2FVsBQI", &format!("{FIRST}\n")] {
            let problem = SigningKey::parse(secret).unwrap_err();
            assert!(!problem.contains("C2FVsBQI"), "{problem}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", SigningKey::parse(FIRST).unwrap()), "SigningKey(..)");
    }
}
