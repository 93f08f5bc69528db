//! The server's master key: everything secret is derived from it or sealed under it.
//! It never leaves this type but through `to_text`, and it never chooses its own nonces.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::base32;

/// Separates our derived keys from any other use of the same master key.
const SALT: &[u8] = b"tallyback";
/// Starts each sealed value and tells how to open it.
const SEAL_VERSION: u8 = 1;
const FINGERPRINT_BYTES: usize = 10;

/// The 32 secret bytes of an installation.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

impl MasterKey {
    /// Reads standard base64 (with padding) of exactly 32 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// Makes a key from 32 random bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the text that [`MasterKey::parse`] reads, for the file or the variable that keeps it.
    pub fn to_text(&self) -> String {
        BASE64_STANDARD.encode(self.0)
    }

    /// Derives a key for one purpose and one context by HKDF-SHA-256 (RFC 5869).
    ///
    /// The purpose's length goes in too, so that no two pairs of purpose and context run into one another.
    pub fn derive(&self, purpose: &str, context: &[u8]) -> [u8; 32] {
        let length = (purpose.len() as u64).to_be_bytes();
        let info = [length.as_slice(), purpose.as_bytes(), context];
        let mut derived = [0; 32];
        hkdf::Salt::new(hkdf::HKDF_SHA256, SALT)
            .extract(&self.0)
            .expand(&info, hmac::HMAC_SHA256)
            .and_then(|material| material.fill(&mut derived))
            .expect("32 bytes lie within what HKDF-SHA-256 can give");
        derived
    }

    /// Returns a text that tells one master key from another and says nothing about its bytes.
    ///
    /// A database keeps it, so that a server with the wrong key is noticed at its start.
    pub fn fingerprint(&self) -> String {
        base32::encode(&self.derive("fingerprint", b"")[..FINGERPRINT_BYTES])
    }

    /// Encrypts for one place: AES-256-GCM, with the context as associated data.
    ///
    /// The context names the place (table, partner, row): what is copied elsewhere does not open there.
    /// The nonce must be random, and is never to be used twice.
    pub fn seal(&self, context: &[u8], nonce: [u8; NONCE_LEN], plain: &[u8]) -> Vec<u8> {
        let mut encrypted = plain.to_vec();
        self.sealing_key()
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                associated_data(context),
                &mut encrypted,
            )
            .expect("a secret is far shorter than AES-GCM's limit");
        [&[SEAL_VERSION], nonce.as_slice(), &encrypted].concat()
    }

    /// Decrypts what [`MasterKey::seal`] made for the same context; anything else is `None`.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, encrypted) = sealed.strip_prefix(&[SEAL_VERSION])?.split_first_chunk::<NONCE_LEN>()?;
        let mut buffer = encrypted.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.sealing_key().open_in_place(nonce, associated_data(context), &mut buffer).ok()?;
        Some(plain.to_vec())
    }

    fn sealing_key(&self) -> LessSafeKey {
        let key = UnboundKey::new(&AES_256_GCM, &self.derive("seal", b""));
        LessSafeKey::new(key.expect("an AES-256 key has 32 bytes"))
    }
}

fn associated_data(context: &[u8]) -> Aad<Vec<u8>> {
    Aad::from([&[SEAL_VERSION], context].concat())
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MasterKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: MasterKey = MasterKey::from_bytes([7; 32]);
    const OTHER: MasterKey = MasterKey::from_bytes([8; 32]);

    #[test]
    fn the_text_is_base64_of_32_bytes() {
        let text = KEY.to_text();
        assert_eq!(MasterKey::parse(&text).unwrap().0, KEY.0);
        for wrong in ["", "secret", &text[1..], &text.replace('=', ""), &format!("{text}\n"), &"A".repeat(64)]
        {
            assert!(MasterKey::parse(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn debug_shows_no_byte() {
        assert_eq!(format!("{KEY:?}"), "MasterKey(redacted)");
    }

    #[test]
    fn derived_keys_differ_by_key_purpose_and_context() {
        let derived = KEY.derive("click", b"a");
        assert_eq!(derived, KEY.derive("click", b"a"));
        for other in [
            KEY.derive("click", b"b"),
            KEY.derive("clicks", b"a"),
            KEY.derive("clic", b"ka"),
            OTHER.derive("click", b"a"),
        ] {
            assert_ne!(derived, other);
        }
    }

    #[test]
    fn derivation_does_not_change_between_releases() {
        // Computed independently: HKDF-SHA-256, salt "tallyback", info = 8-byte length, "click", "a".
        assert_eq!(base32::encode(&KEY.derive("click", b"a")[..10]), "5zcs4xmzpa2fj0sz");
    }

    #[test]
    fn the_fingerprint_tells_keys_apart() {
        assert_eq!(KEY.fingerprint(), KEY.fingerprint());
        assert_ne!(KEY.fingerprint(), OTHER.fingerprint());
        assert_eq!(KEY.fingerprint().len(), 16);
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_place() {
        let sealed = KEY.seal(b"keys/prt_1/key_1", [1; 12], b"whsec_secret");
        assert_eq!(KEY.open(b"keys/prt_1/key_1", &sealed).as_deref(), Some(b"whsec_secret".as_slice()));
        assert_eq!(KEY.open(b"keys/prt_2/key_1", &sealed), None, "swapped rows");
        assert_eq!(OTHER.open(b"keys/prt_1/key_1", &sealed), None, "another master key");
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
    }

    #[test]
    fn each_flipped_bit_and_each_cut_is_noticed() {
        let sealed = KEY.seal(b"context", [1; 12], b"plain");
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(KEY.open(b"context", &altered), None, "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert_eq!(KEY.open(b"context", &sealed[..length]), None, "cut to {length}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(plain: Vec<u8>, context: Vec<u8>, nonce: [u8; 12]) {
            prop_assert_eq!(KEY.open(&context, &KEY.seal(&context, nonce, &plain)), Some(plain));
        }

        #[test]
        fn opening_never_panics(sealed: Vec<u8>) {
            prop_assert_eq!(KEY.open(b"", &sealed), None);
        }
    }
}
