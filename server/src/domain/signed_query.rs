//! Signatures over a GET request's path and raw query string.
//! The query is signed as it travels; nothing is decoded here.

use super::signature::equal;
use super::signing_secret::SigningSecret;

/// Hexadecimal.
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A query string whose last three parameters are `key_id`, `ts` and `sig`, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedQuery<'a> {
    /// The raw query up to but without `&sig=`.
    pub signed: &'a str,
    /// Names the key.
    pub key_id: &'a str,
    /// The time of signing, still unchecked.
    pub timestamp: &'a str,
    /// The signature, still unverified.
    pub signature: &'a str,
}

/// Tells why a query string is not a signed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// Neither `sig` nor `key_id` is there.
    #[error("the query is not signed; its last parameters must be key_id, ts and sig")]
    Missing,
    /// Some are there, but not all, not last, or in another order.
    #[error("the last three parameters must be key_id, ts and sig, in this order")]
    Misplaced,
}

impl<'a> SignedQuery<'a> {
    /// Splits a raw query string.
    ///
    /// # Errors
    /// [`SplitError::Missing`] if nothing speaks of a signature, [`SplitError::Misplaced`] otherwise.
    pub fn split(raw_query: &'a str) -> Result<Self, SplitError> {
        Self::split_tail(raw_query).ok_or_else(|| {
            let mut names = raw_query.split('&').map(|pair| pair.split('=').next());
            let claims = names.any(|name| matches!(name, Some("sig" | "key_id")));
            if claims { SplitError::Misplaced } else { SplitError::Missing }
        })
    }

    fn split_tail(raw_query: &'a str) -> Option<Self> {
        let (signed, signature) = raw_query.rsplit_once('&')?;
        let (before, timestamp) = signed.rsplit_once('&')?;
        let key_id = before.rsplit('&').next()?;
        Some(Self {
            signed,
            key_id: key_id.strip_prefix("key_id=")?,
            timestamp: timestamp.strip_prefix("ts=")?,
            signature: signature.strip_prefix("sig=")?,
        })
    }
}

/// Signs `GET`, the path and the raw query (which ends with `ts`), and returns lower-case hexadecimal.
pub fn sign_query(secret: &SigningSecret, path: &str, raw_query: &str) -> String {
    let tag = secret.hmac(&[b"GET\n", path.as_bytes(), b"\n", raw_query.as_bytes()]);
    let digits = tag.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// Says in constant time whether the signature is that of this path and query; lower-case only.
///
/// The time is to be checked with [`super::signature::check_timestamp`].
pub fn verify_query(secret: &SigningSecret, path: &str, query: &SignedQuery<'_>) -> bool {
    equal(sign_query(secret, path, query.signed).as_bytes(), query.signature.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PATH: &str = "/v1/postback";
    const QUERY: &str = "goal=sale&click_id=1abc&key_id=key_1&ts=1649367553";

    fn secret() -> SigningSecret {
        SigningSecret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap()
    }

    fn signed() -> String {
        format!("{QUERY}&sig={}", sign_query(&secret(), PATH, QUERY))
    }

    fn accepts(raw_query: &str) -> bool {
        SignedQuery::split(raw_query).is_ok_and(|query| verify_query(&secret(), PATH, &query))
    }

    #[test]
    fn the_signature_is_lower_case_hex_of_hmac_sha_256() {
        assert_eq!(
            sign_query(&secret(), PATH, QUERY),
            "7ac9a1a2ecf57e56b66455e9ef2fb8833accd2cc9061344f807275c38bbc991b"
        );
    }

    #[test]
    fn a_signed_query_splits_and_verifies() {
        let raw = signed();
        let query = SignedQuery::split(&raw).unwrap();
        assert_eq!((query.signed, query.key_id, query.timestamp), (QUERY, "key_1", "1649367553"));
        assert!(verify_query(&secret(), PATH, &query));
        assert!(!verify_query(&secret(), "/v1/postbacks", &query), "another path");
        let other = SigningSecret::from_bytes(&[1; 32]).unwrap();
        assert!(!verify_query(&other, PATH, &query), "another secret");
    }

    #[test]
    fn the_three_parameters_alone_are_a_signed_query() {
        let query = SignedQuery::split("key_id=k&ts=1&sig=s").unwrap();
        assert_eq!(
            query,
            SignedQuery { signed: "key_id=k&ts=1", key_id: "k", timestamp: "1", signature: "s" }
        );
    }

    #[test]
    fn an_unsigned_query_is_told_from_a_misplaced_signature() {
        for raw in ["", "&", "goal=sale", "ts=1", "signature=1", "a=sig&b=key_id", "goal=sale&ts=1"] {
            assert_eq!(SignedQuery::split(raw), Err(SplitError::Missing), "{raw}");
        }
        for raw in [
            "sig=s",
            "key_id=k",
            "key_id=k&sig=s",
            "ts=1&key_id=k&sig=s",
            "key_id=k&ts=1&sig=s&",
            "sig",
            "key_id=k&ts=1&sig=s&goal=sale",
            "key_id=k&ts=1&sig",
            "key_id=k&&ts=1&sig=s",
            "ts=1&sig=s",
            "Key_id=k&ts=1&sig=s",
            "xkey_id=k&ts=1&sig=s",
        ] {
            assert_eq!(SignedQuery::split(raw), Err(SplitError::Misplaced), "{raw}");
        }
    }

    #[test]
    fn other_notations_of_the_signature_are_refused() {
        let signature = sign_query(&secret(), PATH, QUERY);
        for wrong in [
            String::new(),
            signature[..8].to_owned(),
            signature.to_uppercase(),
            format!("{signature}00"),
            format!("v1,{signature}"),
            signature.replacen(&signature[..1], "%30", 1),
            "0".repeat(64),
            "é".repeat(32),
            "0".repeat(64 * 1024),
        ] {
            assert!(!accepts(&format!("{QUERY}&sig={wrong}")), "{wrong}");
        }
    }

    #[test]
    fn each_flipped_bit_is_noticed() {
        let raw = signed();
        assert!(accepts(&raw));
        for bit in (0..raw.len() * 8).filter(|bit| bit % 8 < 7) {
            let mut altered = raw.clone().into_bytes();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(!accepts(&String::from_utf8(altered).unwrap()), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies(parameters in "[a-z]{1,8}=[!-%'-~]{0,40}") {
            let query = format!("{parameters}&key_id=k&ts=1");
            let signature = sign_query(&secret(), PATH, &query);
            let raw = format!("{}&sig={}", query, signature);
            prop_assert!(accepts(&raw));
        }

        #[test]
        fn splitting_never_panics(raw in "\\PC{0,60}") {
            let _ = SignedQuery::split(&raw);
        }
    }
}
