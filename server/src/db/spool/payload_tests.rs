//! What is written is read, to the last digit, by this version and by later ones.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    Entry, payload,
    samples::{any_click, any_postback, click, postback},
};
use crate::{
    db::{received::Received, rows::document::Document},
    domain::{
        click_id::ClickIdError,
        code::Code,
        refusal::{FieldError, Refusal},
        trace::Origin,
    },
};

fn round_trip(entry: &Entry) -> Option<Entry> {
    let (kind, bytes) = payload::write(entry).unwrap();
    payload::read(kind, &bytes)
}

fn written(entry: &Entry) -> (&'static str, Value) {
    let (kind, bytes) = payload::write(entry).unwrap();
    (kind, serde_json::from_slice(&bytes).unwrap())
}

fn entry_of_postback(number: u32) -> Entry {
    Entry::Postback(Box::new(postback(number)))
}

proptest! {
    #[test]
    fn any_click_is_read_as_it_was_written(click in any_click()) {
        let impression = Entry::Impression(Box::new(click.clone().into()));
        prop_assert_eq!(round_trip(&impression), Some(impression));
        let entry = Entry::Click(Box::new(click));
        prop_assert_eq!(round_trip(&entry), Some(entry));
    }

    #[test]
    fn any_postback_is_read_as_it_was_written(received in any_postback()) {
        let entry = Entry::Postback(Box::new(received));
        prop_assert_eq!(round_trip(&entry), Some(entry));
    }

    #[test]
    fn reading_anything_never_panics(kind in "(click|impression|postback)/[01]", bytes: Vec<u8>) {
        prop_assert_eq!(payload::read(&kind, &bytes), None);
    }
}

#[test]
fn a_refused_report_is_read_as_it_was_written() {
    let refusal = Refusal::of(Code::AmountInvalid).hint("Use a dot.").fact("length", 7);
    let entry = Entry::Postback(Box::new(Received { report: Err(refusal), click: None, ..postback(1) }));
    assert_eq!(round_trip(&entry), Some(entry));
}

#[test]
fn a_report_may_be_nested_as_deeply_as_its_parser_takes() {
    let text = format!("{}1{}", "[".repeat(126), "]".repeat(126));
    let deep: Value = serde_json::from_str(&text).unwrap();
    let mut received = postback(1);
    received.request = Document::written(&json!({"metadata": deep}));
    received.report.as_mut().unwrap().extras.insert("metadata".to_owned(), deep);
    let entry = Entry::Postback(Box::new(received));
    assert_eq!(round_trip(&entry), Some(entry));
}

#[test]
fn the_form_of_a_click_does_not_change_between_releases() {
    let (kind, json) = written(&Entry::Click(Box::new(click(5))));
    assert_eq!(kind, "click/1");
    let expected = json!({
        "partner_id": "prt_040g2081040g2081040g208104", "id": "06h05cp5000000050w3ge1r70w",
        "link_id": "lnk_081040g2081040g2081040g208", "advertiser_id": "adv_0c1g60r30c1g60r30c1g60r30c",
        "campaign_id": "cmp_0g2081040g2081040g2081040g", "creative_id": "crt_0m2ga1850m2ga1850m2ga1850m",
        "publisher_id": null, "clicked_at": "2026-11-22T10:00:00Z", "class": "human", "reason": null,
        "country": "CH", "details": { "sub1": "xxxxx" },
    });
    assert_eq!(json, expected);
}

