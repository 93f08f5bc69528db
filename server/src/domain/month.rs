//! Calendar months in UTC, for what is kept month by month.

use std::fmt;

use jiff::{civil::Date, tz::TimeZone};

use super::time::Timestamp;

/// A month, UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Month {
    year: i16,
    month: i8,
}

impl Month {
    /// The month that contains a time.
    pub fn of(time: Timestamp) -> Self {
        let instant = jiff::Timestamp::from_microsecond(time.micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let date = instant.to_zoned(TimeZone::UTC).date();
        Self { year: date.year(), month: date.month() }
    }

    /// The month after.
    pub fn next(self) -> Self {
        if self.month == 12 {
            Self { year: self.year.saturating_add(1), month: 1 }
        } else {
            Self { month: self.month + 1, ..self }
        }
    }

    /// Its first moment.
    pub fn start(self) -> Timestamp {
        let first =
            Date::new(self.year, self.month, 1).ok().and_then(|date| date.to_zoned(TimeZone::UTC).ok());
        first.map_or(Timestamp::MAX, |start| Timestamp::from_micros(start.timestamp().as_microsecond()))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}_{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn december_is_followed_by_january() {
        let december = Month::of(Timestamp::parse("2026-12-31T23:59:59.999999Z").unwrap());
        assert_eq!(december.to_string(), "2026_12");
        assert_eq!(december.next().start(), Timestamp::parse("2027-01-01T00:00:00Z").unwrap());
        assert_eq!(december.next().next().start(), Timestamp::parse("2027-02-01T00:00:00Z").unwrap());
    }
}
