//! Percentages and the exact share of an amount.
//! No floating point.

use super::money::{DecimalError, MICROS_PER_UNIT, Micros, decimal, divide_half_even, parse_decimal};

/// A percentage in millionths of a percent: 12.5 % is 12,500,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(i64);

impl Percent {
    const MAX: i64 = 1_000 * MICROS_PER_UNIT;

    /// Reads 0 to 1000 with at most 4 decimals, without a percent sign.
    ///
    /// # Errors
    /// The first thing that is wrong, as a sentence for the caller.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let Micros(value) = parse_decimal(text)?;
        if value > Self::MAX { Err(DecimalError::PercentTooLarge) } else { Ok(Self(value)) }
    }

    /// Makes a percentage from its stored value.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns the value to store, in millionths of a percent.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Writes the percentage with as few decimals as it needs: `12.5`.
    pub fn to_decimal(self) -> String {
        decimal(self.0.into(), 0)
    }

    /// Returns this share of an amount, rounded half to even and held within the range of an amount.
    pub fn of(self, amount: Micros) -> Micros {
        const WHOLE: i128 = 100 * MICROS_PER_UNIT as i128;
        let product = i128::from(amount.0) * i128::from(self.0);
        let rounded = divide_half_even(product, WHOLE);
        Micros(rounded.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percentages_are_read_and_written() {
        for (text, micros) in [("0", 0), ("12.5", 12_500_000), ("1000", 1_000_000_000), ("0.0001", 100)] {
            let percent = Percent::parse(text).unwrap();
            assert_eq!((percent.micros(), percent.to_decimal().as_str()), (micros, text));
        }
        assert_eq!(Percent::parse("1000.0001"), Err(DecimalError::PercentTooLarge));
        assert_eq!(Percent::parse("-1"), Err(DecimalError::Negative));
    }

    #[test]
    fn shares_are_rounded_half_to_even() {
        let half = Percent::parse("50").unwrap();
        for (amount, share) in [(1, 0), (3, 2), (5, 2), (7, 4), (-1, 0), (-3, -2), (-5, -2), (-7, -4)] {
            assert_eq!(half.of(Micros(amount)), Micros(share), "half of {amount}");
        }
        assert_eq!(Percent::parse("12.5").unwrap().of(Micros(49_900_000)), Micros(6_237_500));
        assert_eq!(Percent::parse("1000").unwrap().of(Micros(i64::MAX)), Micros(i64::MAX));
        assert_eq!(Percent::parse("1000").unwrap().of(Micros(i64::MIN)), Micros(i64::MIN));
    }

    proptest! {
        #[test]
        fn a_share_never_exceeds_its_amount(amount in 0..i64::MAX, percent in 0..=100_000_000_i64) {
            let Micros(share) = Percent::from_micros(percent).of(Micros(amount));
            prop_assert!((0..=amount).contains(&share));
        }

        #[test]
        fn a_share_of_the_negative_is_the_negative_share(amount in 0..i64::MAX, percent in 0..=100_000_000_i64) {
            let percent = Percent::from_micros(percent);
            prop_assert_eq!(percent.of(Micros(-amount)).0, -percent.of(Micros(amount)).0);
        }
    }
}
