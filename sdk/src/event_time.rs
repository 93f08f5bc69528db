//! When the event happened, in either of the two forms that the server reads.
//! Must not read the clock.

use std::time::SystemTime;

use jiff::Timestamp;
use serde::Serialize;

/// Says when an event happened: RFC 3339 text or Unix **seconds**.
///
/// Made from a [`SystemTime`], from text, or from a number of seconds. Text and numbers are sent as they
/// are, so that the server and not this crate is the judge of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EventTime(Form);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Form {
    Text(String),
    Seconds(i64),
}

/// Writes UTC with the fraction of the second, which keeps an event behind a click of the same second.
/// A time outside the years -9999 to 9999 becomes the nearest one inside.
impl From<SystemTime> for EventTime {
    fn from(time: SystemTime) -> Self {
        let nearest = if time < SystemTime::UNIX_EPOCH { Timestamp::MIN } else { Timestamp::MAX };
        Self(Form::Text(Timestamp::try_from(time).unwrap_or(nearest).to_string()))
    }
}

impl From<&str> for EventTime {
    fn from(rfc3339: &str) -> Self {
        Self(Form::Text(rfc3339.to_owned()))
    }
}

impl From<String> for EventTime {
    fn from(rfc3339: String) -> Self {
        Self(Form::Text(rfc3339))
    }
}

impl From<i64> for EventTime {
    fn from(seconds: i64) -> Self {
        Self(Form::Seconds(seconds))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::EventTime;

    fn sent(time: impl Into<EventTime>) -> String {
        serde_json::to_string(&time.into()).unwrap()
    }

    #[test]
    fn a_system_time_is_sent_as_rfc3339_with_its_fraction() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
        assert_eq!(sent(time), r#""2023-11-14T22:13:20.25Z""#);
    }

    #[test]
    fn text_and_seconds_are_sent_as_they_are() {
        assert_eq!(sent("2023-11-14T23:13:20+01:00"), r#""2023-11-14T23:13:20+01:00""#);
        assert_eq!(sent(1_700_000_000), "1700000000");
    }

    #[test]
    fn a_time_beyond_the_calendar_becomes_the_last_one() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 60);
        assert!(sent(time).starts_with(r#""9999-12-30"#), "{}", sent(time));
    }
}
