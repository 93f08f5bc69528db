//! What of a postback goes into the log: its parameters, without secrets and without personal data.

use serde_json::{Map, Value, json};

use crate::domain::{masking, parameters::Parameters, postback::Form};

pub use masking::value;

/// The most parameters of no meaning that are kept.
const MOST_UNKNOWN: usize = 20;
/// The most that is kept of a body that could not be read, in bytes.
const LONGEST_BEGINNING: usize = 4 * 1024;

/// The parameters, known and unknown, with whatever looks like a secret, an e-mail address or a phone number taken out.
pub fn parameters(parameters: &Parameters) -> Map<String, Value> {
    let mut kept: Map<String, Value> =
        parameters.iter().map(|(name, sent)| (name.to_owned(), value(sent))).collect();
    if !parameters.unknown.is_empty() {
        let unknown = parameters.unknown.iter().take(MOST_UNKNOWN);
        kept.extend(masking::document(&unknown.map(|(name, sent)| (name.clone(), sent.clone())).collect()));
    }
    kept
}

/// What somebody sent who cannot sign: which parameters, and how many bytes of each.
pub fn lengths(parameters: &Parameters) -> Map<String, Value> {
    let bytes = |value: &Value| value.as_str().map_or_else(|| value.to_string().len(), str::len);
    parameters.iter().map(|(name, value)| (name.to_owned(), json!({"bytes": bytes(value)}))).collect()
}

/// A body that could not be read: only how long it was.
pub fn unreadable(bytes: usize) -> Map<String, Value> {
    Map::from_iter([("unreadable_bytes".to_owned(), json!(bytes))])
}

/// A query or a body that could not be read: how long it was, and how it begins.
pub fn beginning(form: Form, content: &[u8]) -> Map<String, Value> {
    let start = String::from_utf8_lossy(&content[..content.len().min(2 * LONGEST_BEGINNING)]);
    let beginning = match form {
        Form::Json => masking::text(&start, LONGEST_BEGINNING),
        Form::Query | Form::Form => masking::query(&start, LONGEST_BEGINNING),
    };
    let mut kept = unreadable(content.len());
    kept.insert("beginning".to_owned(), json!(beginning));
    kept
}
