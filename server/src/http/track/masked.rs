//! What of a postback goes into the log: its parameters, without secrets and without personal data.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::{
    db::rows::document::Document,
    domain::{masking, parameters::Parameters, postback::Form},
};

/// The most parameters of no meaning that are kept.
const MOST_UNKNOWN: usize = 20;
/// The most that is kept of a body that could not be read, in bytes.
const LONGEST_BEGINNING: usize = 4 * 1024;

/// The parameters, known and unknown, with whatever looks like a secret, an e-mail address or a phone number taken out;
/// and what else is to stand beside them, or in their place.
pub fn parameters(parameters: &Parameters, beside: Map<String, Value>) -> Document {
    if parameters.unknown.is_empty() && beside.is_empty() {
        return Document::written(&Known(parameters));
    }
    let known = parameters.iter().map(|(name, sent)| (name.to_owned(), masking::value(sent)));
    let mut kept: Map<String, Value> = known.collect();
    let unknown = parameters.unknown.iter().take(MOST_UNKNOWN);
    kept.extend(masking::document(&unknown.map(|(name, sent)| (name.clone(), sent.clone())).collect()));
    kept.extend(beside);
    Document::written(&kept)
}

/// Parameters that we know, as nearly all are: they need not be copied to be written.
struct Known<'a>(&'a Parameters);

impl Serialize for Known<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, sent)| (name, Masked(sent))))
    }
}

/// A value without what is private.
struct Masked<'a>(&'a Value);

impl Serialize for Masked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) => masking::short(text).serialize(serializer),
            other => masking::value(other).serialize(serializer),
        }
    }
}

/// What somebody sent who cannot sign: which parameters, and how many bytes of each.
pub fn lengths(parameters: &Parameters) -> Document {
    let bytes = |value: &Value| value.as_str().map_or_else(|| value.to_string().len(), str::len);
    let lengths = parameters.iter().map(|(name, value)| (name.to_owned(), json!({"bytes": bytes(value)})));
    Document::written(&lengths.collect::<Map<_, _>>())
}

/// A body that could not be read: only how long it was.
pub fn unreadable(bytes: usize) -> Document {
    Document::written(&json!({"unreadable_bytes": bytes}))
}

/// A query or a body that could not be read: how long it was, and how it begins.
pub fn beginning(form: Form, content: &[u8]) -> Document {
    let start = String::from_utf8_lossy(&content[..content.len().min(2 * LONGEST_BEGINNING)]);
    let beginning = match form {
        Form::Json => masking::text(&start, LONGEST_BEGINNING),
        Form::Query | Form::Form => masking::query(&start, LONGEST_BEGINNING),
    };
    Document::written(&json!({"unreadable_bytes": content.len(), "beginning": beginning}))
}
