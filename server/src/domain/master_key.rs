//! The server's master key: everything secret is derived from it or sealed under it.
//! It never leaves this type but through `to_text`, and it never chooses its own nonces.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::base32;

/// Separates our derived keys from any other use of the same master key.
const SALT: &[u8] = b"tallyback";
/// Starts each sealed value and tells how to open it: what follows is the version of the master key, the nonce, and
/// what is encrypted.
const SEAL: u8 = 2;
/// As before there were versions: nonce and what is encrypted, under the first master key.
const SEAL_WITHOUT_VERSION: u8 = 1;
/// The version of a key that is written without one.
const USUAL_VERSION: u32 = 1;
const FINGERPRINT_BYTES: usize = 10;

/// The secret bytes of an installation: 32, in one or more versions.
///
/// Everything derived comes from the first version, for ever: click ids that are out in the world are checked with it.
/// What is sealed is sealed under the newest.
#[derive(Clone)]
pub struct MasterKey {
    first: Version,
    /// By number, the newest last.
    later: Vec<Version>,
}

#[derive(Clone)]
struct Version {
    number: u32,
    bytes: [u8; 32],
}

impl MasterKey {
    /// Reads standard base64 (with padding) of exactly 32 bytes: a key with one version.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text).ok()?;
        bytes.try_into().ok().map(Self::from_bytes)
    }

    /// Reads one version in each line, `<version>:<base64 of 32 bytes>`; a line without a version is version 1. Empty
    /// lines mean nothing.
    ///
    /// # Errors
    /// A sentence about the first line that cannot be used. It repeats nothing of the line.
    pub fn parse_versions(text: &str) -> Result<Self, String> {
        let mut versions = Vec::new();
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
            let version = Version::parse(line).ok_or_else(|| {
                format!("line {number} is not the base64 of 32 bytes, nor `<version>:` and such")
            })?;
            versions.push(version);
        }
        versions.sort_by_key(|version| version.number);
        if let Some(pair) = versions.windows(2).find(|pair| pair[0].number == pair[1].number) {
            return Err(format!("version {} stands twice", pair[0].number));
        }
        let mut versions = versions.into_iter();
        let first = versions.next().ok_or("there is no key")?;
        Ok(Self { first, later: versions.collect() })
    }

    /// Makes a key from 32 random bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { first: Version { number: USUAL_VERSION, bytes }, later: Vec::new() }
    }

    /// Returns the text of its first version, which [`MasterKey::parse`] reads, for the file that keeps it.
    pub fn to_text(&self) -> String {
        BASE64_STANDARD.encode(self.first.bytes)
    }

    /// The number of the version that seals now.
    pub fn newest_version(&self) -> u32 {
        self.newest().number
    }

    /// The number of the version that a value is sealed under; none for what is no sealed value.
    pub fn version_of(&self, sealed: &[u8]) -> Option<u32> {
        match sealed.split_first()? {
            (&SEAL_WITHOUT_VERSION, _) => Some(self.first.number),
            (&SEAL, rest) => rest.first_chunk().copied().map(u32::from_be_bytes),
            _ => None,
        }
    }

    fn newest(&self) -> &Version {
        self.later.last().unwrap_or(&self.first)
    }

    fn version(&self, number: u32) -> Option<&Version> {
        [&self.first].into_iter().chain(&self.later).find(|version| version.number == number)
    }

    /// Derives a key for one purpose and one context by HKDF-SHA-256 (RFC 5869).
    ///
    /// The purpose's length goes in too, so that no two pairs of purpose and context run into one another.
    pub fn derive(&self, purpose: &str, context: &[u8]) -> [u8; 32] {
        self.first.derive(purpose, context)
    }

    /// Returns a text that tells one master key from another and says nothing about its bytes.
    ///
    /// A database keeps it, so that a server with the wrong key is noticed at its start.
    pub fn fingerprint(&self) -> String {
        base32::encode(&self.derive("fingerprint", b"")[..FINGERPRINT_BYTES])
    }

    /// Encrypts for one place, under the newest version: AES-256-GCM, with the context as associated data.
    ///
    /// The context names the place (table, partner, row): what is copied elsewhere does not open there.
    /// The nonce must be random, and is never to be used twice.
    pub fn seal(&self, context: &[u8], nonce: [u8; NONCE_LEN], plain: &[u8]) -> Vec<u8> {
        let newest = self.newest();
        let head = [&[SEAL], newest.number.to_be_bytes().as_slice()].concat();
        let mut encrypted = plain.to_vec();
        newest
            .sealing_key()
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from([head.as_slice(), context].concat()),
                &mut encrypted,
            )
            .expect("a secret is far shorter than AES-GCM's limit");
        [head.as_slice(), nonce.as_slice(), &encrypted].concat()
    }

    /// Decrypts what [`MasterKey::seal`] made for the same context; anything else is `None`.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let version = self.version(self.version_of(sealed)?)?;
        let head = if sealed.first() == Some(&SEAL) { 1 + size_of::<u32>() } else { 1 };
        let (head, rest) = sealed.split_at_checked(head)?;
        let (nonce, encrypted) = rest.split_first_chunk::<NONCE_LEN>()?;
        let mut buffer = encrypted.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let associated = Aad::from([head, context].concat());
        let plain = version.sealing_key().open_in_place(nonce, associated, &mut buffer).ok()?;
        Some(plain.to_vec())
    }
}

