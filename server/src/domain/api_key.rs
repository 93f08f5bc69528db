//! Secrets that are sent as they are: API keys of the management interface, and static tokens of postbacks. Their text,
//! its checksum and the hash that is stored. Who one belongs to and what it may do is not known here.

use std::fmt;

use aws_lc_rs::{constant_time, digest};

use super::base32;
use super::ids::{ApiKeyId, Id, KeyId};

const ID_LENGTH: usize = 26;
const SECRET_LENGTH: usize = 52;
const CHECKSUM_LENGTH: usize = 4;

/// An API key as its owner holds it.
pub type ApiKeyText = SecretText<ApiKeyId>;
/// A static token of postbacks as its owner holds it.
pub type TokenText = SecretText<KeyId>;

/// An id of which there are secrets.
pub trait NamesSecret: Id {
    /// What their text starts with. It lets secret scanners find a leaked one.
    const START: &'static str;
}

impl NamesSecret for ApiKeyId {
    const START: &'static str = "tbk_";
}

impl NamesSecret for KeyId {
    const START: &'static str = "tbt_";
}

/// A secret as its owner holds it: four characters for its kind, its id, 32 secret bytes, a checksum; 86 characters.
///
/// The checksum catches a typo without a look-up.
#[derive(Clone)]
pub struct SecretText<I> {
    id: I,
    text: String,
}

impl<I: NamesSecret> SecretText<I> {
    /// Makes the text of a new one from 32 random bytes.
    pub fn new(id: I, random: [u8; 32]) -> Self {
        let mut text = format!("{}{}{}", I::START, base32::encode(id.bytes()), base32::encode(&random));
        text.push_str(&checksum(&text));
        Self { id, text }
    }

    /// Reads one and verifies its checksum; the one text that [`SecretText::new`] writes, in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, rest) = text.strip_prefix(I::START)?.split_at_checked(ID_LENGTH)?;
        let (secret, _checksum) = rest.split_at_checked(SECRET_LENGTH)?;
        let key = Self::new(I::from_bytes(base32::decode(id)?), base32::decode(secret)?);
        (key.text == text).then_some(key)
    }

    /// Returns the id by which the stored hash is found.
    pub fn id(&self) -> I {
        self.id
    }

    /// Returns the whole secret text, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// Returns SHA-256 of the text, which is what is stored.
    ///
    /// With 256 random bits there is nothing to guess, so a slow password hash would only cost time.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&self.text)
    }

    /// Says in constant time whether a stored hash is this key's.
    pub fn matches(&self, hash: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(&self.hash(), hash).is_ok()
    }
}

/// Writes the first 20 bits of SHA-256 in base32.
fn checksum(text: &str) -> String {
    let mut characters = base32::encode(&sha256(text)[..3]);
    characters.truncate(CHECKSUM_LENGTH);
    characters
}

fn sha256(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    hash
}

impl<I: NamesSecret> fmt::Debug for SecretText<I> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SecretText({}{}, redacted)", I::PREFIX, base32::encode(self.id.bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> ApiKeyText {
        ApiKeyText::new(ApiKeyId::from_bytes([3; 16]), [9; 32])
    }

    #[test]
    fn the_text_is_86_characters_and_reads_back() {
        let key = key();
        assert_eq!(key.reveal().len(), 86);
        assert!(key.reveal().starts_with("tbk_"));
        let read = ApiKeyText::parse(key.reveal()).unwrap();
        assert_eq!((read.id(), read.hash()), (key.id(), key.hash()));
    }

    #[test]
    fn only_the_keys_own_hash_matches() {
        let other = ApiKeyText::new(key().id(), [8; 32]);
        assert!(key().matches(&key().hash()));
        assert!(!key().matches(&other.hash()));
        assert!(!key().matches(&key().hash()[..31]));
        assert!(!key().matches(b""));
    }

    #[test]
    fn a_typo_is_noticed() {
        let key = key();
        for position in 0..key.reveal().len() {
            let mut altered = key.reveal().to_owned();
            let other = if altered.as_bytes()[position] == b'x' { "y" } else { "x" };
            altered.replace_range(position..=position, other);
            assert!(ApiKeyText::parse(&altered).is_none(), "{position}");
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        let text = key().reveal().to_owned();
        for wrong in [
            String::new(),
            "tbk_".to_owned(),
            text[..85].to_owned(),
            text.clone() + "0",
            text.to_uppercase(),
            format!("tbk_{}", text[4..].to_uppercase()),
            format!(" {text}"),
            text.replacen("tbk_", "apk_", 1),
            format!("tbk_{}", "é".repeat(41)),
        ] {
            assert!(ApiKeyText::parse(&wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn debug_shows_the_id_but_not_the_secret() {
        let shown = format!("{:?}", key());
        assert!(shown.contains("apk_") && !shown.contains(&key().reveal()[30..]), "{shown}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(id: [u8; 16], random: [u8; 32]) {
            let key = ApiKeyText::new(ApiKeyId::from_bytes(id), random);
            let read = ApiKeyText::parse(key.reveal()).unwrap();
            prop_assert_eq!(read.reveal(), key.reveal());
            prop_assert_eq!(*read.id().bytes(), id);
        }

        #[test]
        fn reading_never_panics(text in "(tbk_)?\\PC{0,90}") {
            prop_assert!(ApiKeyText::parse(&text).is_none());
        }
    }
}
