//! Takes secrets and personal data out of what is kept for people to read: values, and text that nobody could parse.
//! It looks at how things are written; what a parameter means is not known here.

use std::{borrow::Cow, ops::Range};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::personal_data::{emails, is_email, is_phone, is_phones, phones};

/// What stands where something was taken out.
pub const REDACTED: &str = "[redacted]";

/// Texts longer than this are cut, in bytes: no parameter is taken with more.
const LONGEST_TEXT: usize = 500;
/// Documents longer than this are not kept, in bytes: no metadata is taken with more.
const LONGEST_DOCUMENT: usize = 8 * 1024;
/// Members whose value is a secret or a person's, whatever it looks like.
const NAMES: [&str; 12] = [
    "sig",
    "signature",
    "webhook-signature",
    "token",
    "secret",
    "password",
    "authorization",
    "api_key",
    "email",
    "e-mail",
    "e_mail",
    "mail",
];
/// What our own secrets begin with.
const SECRETS: [&str; 3] = ["whsec_", "tbk_", "tbt_"];
/// As much of a secret follows that, where it is base64.
const BASE64_LENGTH: usize = 44;
/// Whether the value under this name is never kept.
pub fn is_private(name: &str) -> bool {
    is_phones(name) || NAMES.iter().any(|private| private.eq_ignore_ascii_case(name))
}

/// A value as it may be kept: without secrets and personal data, and not longer than a parameter may be.
pub fn value(sent: &Value) -> Value {
    match sent {
        Value::Array(_) | Value::Object(_) => {
            let bytes = sent.to_string().len();
            if bytes > LONGEST_DOCUMENT { json!({"bytes": bytes}) } else { member(sent) }
        }
        other => member(other),
    }
}

fn member(sent: &Value) -> Value {
    match sent {
        Value::String(text) => short(text).into(),
        Value::Array(items) => items.iter().map(member).collect(),
        Value::Object(members) => object(members, member).into(),
        other => other.clone(),
    }
}

/// A document as it may be kept, each of its members for itself.
pub fn document(members: &Map<String, Value>) -> Map<String, Value> {
    object(members, value)
}

fn object(members: &Map<String, Value>, keep: fn(&Value) -> Value) -> Map<String, Value> {
    let kept = |(name, value): (&String, &Value)| {
        (short(name).into_owned(), if is_private(name) { json!(REDACTED) } else { keep(value) })
    };
    members.iter().map(kept).collect()
}

/// A text as it may be kept.
pub fn short(sent: &str) -> Cow<'_, str> {
    if is_email(sent) || is_phone(sent) {
        return REDACTED.into();
    }
    // Most values have none of these, and need not be looked at more closely.
    let is_plain = !sent.bytes().any(|byte| b"@+_%\\".contains(&byte));
    let kept = if is_plain { beginning(sent, LONGEST_TEXT).into() } else { text(sent, LONGEST_TEXT).into() };
    if sent.len() > LONGEST_TEXT { format!("{kept}... ({} bytes)", sent.len()).into() } else { kept }
}

/// A text, if it may be kept as it is.
pub fn kept(sent: &str) -> Option<String> {
    (short(sent) == sent).then(|| sent.to_owned())
}

/// The beginning of a text that nobody could parse, at most so many bytes of it.
pub fn text(raw: &str, longest: usize) -> String {
    // Twice as much is looked at, so that nothing is half of what would have been taken out.
    let raw = &raw[..floor(raw, longest * 2)];
    let mut masked = String::with_capacity(raw.len());
    let mut end = 0;
    for place in private_places(raw) {
        if place.start >= end {
            masked.push_str(&raw[end..place.start]);
            masked.push_str(REDACTED);
        }
        end = end.max(place.end);
    }
    masked.push_str(&raw[end..]);
    beginning(&masked, longest).to_owned()
}

/// The beginning of a query or a form as it travels, likewise. What is private may be written in many ways there; so
/// each value is looked at as it is meant.
pub fn query(raw: &str, longest: usize) -> String {
    let raw = &raw[..floor(raw, longest * 2)];
    let pairs = raw.split('&').map(|pair| match pair.split_once('=') {
        Some((name, value)) if is_private(name) || !is_harmless(value) => format!("{name}={REDACTED}"),
        _ if is_harmless(pair) => pair.to_owned(),
        _ => REDACTED.to_owned(),
    });
    beginning(&pairs.collect::<Vec<_>>().join("&"), longest).to_owned()
}

fn is_harmless(encoded: &str) -> bool {
    let spaced = encoded.replace('+', " ");
    let meant = percent_decode_str(&spaced).decode_utf8_lossy();
    meant.is_empty() || (private_places(&meant).is_empty() && !is_email(&meant) && !is_phone(&meant))
}

fn beginning(text: &str, longest: usize) -> &str {
    &text[..floor(text, longest)]
}

/// The last place in a text, not beyond so many bytes, where it can be cut.
fn floor(text: &str, longest: usize) -> usize {
    if text.len() <= longest {
        return text.len();
    }
    (0..=longest).rev().find(|place| text.is_char_boundary(*place)).unwrap_or(0)
}

