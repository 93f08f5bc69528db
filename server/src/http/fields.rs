//! Reads the fields of a request one by one and collects every error, so that a caller learns all of them at once.

use crate::{
    domain::{
        code::Code,
        refusal::{FieldError, Refusal},
    },
    error::{Error, Result},
};

/// The errors found so far.
#[derive(Default)]
pub struct Fields {
    errors: Vec<FieldError>,
}

impl Fields {
    /// Notes an error.
    pub fn error(&mut self, pointer: &str, detail: impl Into<String>) {
        self.errors.push(FieldError::new(pointer, detail));
    }

    /// Reads a field that must be there.
    pub fn required<V, T>(
        &mut self,
        pointer: &str,
        value: Option<V>,
        read: impl FnOnce(V) -> Result<T, String>,
    ) -> Option<T> {
        if value.is_none() {
            self.error(pointer, "is needed");
        }
        self.optional(pointer, value, read)
    }

    /// Reads a field that may be absent.
    pub fn optional<V, T>(
        &mut self,
        pointer: &str,
        value: Option<V>,
        read: impl FnOnce(V) -> Result<T, String>,
    ) -> Option<T> {
        match value.map(read)? {
            Ok(value) => Some(value),
            Err(detail) => {
                self.error(pointer, detail);
                None
            }
        }
    }

    /// Reads a field that an update may leave, clear or set: `None`, `Some(None)`, `Some(Some(_))`.
    pub fn change<V, T>(
        &mut self,
        pointer: &str,
        value: Option<Option<V>>,
        read: impl FnOnce(V) -> Result<T, String>,
    ) -> Option<Option<T>> {
        match value {
            Some(Some(value)) => self.optional(pointer, Some(value), read).map(Some),
            Some(None) => Some(None),
            None => None,
        }
    }

    /// What was read, if nothing was wrong.
    pub fn finish<T>(self, build: impl FnOnce() -> Option<T>) -> Result<T> {
        if !self.errors.is_empty() {
            return Err(Refusal::fields(Code::ValidationFailed, self.errors).into());
        }
        build().ok_or_else(|| Error::Internal("a field is missing that no error names".into()))
    }
}

/// Says which field names something that is not there, or is somebody else's.
pub fn named<T>(found: Option<T>, pointer: &str) -> Result<T> {
    found.ok_or_else(|| {
        let error = FieldError::new(pointer, "there is no such thing, or it is not yours");
        Refusal::fields(Code::NotFound, vec![error]).into()
    })
}

/// Tells `null` from "not there" in the body of an update.
pub fn present<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: serde::Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    <Option<T> as serde::Deserialize>::deserialize(deserializer).map(Some)
}

/// Refuses `null` in the body of an update, for what can be changed and not cleared.
pub fn not_null<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: serde::Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Readers of single values.
pub mod read {
    use crate::domain::{
        currency::Currency,
        ids::{Id, Reference},
        landing::{LandingPage, check_host_pattern},
        postback::{LONGEST_ORDER_ID_BYTES, text_error},
        text::{ExternalId, Name},
        time::Timestamp,
    };

    /// A name for people.
    pub fn name(text: String) -> Result<String, String> {
        Name::parse(&text).map(|_| text)
    }

    /// The caller's own id.
    pub fn external_id(text: String) -> Result<String, String> {
        ExternalId::parse(&text).map(|_| text)
    }

    /// An advertiser's id of a sale, as postbacks may carry it.
    pub fn order_id(text: String) -> Result<String, String> {
        if text.is_empty() || text.len() > LONGEST_ORDER_ID_BYTES || text.chars().any(char::is_control) {
            return Err(format!("use 1 to {LONGEST_ORDER_ID_BYTES} bytes without control characters"));
        }
        Ok(text)
    }

    /// What a postback may have named a goal by.
    pub fn event_name_as_sent(text: String) -> Result<String, String> {
        match text_error("goal", &text) {
            None => Ok(text),
            Some(detail) => Err(detail),
        }
    }

    /// A landing page, with macros.
    pub fn landing_url(text: String) -> Result<String, String> {
        LandingPage::parse(&text).map(|_| text).map_err(|error| error.to_string())
    }

    /// A list of hosts that deep links may lead to.
    pub fn hosts(list: Vec<String>) -> Result<Vec<String>, String> {
        const MOST: usize = 100;
        if list.len() > MOST {
            return Err(format!("has {} hosts; at most {MOST} are taken", list.len()));
        }
        list.iter().map(|host| check_host_pattern(host)).collect()
    }

    /// A point in time.
    pub fn time(text: String) -> Result<Timestamp, String> {
        Timestamp::parse(&text).ok_or_else(|| "is not RFC 3339, such as 2026-01-31T12:00:00Z".to_owned())
    }

    /// A currency.
    pub fn currency(text: String) -> Result<Currency, String> {
        Currency::parse(&text).ok_or_else(|| format!("`{text}` is not an ISO 4217 code such as EUR"))
    }

    /// An id, or `ext:` and the caller's own.
    pub fn reference<I: Id>(text: String) -> Result<Reference<I>, String> {
        Reference::parse(&text)
    }

    /// A flag of conversions.
    pub fn flag(text: String) -> Result<String, String> {
        let is_word = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if is_word { Ok(text) } else { Err("is no flag: they are words such as `bot_click`".to_owned()) }
    }

    /// One word of a closed set.
    pub fn word<T: Copy + std::fmt::Display>(
        all: &'static [T],
        parse: fn(&str) -> Option<T>,
    ) -> impl FnOnce(String) -> Result<T, String> {
        move |text| {
            let words = || all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            parse(&text).ok_or_else(|| format!("`{text}` is not one of {}", words()))
        }
    }

    /// A cap: a number of clicks.
    pub fn cap(clicks: i64) -> Result<i64, String> {
        const MOST: i64 = 1_000_000_000;
        let fits = (1..=MOST).contains(&clicks);
        if fits { Ok(clicks) } else { Err(format!("must be a number of clicks from 1 to {MOST}")) }
    }

    /// A whole number of seconds, from 0 (or 1) to the longest.
    pub fn seconds(least: i64) -> impl FnOnce(i64) -> Result<i64, String> {
        use crate::domain::goal::LONGEST_SECONDS;
        move |seconds| {
            let fits = (least..=LONGEST_SECONDS).contains(&seconds);
            if fits {
                Ok(seconds)
            } else {
                Err(format!("must be a number of seconds from {least} to {LONGEST_SECONDS}"))
            }
        }
    }
}
