//! The one point-in-time type of the platform: UTC, in microseconds.
//! It never reads the clock; "now" is always an argument.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_HOUR: i64 = 3_600 * MICROS_PER_SECOND;
const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;

/// A point in time in UTC, with microseconds, within the years 1 to 9999.
///
/// Values beyond that range are brought to its nearest end, so that no arithmetic and no display can fail.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest value: the first moment of year 1.
    pub const MIN: Self = Self(-62_135_596_800 * MICROS_PER_SECOND);

    /// The latest value: 9999-12-30T22:00:00Z, the last that jiff can write in every UTC offset.
    pub const MAX: Self = Self(253_402_207_200 * MICROS_PER_SECOND);

    /// Makes a time from Unix microseconds.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// Makes a time from Unix milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self::from_micros(millis.saturating_mul(1_000))
    }

    /// Makes a time from Unix seconds.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self::from_micros(seconds.saturating_mul(MICROS_PER_SECOND))
    }

    /// Returns Unix microseconds.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Returns Unix milliseconds, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Returns Unix seconds, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// Returns the time so many seconds later, or earlier if negative, and stops at the ends of the range.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self::from_micros(self.0.saturating_add(seconds.saturating_mul(MICROS_PER_SECOND)))
    }

    /// Returns the whole seconds that have passed since `earlier`, rounded down; negative if it is later.
    pub const fn seconds_since(self, earlier: Self) -> i64 {
        (self.0 - earlier.0).div_euclid(MICROS_PER_SECOND)
    }

    /// Returns the start of the UTC hour that contains this time.
    pub const fn start_of_hour(self) -> Self {
        Self::from_micros(self.0 - self.0.rem_euclid(MICROS_PER_HOUR))
    }

    /// Returns the start of the UTC day that contains this time.
    pub const fn start_of_day(self) -> Self {
        Self::from_micros(self.0 - self.0.rem_euclid(MICROS_PER_DAY))
    }

    /// Reads RFC 3339, such as `2026-11-22T10:00:00Z` or `2026-11-22T11:00:00.5+01:00`.
    ///
    /// The offset is mandatory. Digits beyond microseconds are cut.
    pub fn parse(text: &str) -> Option<Self> {
        if !has_rfc3339_shape(text.as_bytes()) {
            return None;
        }
        let time: jiff::Timestamp = text.parse().ok()?;
        let micros = time.as_microsecond();
        (Self::MIN.0..=Self::MAX.0).contains(&micros).then_some(Self(micros))
    }
}

/// Says whether a text has the shape of RFC 3339, section 5.6; jiff alone would read more (ISO 8601, RFC 9557).
fn has_rfc3339_shape(text: &[u8]) -> bool {
    let Some((seconds, rest)) = text.split_at_checked(19) else { return false };
    let fraction = match rest.strip_prefix(b".") {
        Some(digits) => 1 + digits.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        None => 0,
    };
    let offset = &rest[fraction..];
    matches_pattern(seconds, b"0000-00-00T00:00:00")
        && fraction != 1
        && (matches_pattern(offset, b"Z")
            || matches_pattern(offset, b"+00:00")
            || matches_pattern(offset, b"-00:00"))
}

/// Compares with a pattern in which `0` stands for any digit; the case of letters does not matter.
fn matches_pattern(text: &[u8], pattern: &[u8]) -> bool {
    text.len() == pattern.len()
        && text.iter().zip(pattern).all(|(byte, expected)| match expected {
            b'0' => byte.is_ascii_digit(),
            _ => byte.eq_ignore_ascii_case(expected),
        })
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_microsecond(self.0).expect("the range lies within jiff's");
        time.fmt(formatter)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom("not a time; write it as RFC 3339, such as 2026-11-22T10:00:00Z")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn it_is_written_as_rfc_3339() {
        assert_eq!(Timestamp::from_seconds(1_795_341_600).to_string(), "2026-11-22T10:00:00Z");
        assert_eq!(Timestamp::from_millis(1_795_341_600_250).to_string(), "2026-11-22T10:00:00.25Z");
        assert_eq!(Timestamp::from_micros(-1).to_string(), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn offsets_are_read() {
        assert_eq!(at("2026-11-22T11:30:00+01:30"), at("2026-11-22T10:00:00Z"));
        assert_eq!(at("2026-11-22t10:00:00.123456789z").micros() % 1_000_000, 123_456);
    }

    #[test]
    fn other_notations_are_refused() {
        for text in [
            "",
            "now",
            "2026-11-22",
            "2026-11-22T10:00:00",
            "2026-11-22 10:00:00Z",
            "20261122T100000Z",
            "2026-11-22T10:00Z",
            "2026-11-22T10:00:00.Z",
            "2026-13-22T10:00:00Z",
            "2026-02-30T10:00:00Z",
            "2026-11-22T25:00:00Z",
            "2026-11-22T10:00:00+0100",
            "2026-11-22T10:00:00Z[UTC]",
            "1795341600",
            "+002026-11-22T10:00:00Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "２０26-11-22T10:00:00Z",
            "2026-11-22T10:00:00Zé",
            " 2026-11-22T10:00:00Z",
            "2026-11-22T10:00:00 01:00",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn extremes_stay_in_range() {
        for extreme in [i64::MIN, i64::MAX] {
            for time in [
                Timestamp::from_micros(extreme),
                Timestamp::from_millis(extreme),
                Timestamp::from_seconds(extreme),
                Timestamp::from_seconds(0).plus_seconds(extreme),
            ] {
                assert!([Timestamp::MIN, Timestamp::MAX].contains(&time));
                assert_eq!(at(&time.to_string()), time);
            }
        }
        assert_eq!(Timestamp::MIN.to_string(), "0001-01-01T00:00:00Z");
        assert_eq!(Timestamp::MIN.start_of_day(), Timestamp::MIN);
        assert!(Timestamp::MAX.seconds_since(Timestamp::MIN) > 0);
        assert!(Timestamp::MIN.seconds_since(Timestamp::MAX) < 0);
    }

    #[test]
    fn differences_are_rounded_down() {
        let start = Timestamp::from_seconds(100);
        assert_eq!(Timestamp::from_millis(101_999).seconds_since(start), 1);
        assert_eq!(Timestamp::from_millis(99_999).seconds_since(start), -1);
    }

    #[test]
    fn starts_of_hour_and_day_hold_before_1970() {
        assert_eq!(at("2026-11-22T10:59:59.9Z").start_of_hour(), at("2026-11-22T10:00:00Z"));
        assert_eq!(at("1969-12-31T23:59:59Z").start_of_hour(), at("1969-12-31T23:00:00Z"));
        assert_eq!(at("1969-12-31T23:59:59Z").start_of_day(), at("1969-12-31T00:00:00Z"));
    }

    #[test]
    fn json_is_the_same_text() {
        let time = at("2026-11-22T10:00:00Z");
        assert_eq!(serde_json::to_string(&time).unwrap(), "\"2026-11-22T10:00:00Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>("\"2026-11-22T10:00:00Z\"").unwrap(), time);
        assert!(serde_json::from_str::<Timestamp>("\"today\"").unwrap_err().to_string().contains("RFC 3339"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(micros: i64) {
            let time = Timestamp::from_micros(micros);
            prop_assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
        }

        #[test]
        fn reading_never_panics(text in "\\PC{0,40}") {
            let _ = Timestamp::parse(&text);
        }
    }
}
