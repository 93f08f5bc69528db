//! The secret behind a signature, and the one primitive made of it.
//! What is signed is decided in `signature` and `signed_query`.

use std::fmt;

use aws_lc_rs::hmac;
use base64::prelude::{BASE64_STANDARD, Engine as _};

const PREFIX: &str = "whsec_";

/// A secret that both sides of a signed message hold: 24 to 64 bytes (Standard Webhooks).
#[derive(Clone)]
pub struct SigningSecret(Vec<u8>);

impl SigningSecret {
    /// Takes 24 to 64 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (24..=64).contains(&bytes.len()).then(|| Self(bytes.to_vec()))
    }

    /// Reads `whsec_` and standard base64 with padding.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
        Self::from_bytes(&bytes)
    }

    /// Returns the bytes, to be sealed before they are stored.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the text that the other side is given, once.
    pub fn reveal(&self) -> String {
        PREFIX.to_owned() + &BASE64_STANDARD.encode(&self.0)
    }

    /// Returns the HMAC-SHA-256 of several parts in a row.
    pub(super) fn hmac(&self, parts: &[&[u8]]) -> hmac::Tag {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut context = hmac::Context::with_key(&key);
        parts.iter().for_each(|part| context.update(part));
        context.sign()
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningSecret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> SigningSecret {
        SigningSecret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap()
    }

    #[test]
    fn a_secret_has_24_to_64_bytes() {
        for (length, taken) in [(0, false), (23, false), (24, true), (64, true), (65, false)] {
            assert_eq!(SigningSecret::from_bytes(&vec![1; length]).is_some(), taken, "{length}");
        }
        let text = secret().reveal();
        assert_eq!(SigningSecret::parse(&text).unwrap().bytes(), secret().bytes());
        for wrong in ["", "whsec_", "whsec_AAAA", &text[6..], &text.to_uppercase(), &format!("{text}=")] {
            assert!(SigningSecret::parse(wrong).is_none(), "{wrong}");
        }
        assert_eq!(format!("{:?}", secret()), "SigningSecret(redacted)");
    }

    #[test]
    fn parts_are_signed_in_a_row() {
        assert_eq!(secret().hmac(&[b"a", b"", b"bc"]).as_ref(), secret().hmac(&[b"abc"]).as_ref());
    }
}