#[test]
fn the_form_of_a_postback_does_not_change_between_releases() {
    let (kind, json) = written(&entry_of_postback(5));
    assert_eq!(kind, "postback/1");
    let expected = json!({
        "partner_id": "prt_040g2081040g2081040g208104", "postback_id": "pbk_081040g2081040g2081040g208",
        "conversion_id": "cnv_0c1g60r30c1g60r30c1g60r30c", "delta_id": "row_0g2081040g2081040g2081040g",
        "received_at": "2026-11-22T10:00:00Z", "form": "json", "key_id": "key_0m2ga1850m2ga1850m2ga1850m",
        "powers": { "advertisers": ["adv_0r30c1g60r30c1g60r30c1g60r"], "may_decide_status": true },
        "message_id": "msg_5", "origin": { "ip": "192.0.2.1", "bytes": 312 }, "request": { "goal": "sale" },
        "click": { "genuine": "06h05cp5000000050w3ge1r70w" },
        "report": { "read": {
            "advertiser": "ext:Shop 7", "goal": "sale", "click_id": "106h05cp5fffavfqf041061050s5rt3gzsr",
            "customer_id": null, "publisher": "pub_0w3ge1r70w3ge1r70w3ge1r70w", "order_id": "A-5",
            "amount": 49_900_000, "currency": "EUR", "status": "pending", "event_time": "2026-11-22T09:59:00Z",
            "extras": { "metadata": { "lines": [1, null], "weight": 0.1 } }, "intent": "count",
            "unknown": ["colour"],
        } },
    });
    assert_eq!(json, expected);
}

#[test]
fn the_form_of_what_went_wrong_does_not_change_between_releases() {
    let received = Received {
        click: Some(Err(ClickIdError::Malformed { received: 15 })),
        report: Err(Refusal::fields(Code::Malformed, vec![FieldError::new("goal", "is needed")])),
        ..postback(5)
    };
    let (_, json) = written(&Entry::Postback(Box::new(received.clone())));
    assert_eq!(json["click"], json!({ "malformed": { "received": 15 } }));
    let refused = json!({
        "code": "malformed", "detail": "goal: is needed", "hint": null,
        "errors": [{ "pointer": "goal", "detail": "is needed" }], "facts": {},
    });
    assert_eq!(json["report"], json!({ "refused": refused }));
    let received = Received { click: Some(Err(ClickIdError::NotGenuine)), ..received };
    assert_eq!(written(&Entry::Postback(Box::new(received))).1["click"], json!("not_genuine"));
}

#[test]
fn a_postback_of_a_version_that_knew_no_origin_is_read() {
    let (kind, mut json) = written(&entry_of_postback(5));
    json.as_object_mut().unwrap().remove("origin");
    let earlier = Received { origin: Origin::default(), ..postback(5) };
    assert_eq!(payload::read(kind, json.to_string().as_bytes()), Some(Entry::Postback(Box::new(earlier))));
}

#[test]
fn fields_that_a_later_version_adds_are_passed_over() {
    for entry in [Entry::Click(Box::new(click(5))), entry_of_postback(5)] {
        let (kind, mut json) = written(&entry);
        json["colour"] = json!({ "deep": ["red"] });
        assert_eq!(payload::read(kind, json.to_string().as_bytes()), Some(entry));
    }
}

#[test]
fn optional_fields_may_be_missing() {
    let (kind, mut json) = written(&Entry::Click(Box::new(click(5))));
    json.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    assert_eq!(payload::read(kind, json.to_string().as_bytes()), Some(Entry::Click(Box::new(click(5)))));
    let (kind, mut json) = written(&entry_of_postback(5));
    json.as_object_mut().unwrap().remove("click");
    let Some(Entry::Postback(received)) = payload::read(kind, json.to_string().as_bytes()) else {
        panic!("not read")
    };
    assert_eq!(received.click, None);
}

#[test]
fn other_kinds_and_versions_are_not_guessed_at() {
    let (_, bytes) = payload::write(&Entry::Click(Box::new(click(5)))).unwrap();
    for kind in ["click/2", "click", "postback/1", "", "visit/1"] {
        assert_eq!(payload::read(kind, &bytes), None, "{kind}");
    }
    assert_eq!(payload::read("click/1", &[&bytes[..], b"{}"].concat()), None, "something follows");
}
