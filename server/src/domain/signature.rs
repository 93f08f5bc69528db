//! Signatures over messages (Standard Webhooks) and the check of their time.
//! Signed query strings are in `signed_query`; which key a message names, and what it may do, is not known here.

use aws_lc_rs::hmac;
use base64::prelude::{BASE64_STANDARD, Engine as _};

pub use super::signed_query::{SignedQuery, SplitError, sign_query, verify_query};
pub use super::signing_secret::SigningSecret;
use super::time::Timestamp;

/// Seconds that a message's time may differ from ours, in either direction.
pub const TOLERANCE_SECONDS: i64 = 300;

const VERSION_PREFIX: &str = "v1,";
/// Rotation needs two; the rest is patience with odd senders, bounded so that a header cannot buy our time.
const MOST_SIGNATURES: usize = 32;
const MOST_ID_BYTES: usize = 256;

/// Signs `id.timestamp.body` and returns one entry of a `webhook-signature` header.
pub fn sign_message(secret: &SigningSecret, id: &str, timestamp: &str, body: &[u8]) -> String {
    VERSION_PREFIX.to_owned() + &BASE64_STANDARD.encode(message_tag(secret, id, timestamp, body))
}

/// Says whether one of a header's `v1` entries is the signature of this message.
///
/// An id that is empty, too long or has a dot never verifies: with a dot, the same signature would serve
/// for a message that is cut elsewhere. The time is to be checked with [`check_timestamp`].
pub fn verify_message(secret: &SigningSecret, id: &str, timestamp: &str, body: &[u8], header: &str) -> bool {
    let expected = message_tag(secret, id, timestamp, body);
    let matching = header
        .split(' ')
        .take(MOST_SIGNATURES)
        .filter_map(|entry| BASE64_STANDARD.decode(entry.strip_prefix(VERSION_PREFIX)?).ok())
        .filter(|signature| equal(expected.as_ref(), signature))
        .count();
    let clear_id = !id.is_empty() && id.len() <= MOST_ID_BYTES && !id.contains('.');
    clear_id && matching > 0
}

fn message_tag(secret: &SigningSecret, id: &str, timestamp: &str, body: &[u8]) -> hmac::Tag {
    secret.hmac(&[id.as_bytes(), b".", timestamp.as_bytes(), b".", body])
}

/// Compares in constant time; only the lengths may show.
pub(super) fn equal(expected: &[u8], received: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(expected, received).is_ok()
}

/// Tells why a message's time is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampProblem {
    /// It is not a plain number of seconds.
    #[error("Write the time as Unix seconds, digits only.")]
    Malformed,
    /// It has 13 digits.
    #[error("The time is in milliseconds; write Unix seconds.")]
    Milliseconds,
    /// It is too far from our time.
    #[error("The time is {} s {} the server's; 300 s are tolerated.", difference_seconds.abs(), if *difference_seconds > 0 { "behind" } else { "ahead of" })]
    OutOfTolerance {
        /// Our time minus the message's: positive if the message is old, negative if it is from the future.
        difference_seconds: i64,
    },
}

