//! A refusal: a code, and what this one caller needs in order to mend the request.
//! It never holds a secret, a database's own words, or another tenant's data.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{code::Code, postback::Form};

/// One thing that is wrong, and where.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FieldError {
    /// JSON pointer into the body (`/event_name`), or the name of a query parameter.
    pub pointer: String,
    /// What is wrong, and what would be right.
    pub detail: String,
}

impl FieldError {
    /// An error at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// Why a request was refused.
#[derive(Clone, PartialEq, Debug)]
pub struct Refusal {
    /// The stable code; it fixes the status.
    pub code: Code,
    /// What is wrong with this request, in a sentence.
    pub detail: String,
    /// What to do about it, when more can be said than the code's own advice.
    pub hint: Option<String>,
    /// Every field that is wrong.
    pub errors: Vec<FieldError>,
    /// Further members of the answer: lengths, ages, names, both values.
    pub facts: Map<String, Value>,
}

impl Refusal {
    /// A refusal with a sentence of its own.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), hint: None, errors: Vec::new(), facts: Map::new() }
    }

    /// A refusal that says no more than its code.
    pub fn of(code: Code) -> Self {
        Self::new(code, code.title())
    }

    /// The same as a report in this form is told: a body of JSON with JSON Pointers (RFC 6901).
    pub fn pointing_into(self, form: Form) -> Self {
        if form == Form::Json { self.with_json_pointers() } else { self }
    }

    /// The same with JSON Pointers (RFC 6901).
    pub fn with_json_pointers(mut self) -> Self {
        for error in &mut self.errors {
            if !error.pointer.starts_with('/') {
                error.pointer = format!("/{}", escaped(&error.pointer));
            }
        }
        self
    }

    /// A refusal that lists fields.
    pub fn fields(code: Code, errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.pointer, one.detail),
            many => format!("{} fields are wrong; `errors` names each.", many.len()),
        };
        Self { errors, ..Self::new(code, detail) }
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a member to the answer.
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }
}

/// A name as it stands in a JSON Pointer.
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
