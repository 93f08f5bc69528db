//! Exchange rates between currencies, exact to a trillionth. No floating point; no inverse is ever guessed.

use serde::{Deserialize, Serialize};

use super::{
    currency::Currency,
    money::{Micros, decimal_of, divide_half_even, foreign_character},
    time::Timestamp,
};

const SCALE: i64 = 1_000_000_000_000;
const MOST_DECIMALS: usize = 12;
const LARGEST: i64 = 9_000_000;

/// What one unit of a currency is worth in another, in trillionths: 0.92 is 920,000,000,000. Always above zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(i64);

impl Rate {
    /// Reads a decimal number above 0 and up to 9000000, with at most 12 decimals.
    ///
    /// # Errors
    /// What is wrong, as a sentence for the caller.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        if text.is_empty() {
            return Err("must not be empty".to_owned());
        }
        if !whole.bytes().chain(decimals.bytes()).all(|byte| byte.is_ascii_digit()) {
            return Err(foreign_character(text).to_string());
        }
        if whole.is_empty() || text.ends_with('.') {
            return Err("put digits on both sides of the dot".to_owned());
        }
        if decimals.len() > MOST_DECIMALS {
            return Err(format!("at most {MOST_DECIMALS} decimals"));
        }
        let too_large = || format!("must be at most {LARGEST}");
        let whole: i64 = whole.parse().map_err(|_| too_large())?;
        let parts: i64 = format!("{decimals:0<12}").parse().map_err(|_| too_large())?;
        match whole.checked_mul(SCALE).and_then(|units| units.checked_add(parts)) {
            Some(0) => Err("must be above 0".to_owned()),
            Some(rate) if rate <= LARGEST * SCALE => Ok(Self(rate)),
            _ => Err(too_large()),
        }
    }

    /// Makes a rate from its stored value.
    pub const fn from_stored(trillionths: i64) -> Self {
        Self(trillionths)
    }

    /// Returns the value to store.
    pub const fn as_stored(&self) -> &i64 {
        &self.0
    }

    /// Writes the rate with as few decimals as it needs.
    pub fn to_decimal(self) -> String {
        decimal_of(self.0.into(), MOST_DECIMALS, 0)
    }

    /// The amount in the other currency, rounded half to even to the micro; none if it is too large.
    pub fn convert(self, amount: Micros) -> Option<Micros> {
        let product = i128::from(amount.0) * i128::from(self.0);
        i64::try_from(divide_half_even(product, SCALE.into())).ok().map(Micros)
    }

    /// What [`Rate::convert`] was given, to the micro: for counting a converted sum in its first currency.
    pub fn undo(self, amount: Micros) -> Micros {
        let sum = divide_half_even(i128::from(amount.0) * i128::from(SCALE), i128::from(self.0.max(1)));
        Micros(sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }
}

/// The rates that one report may need: from each currency to the advertiser's, as they were on the event's day. Nearly
/// always empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rates(pub Vec<(Currency, Rate)>);

impl Rates {
    /// The rate from a currency.
    pub fn from(&self, currency: Currency) -> Option<Rate> {
        self.0.iter().find(|(from, _)| *from == currency).map(|(_, rate)| *rate)
    }
}

/// The latest rate that is dated on or before the day of an event. `dated` is in the order of its days.
pub fn valid_at(dated: &[(Timestamp, Rate)], event_time: Timestamp) -> Option<Rate> {
    let until = dated.partition_point(|(day, _)| *day <= event_time);
    dated.get(until.checked_sub(1)?).map(|(_, rate)| *rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(text: &str) -> Rate {
        Rate::parse(text).unwrap()
    }

    #[test]
    fn rates_are_read_and_written_exactly() {
        for (text, written) in [
            ("0.92", "0.92"),
            ("1", "1"),
            ("1.000000000000", "1"),
            ("0.000000000001", "0.000000000001"),
            ("9000000", "9000000"),
            ("163.275000", "163.275"),
        ] {
            assert_eq!(rate(text).to_decimal(), written);
        }
    }

    #[test]
    fn what_is_no_rate_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", "empty"),
            ("0", "above 0"),
            ("0.000000000000", "above 0"),
            ("-1", "negative"),
            ("1e3", "exponent"),
            ("1,5", "dot"),
            (".5", "both sides"),
            ("5.", "both sides"),
            ("1.2.3", "one dot"),
            ("NaN", "decimal number"),
            ("0.1234567890123", "12 decimals"),
            ("9000000.000000000001", "9000000"),
            ("99999999999999999999999", "9000000"),
            ("10000000000000", "9000000"),
        ] {
            let error = Rate::parse(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn amounts_are_converted_half_to_even_to_the_micro() {
        for (amount, by, expected) in [
            (49_900_000, "0.92", 45_908_000),
            (1, "0.5", 0),
            (3, "0.5", 2),
            (5, "0.5", 2),
            (-1, "0.5", 0),
            (-3, "0.5", -2),
            (100_000_000, "0.006125", 612_500),
            (1_234_500, "3.256789123456", 4_020_506),
        ] {
            assert_eq!(rate(by).convert(Micros(amount)), Some(Micros(expected)), "{amount} x {by}");
        }
        assert_eq!(rate("9000000").convert(Micros(i64::MAX)), None);
    }

    #[test]
    fn the_latest_rate_of_the_day_or_before_is_valid() {
        let day = |text: &str| Timestamp::parse(&format!("{text}T00:00:00Z")).unwrap();
        let dated = [(day("2026-11-01"), rate("1")), (day("2026-11-10"), rate("2"))];
        for (time, expected) in [
            ("2026-10-31T23:59:59Z", None),
            ("2026-11-01T00:00:00Z", Some(rate("1"))),
            ("2026-11-09T23:59:59Z", Some(rate("1"))),
            ("2026-11-10T00:00:00Z", Some(rate("2"))),
            ("2030-01-01T00:00:00Z", Some(rate("2"))),
        ] {
            assert_eq!(valid_at(&dated, Timestamp::parse(time).unwrap()), expected, "{time}");
        }
        assert_eq!(valid_at(&[], day("2026-11-01")), None);
    }

    proptest! {
        #[test]
        fn what_was_converted_can_be_counted_back(amount in 0..1_000_000_000_000_i64, stored in SCALE..LARGEST * SCALE) {
            let rate = Rate::from_stored(stored);
            prop_assert_eq!(rate.convert(Micros(amount)).map(|sum| rate.undo(sum)), Some(Micros(amount)));
        }
    }
}
