//! The server's signatures and those of the reference library, in both directions, for 10,000 messages each.

use proptest::prelude::*;
use reqwest::header::HeaderMap;
use standardwebhooks::Webhook;
use tallyback_server::domain::signature::{SigningSecret, sign_message, verify_message};
use tallyback_tests::now;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(10_000) })]

    #[test]
    fn what_the_library_signs_verifies_here(key in prop::collection::vec(any::<u8>(), 24..=64), id in "[!-\\-/-~]{1,40}", time: u32, body in "\\PC{0,200}") {
        let secret = SigningSecret::from_bytes(&key).unwrap();
        let theirs = Webhook::new(&secret.reveal()).unwrap().sign(&id, i64::from(time), body.as_bytes()).unwrap();
        prop_assert!(verify_message(&secret, &id, &time.to_string(), body.as_bytes(), &theirs));
        prop_assert_eq!(sign_message(&secret, &id, &time.to_string(), body.as_bytes()), theirs.clone());
        prop_assert!(!verify_message(&secret, &id, &time.to_string(), [body.as_bytes(), b" "].concat().as_slice(), &theirs));
    }

    #[test]
    fn what_is_signed_here_the_library_verifies(key in prop::collection::vec(any::<u8>(), 24..=64), id in "[!-\\-/-~]{1,40}", body in "\\PC{0,200}") {
        let secret = SigningSecret::from_bytes(&key).unwrap();
        let time = now().to_string();
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", id.parse().unwrap());
        headers.insert("webhook-timestamp", time.parse().unwrap());
        headers.insert("webhook-signature", sign_message(&secret, &id, &time, body.as_bytes()).parse().unwrap());
        let webhook = Webhook::new(&secret.reveal()).unwrap();
        prop_assert!(webhook.verify(body.as_bytes(), &headers).is_ok());
        prop_assert!(webhook.verify([body.as_bytes(), b" "].concat().as_slice(), &headers).is_err());
    }
}