/// Where something private stands, in order.
fn private_places(raw: &str) -> Vec<Range<usize>> {
    let mut places: Vec<Range<usize>> =
        emails(raw).chain(phones(raw)).chain(secrets(raw)).chain(named(raw)).collect();
    places.sort_by_key(|place| (place.start, place.end));
    places
}

fn secrets(raw: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let is_of_secret = |c: char| c.is_ascii_alphanumeric() || "_+/=-%".contains(c);
    SECRETS.iter().flat_map(move |begin| raw.match_indices(begin)).map(move |(start, begin)| {
        let secret = start + begin.len();
        // What was a `+` is a space in a query.
        let ends = |place: usize, c: char| !is_of_secret(c) && (c != ' ' || place >= BASE64_LENGTH);
        let end = raw[secret..].char_indices().find(|(place, c)| ends(*place, *c));
        start..end.map_or(raw.len(), |(place, _)| secret + place)
    })
}

/// Values behind a private name: `name=value` in a query, `"name": "value"` in JSON.
fn named(raw: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    raw.match_indices(['=', ':']).filter_map(move |(place, mark)| {
        let before = raw[..place].trim_end_matches([' ', '"']);
        let name = &before[before.trim_end_matches(is_of_name).len()..];
        if !is_private(name) {
            return None;
        }
        let after = &raw[place + 1..];
        let value = after.trim_start();
        let length = match (mark, value.strip_prefix('"')) {
            ("=", _) => after.find('&').unwrap_or(after.len()),
            (_, Some(quoted)) => after.len() - quoted.len() + closing(quoted),
            _ => after.find([',', '}', ']', '\n']).unwrap_or(after.len()),
        };
        let start = place + 1 + if mark == "=" { 0 } else { after.len() - value.len() };
        (start < place + 1 + length).then(|| start..place + 1 + length)
    })
}

/// The length of the rest of a JSON string, up to its closing quote and with it.
fn closing(quoted: &str) -> usize {
    let mut is_escaped = false;
    for (place, byte) in quoted.bytes().enumerate() {
        match byte {
            b'"' if !is_escaped => return place + 1,
            b'\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    quoted.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_query_keeps_all_but_what_is_private() {
        let raw = "goal=a%2Bb&adv_sub1=jane%40example.com&adv_sub2=%2B49%20151-1234567&x=&token=a&click_id=1z&y=tbt_0&sig=0";
        assert_eq!(
            query(raw, 4_096),
            "goal=a%2Bb&adv_sub1=[redacted]&adv_sub2=[redacted]&x=&token=[redacted]&click_id=1z&y=[redacted]&sig=[redacted]"
        );
        assert_eq!(query("jane@example.com&goal=a&%ff=b", 4_096), "[redacted]&goal=a&%ff=b");
    }

    #[test]
    fn a_body_that_is_not_json_keeps_all_but_what_is_private() {
        let raw = r#"{"goal": "sale", "note": "mail jane@example.com", "phone": "0151 123", "email": "j\"x", "fax": "+49 151 1234567", "n": 1, "#;
        assert_eq!(
            text(raw, 4_096),
            r#"{"goal": "sale", "note": "mail [redacted]", "phone": [redacted], "email": [redacted], "fax": "[redacted]", "n": 1, "#
        );
        assert_eq!(text(r#"{"a":"jane\u0040example.com"}"#, 4_096), r#"{"a":"[redacted]"}"#);
        assert_eq!(text("secret whsec_abc+/=, tbk_01", 4_096), "secret [redacted], [redacted]");
        let as_in_a_query = format!("whsec_a {}= next", "b".repeat(41));
        assert_eq!(text(&as_in_a_query, 4_096), "[redacted] next");
    }

    #[test]
    fn what_is_cut_is_cut_after_it_was_masked() {
        let raw = format!("{}jane@example.com", "x ".repeat(48));
        assert_eq!(text(&raw, 100), format!("{}[red", "x ".repeat(48)));
        assert_eq!(text("äöü", 3), "ä");
    }

    #[test]
    fn documents_are_searched_to_their_leaves() {
        let sent = json!({"a": [{"b": "write to jane@example.com now"}], "jane@example.com": 1, "Phone": "0151", "n": 1.5});
        let kept = json!({"a": [{"b": "write to [redacted] now"}], "[redacted]": 1, "Phone": "[redacted]", "n": 1.5});
        assert_eq!(value(&sent), kept);
        assert_eq!(value(&json!("x".repeat(600))), json!(format!("{}... (600 bytes)", "x".repeat(500))));
        assert_eq!(value(&json!(["x".repeat(9_000)])), json!({"bytes": 9_004}));
    }

    #[test]
    fn ordinary_values_stay() {
        for plain in ["A-1001", "50%", "a_b", "grün 👟", "1+1", "C\\D", "4915112345678", "msg_1"] {
            assert_eq!(short(plain), plain);
        }
    }

    proptest! {
        #[test]
        fn masking_never_panics_and_keeps_no_address(before in "\\PC{0,80}", after in "\\PC{0,80}", longest in 0_usize..200) {
            let masked = text(&format!("{before} jane@example.com {after}"), longest);
            prop_assert!(!masked.contains("jane@example.com"));
            prop_assert!(masked.len() <= longest);
        }
    }
}