impl Version {
    /// Reads `<version>:<base64>`, or base64 alone.
    fn parse(line: &str) -> Option<Self> {
        let (number, text) = match line.split_once(':') {
            Some((number, text)) => (number.trim().parse().ok()?, text.trim()),
            None => (USUAL_VERSION, line),
        };
        let bytes = BASE64_STANDARD.decode(text).ok()?.try_into().ok()?;
        Some(Self { number, bytes })
    }

    fn derive(&self, purpose: &str, context: &[u8]) -> [u8; 32] {
        let length = (purpose.len() as u64).to_be_bytes();
        let info = [length.as_slice(), purpose.as_bytes(), context];
        let mut derived = [0; 32];
        hkdf::Salt::new(hkdf::HKDF_SHA256, SALT)
            .extract(&self.bytes)
            .expand(&info, hmac::HMAC_SHA256)
            .and_then(|material| material.fill(&mut derived))
            .expect("32 bytes lie within what HKDF-SHA-256 can give");
        derived
    }

    fn sealing_key(&self) -> LessSafeKey {
        let key = UnboundKey::new(&AES_256_GCM, &self.derive("seal", b""));
        LessSafeKey::new(key.expect("an AES-256 key has 32 bytes"))
    }
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
        assert_eq!(MasterKey::parse(&text).unwrap().to_text(), text);
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

    /// As the first release sealed.
    fn sealed_without_version(context: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut encrypted = plain.to_vec();
        let associated = Aad::from([&[SEAL_WITHOUT_VERSION], context].concat());
        let nonce = Nonce::assume_unique_for_key([1; 12]);
        KEY.first.sealing_key().seal_in_place_append_tag(nonce, associated, &mut encrypted).unwrap();
        [[SEAL_WITHOUT_VERSION].as_slice(), &[1; 12], &encrypted].concat()
    }

    #[test]
    fn a_new_version_seals_and_the_old_ones_still_open() {
        let second = MasterKey::from_bytes([9; 32]).to_text();
        let both = MasterKey::parse_versions(&format!("2:{second}\n\n1: {}\n", KEY.to_text())).unwrap();
        assert_eq!((KEY.newest_version(), both.newest_version()), (1, 2));
        let old = KEY.seal(b"place", [1; 12], b"secret");
        let new = both.seal(b"place", [2; 12], b"secret");
        for sealed in [old.clone(), new.clone(), sealed_without_version(b"place", b"secret")] {
            assert_eq!(both.open(b"place", &sealed).as_deref(), Some(b"secret".as_slice()));
            assert_eq!(both.open(b"other", &sealed), None);
        }
        assert_eq!(KEY.open(b"place", &new), None, "the second version is not there");
        assert_eq!(
            (both.version_of(&old), both.version_of(&new), both.version_of(b"")),
            (Some(1), Some(2), None)
        );
        assert_eq!(both.fingerprint(), KEY.fingerprint(), "what is derived stays");
        let mut renamed = new;
        renamed[4] = 1;
        assert_eq!(both.open(b"place", &renamed), None);
    }

    #[test]
    fn versions_that_cannot_be_used_are_told_without_being_repeated() {
        let text = KEY.to_text();
        assert_eq!(MasterKey::parse_versions(&text).unwrap().to_text(), text, "a plain line is version 1");
        for (wrong, problem) in [
            (String::new(), "no key"),
            (format!("{text}\n{text}"), "version 1 stands twice"),
            (format!("1:{text}\nx:{text}"), "line 2"),
            (format!("1:{}", &text[1..]), "line 1"),
            (format!("-1:{text}"), "line 1"),
        ] {
            let error = MasterKey::parse_versions(&wrong).unwrap_err();
            assert!(error.contains(problem) && !error.contains(&text[..8]), "{error}");
        }
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
