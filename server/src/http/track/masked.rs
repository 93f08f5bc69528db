//! What of a postback goes into the log: its parameters, without secrets and without personal data.

use serde_json::{Map, Value, json};

use crate::domain::{
    parameters::Parameters,
    postback::{is_email, is_phone},
    rerun::REDACTED,
};

/// The parameters, with whatever looks like an e-mail address or a phone number taken out.
pub fn parameters(parameters: &Parameters) -> Map<String, Value> {
    parameters.iter().map(|(name, sent)| (name.to_owned(), value(sent))).collect()
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

/// A value, with whatever looks like an e-mail address or a phone number taken out.
pub fn value(sent: &Value) -> Value {
    match sent {
        Value::String(text) if is_email(text) || is_phone(text) => json!(REDACTED),
        Value::Array(items) => items.iter().map(value).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), value(member))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}