/// Checks a message's time: Unix seconds in plain digits, at most 300 seconds from ours (inclusive).
///
/// # Errors
/// What is wrong with it; milliseconds are told apart, being the commonest mistake.
pub fn check_timestamp(text: &str, now: Timestamp) -> Result<(), TimestampProblem> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    match text.len() {
        _ if !digits || leading_zero => return Err(TimestampProblem::Malformed),
        13 => return Err(TimestampProblem::Milliseconds),
        1..=10 => {}
        _ => return Err(TimestampProblem::Malformed),
    }
    let seconds = text.bytes().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    let difference_seconds = now.seconds() - seconds;
    if difference_seconds.abs() > TOLERANCE_SECONDS {
        return Err(TimestampProblem::OutOfTolerance { difference_seconds });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
    const TIME: &str = "1649367553";
    const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
    const SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

    fn secret() -> SigningSecret {
        SigningSecret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap()
    }

    fn accepts(header: &str) -> bool {
        verify_message(&secret(), ID, TIME, BODY, header)
    }

    #[test]
    fn the_vectors_of_standard_webhooks_hold() {
        assert_eq!(sign_message(&secret(), ID, TIME, BODY), SIGNATURE);
        assert!(accepts(SIGNATURE));
        let other = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(
            sign_message(&other, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn any_matching_entry_is_enough() {
        for header in [
            format!("v1,AAAA {SIGNATURE}"),
            format!("{SIGNATURE} garbage"),
            format!("v1a,xyz v2,abc  {SIGNATURE}"),
            "v1, ".repeat(15) + SIGNATURE,
        ] {
            assert!(accepts(&header), "{header}");
        }
    }

    #[test]
    fn bad_headers_are_refused() {
        let base64 = &SIGNATURE[3..];
        let hex: String =
            BASE64_STANDARD.decode(base64).unwrap().iter().map(|b| format!("{b:02x}")).collect();
        for header in [
            String::new(),
            "   ".to_owned(),
            "v1".to_owned(),
            "v1,".to_owned(),
            ",v1".to_owned(),
            SIGNATURE[..11].to_owned(),
            format!("v0,{base64}"),
            format!("v1a,{base64}"),
            format!("V1,{base64}"),
            base64.to_owned(),
            format!("v1 {base64}"),
            format!("v1,{base64},v1"),
            format!("v1,\t{base64}"),
            "garbage ".repeat(1_000) + SIGNATURE,
            "x".repeat(64 * 1024),
            "é€𝟙".repeat(20),
            format!("{SIGNATURE}, {SIGNATURE}x"),
            format!("v1,{hex}"),
            format!("v1,{}", hex.to_uppercase()),
            format!("v1,{}", base64.replace('+', "-").replace('/', "_")),
            SIGNATURE.trim_end_matches('=').to_owned(),
            format!("{SIGNATURE}="),
            SIGNATURE.replace("Kkw=", "Kkx="),
        ] {
            assert!(!accepts(&header), "{header}");
        }
    }

    #[test]
    fn each_flipped_bit_is_noticed() {
        let flipped = |text: &[u8], bit: usize| {
            let mut altered = text.to_vec();
            altered[bit / 8] ^= 1 << (bit % 8);
            altered
        };
        for bit in 0..BODY.len() * 8 {
            assert!(!verify_message(&secret(), ID, TIME, &flipped(BODY, bit), SIGNATURE), "body {bit}");
        }
        for bit in (0..ID.len() * 8).filter(|bit| bit % 8 < 7) {
            let id = String::from_utf8(flipped(ID.as_bytes(), bit)).unwrap();
            assert!(!verify_message(&secret(), &id, TIME, BODY, SIGNATURE), "id {bit}");
        }
        for bit in (0..TIME.len() * 8).filter(|bit| bit % 8 < 7) {
            let time = String::from_utf8(flipped(TIME.as_bytes(), bit)).unwrap();
            assert!(!verify_message(&secret(), ID, &time, BODY, SIGNATURE), "timestamp {bit}");
        }
        for bit in (0..SIGNATURE.len() * 8).filter(|bit| bit % 8 < 7) {
            let header = String::from_utf8(flipped(SIGNATURE.as_bytes(), bit)).unwrap();
            assert!(!accepts(&header), "signature {bit}");
        }
    }

    #[test]
    fn an_unclear_id_never_verifies() {
        for id in [String::new(), "msg.1".to_owned(), ".".to_owned(), "x".repeat(1024)] {
            let header = sign_message(&secret(), &id, TIME, BODY);
            assert!(!verify_message(&secret(), &id, TIME, BODY, &header), "{id}");
        }
    }

    #[test]
    fn the_time_is_plain_seconds_within_tolerance() {
        let now = Timestamp::from_millis(1_649_367_553_999);
        let ahead = |seconds: i64| check_timestamp(&(1_649_367_553 + seconds).to_string(), now);
        for seconds in [-300, -299, 0, 299, 300] {
            assert_eq!(ahead(seconds), Ok(()), "{seconds}");
        }
        for seconds in [-301, 301, 8_000_000_000] {
            let problem = TimestampProblem::OutOfTolerance { difference_seconds: -seconds };
            assert_eq!(ahead(seconds), Err(problem));
        }
        assert_eq!(
            check_timestamp("0", now),
            Err(TimestampProblem::OutOfTolerance { difference_seconds: 1_649_367_553 })
        );
        assert_eq!(check_timestamp("1649367553000", now), Err(TimestampProblem::Milliseconds));
    }

    #[test]
    fn other_notations_of_the_time_are_refused() {
        for text in [
            "",
            "-1",
            "+5",
            "1e3",
            "01649367553",
            "0649367553",
            "00",
            "1649367553.0",
            "1649367553 ",
            " 1",
            "9223372036854775808",
            "16493675530",
            "164936755300",
            "16493675530000",
            "0649367553000",
            "1_000",
            "１６４９３６７５５３",
            "0x10",
            "NaN",
        ] {
            let now = Timestamp::from_seconds(1_649_367_553);
            assert_eq!(check_timestamp(text, now), Err(TimestampProblem::Malformed), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies(key in prop::collection::vec(any::<u8>(), 24..=64), body: Vec<u8>, time: u32) {
            let (secret, time) = (SigningSecret::from_bytes(&key).unwrap(), time.to_string());
            let header = sign_message(&secret, "msg_1", &time, &body);
            prop_assert!(verify_message(&secret, "msg_1", &time, &body, &header));
        }

        #[test]
        fn verifying_never_panics(header in "(v1,)?\\PC{0,80}", id in "\\PC{0,20}", time in "\\PC{0,20}") {
            prop_assert!(!verify_message(&secret(), &id, &time, BODY, &header));
            let _ = check_timestamp(&time, Timestamp::from_seconds(0));
        }
    }
}
