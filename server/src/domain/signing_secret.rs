//! The secret behind a signature, and the one primitive made of it.
//! What is signed is decided in `signature` and `signed_query`.

use std::fmt;

use aws_lc_rs::hmac;
use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::{
    ids::{Id, KeyId, PartnerId},
    master_key::MasterKey,
};

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

    /// Seals it for the row of its key; it opens nowhere else.
    pub fn seal(&self, master: &MasterKey, partner: PartnerId, key: KeyId, nonce: [u8; 12]) -> Vec<u8> {
        master.seal(&row(partner, key), nonce, &self.0)
    }

    /// Opens what was sealed for this row.
    pub fn open(master: &MasterKey, partner: PartnerId, key: KeyId, sealed: &[u8]) -> Option<Self> {
        Self::from_bytes(&master.open(&row(partner, key), sealed)?)
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

fn row(partner: PartnerId, key: KeyId) -> Vec<u8> {
    [b"signing_keys", &partner.bytes()[..], &key.bytes()[..]].concat()
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
        assert_eq!(SigningSecret::parse(&text).unwrap().0, secret().0);
        for wrong in ["", "whsec_", "whsec_AAAA", &text[6..], &text.to_uppercase(), &format!("{text}=")] {
            assert!(SigningSecret::parse(wrong).is_none(), "{wrong}");
        }
        assert_eq!(format!("{:?}", secret()), "SigningSecret(redacted)");
    }

    #[test]
    fn a_sealed_secret_opens_in_its_own_row_alone() {
        let (master, partner, key) =
            (MasterKey::from_bytes([7; 32]), PartnerId::from_bytes([1; 16]), KeyId::from_bytes([2; 16]));
        let sealed = secret().seal(&master, partner, key, [3; 12]);
        assert_eq!(SigningSecret::open(&master, partner, key, &sealed).unwrap().0, secret().0);
        let (stranger, other) = (PartnerId::from_bytes([9; 16]), KeyId::from_bytes([9; 16]));
        assert!(SigningSecret::open(&master, stranger, key, &sealed).is_none());
        assert!(SigningSecret::open(&master, partner, other, &sealed).is_none());
        assert!(SigningSecret::open(&MasterKey::from_bytes([8; 32]), partner, key, &sealed).is_none());
    }

    #[test]
    fn parts_are_signed_in_a_row() {
        assert_eq!(secret().hmac(&[b"a", b"", b"bc"]).as_ref(), secret().hmac(&[b"abc"]).as_ref());
    }
}
