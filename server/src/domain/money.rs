//! Amounts of money, exact to a millionth.
//! No floating point; what a currency is worth in another is `rate`.

pub use super::currency::Currency;
pub use super::percent::Percent;

pub(super) const MICROS_PER_UNIT: i64 = 1_000_000;
const MAX_DECIMALS: usize = 4;
const MAX_INTEGER_DIGITS: usize = 12;

/// An amount in millionths of its currency's unit: 49.90 is 49,900,000.
///
/// The currency is kept beside it. Negative amounts arise from reversals, never from [`parse_decimal`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl Micros {
    /// Writes the amount with the currency's minor units, and more decimals only where they are needed.
    pub fn to_decimal(self, currency: Currency) -> String {
        sum_to_decimal(self.0.into(), currency)
    }
}

/// Writes a sum of amounts, in millionths, as [`Micros::to_decimal`] writes one.
pub fn sum_to_decimal(micros: i128, currency: Currency) -> String {
    decimal(micros, usize::from(currency.minor_units()))
}

/// Tells why a text is not a decimal number that we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Nothing was given.
    #[error("must not be empty")]
    Empty,
    /// It starts with a minus sign.
    #[error("must not be negative")]
    Negative,
    /// It starts with a plus sign.
    #[error("leave out the plus sign")]
    PlusSign,
    /// It has white space.
    #[error("must not contain spaces")]
    Space,
    /// A comma stands where the dot should.
    #[error("use a dot as decimal separator")]
    Comma,
    /// Digits are grouped.
    #[error("leave out thousands separators")]
    ThousandsSeparator,
    /// It is written with an exponent, such as `1e3`.
    #[error("write the number out, without an exponent")]
    Exponent,
    /// It has digits of another script, such as full-width ones.
    #[error("use the digits 0 to 9")]
    ForeignDigits,
    /// It is no number at all, such as `NaN`.
    #[error("must be a decimal number such as 49.90")]
    NotANumber,
    /// It starts or ends with the dot.
    #[error("put digits on both sides of the dot")]
    BareDot,
    /// It has several dots.
    #[error("use at most one dot")]
    SeveralDots,
    /// It is more precise than we take.
    #[error("at most 4 decimals")]
    TooManyDecimals,
    /// It is larger than we take.
    #[error("at most 12 digits before the dot")]
    TooLarge,
    /// A percentage is above 1000.
    #[error("at most 1000 percent")]
    PercentTooLarge,
}

/// Reads digits with an optional dot and 1 to 4 decimals: never negative, at most 12 digits before the dot.
///
/// # Errors
/// The first thing that is wrong, as a sentence for the caller.
pub fn parse_decimal(text: &str) -> Result<Micros, DecimalError> {
    if text.is_empty() {
        return Err(DecimalError::Empty);
    }
    let (whole, decimals) = match text.split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (text, None),
    };
    let digits = whole.bytes().chain(decimals.unwrap_or_default().bytes());
    if !digits.clone().all(|byte| byte.is_ascii_digit()) {
        return Err(foreign_character(text));
    }
    if whole.is_empty() || decimals == Some("") {
        return Err(DecimalError::BareDot);
    }
    let decimals = decimals.unwrap_or_default();
    if decimals.len() > MAX_DECIMALS {
        return Err(DecimalError::TooManyDecimals);
    }
    if whole.len() > MAX_INTEGER_DIGITS {
        return Err(DecimalError::TooLarge);
    }
    let number = digits.fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    Ok(Micros(number * 10_i64.pow(6 - decimals.len() as u32)))
}

/// Names what is wrong with a text that has something other than digits and one dot.
pub(super) fn foreign_character(text: &str) -> DecimalError {
    let has = |wanted: fn(char) -> bool| text.chars().any(wanted);
    let count = |wanted: char| text.chars().filter(|found| *found == wanted).count();
    if has(char::is_whitespace) {
        DecimalError::Space
    } else if text.starts_with(['-', '\u{2212}']) {
        DecimalError::Negative
    } else if text.starts_with('+') {
        DecimalError::PlusSign
    } else if has(|found| found.is_numeric() && !found.is_ascii_digit()) {
        DecimalError::ForeignDigits
    } else if is_exponent(text) {
        DecimalError::Exponent
    } else if has(|found| !found.is_ascii_digit() && !".,'_\u{2019}".contains(found)) {
        DecimalError::NotANumber
    } else if count(',') == 1 && count('.') == 0 {
        DecimalError::Comma
    } else if has(|found| !found.is_ascii_digit() && found != '.') {
        DecimalError::ThousandsSeparator
    } else {
        DecimalError::SeveralDots
    }
}

fn is_exponent(text: &str) -> bool {
    text.split_once(['e', 'E']).is_some_and(|(number, exponent)| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        number.starts_with(|first: char| first.is_ascii_digit() || first == '.')
            && !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Writes millionths as a decimal with at least so many decimals, and no needless zeros beyond them.
pub(super) fn decimal(micros: i128, least_decimals: usize) -> String {
    decimal_of(micros, 6, least_decimals)
}

/// Writes a number of parts of ten to the power of `-digits`.
pub(super) fn decimal_of(parts: i128, digits: usize, least_decimals: usize) -> String {
    let sign = if parts < 0 { "-" } else { "" };
    let unit = 10_u128.pow(digits as u32);
    let (whole, rest) = (parts.unsigned_abs() / unit, parts.unsigned_abs() % unit);
    let decimals = format!("{rest:0digits$}");
    let needed = decimals.trim_end_matches('0').len().max(least_decimals);
    match needed {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{}", &decimals[..needed]),
    }
}

/// Divides and rounds half to even. The divisor is above zero.
pub(super) fn divide_half_even(number: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (number.div_euclid(divisor), number.rem_euclid(divisor));
    let rounds_up = rest * 2 > divisor || rest * 2 == divisor && quotient % 2 != 0;
    quotient + i128::from(rounds_up)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    #[test]
    fn decimals_are_read_exactly() {
        for (text, micros) in [
            ("0", 0),
            ("0.0001", 100),
            ("49.9", 49_900_000),
            ("49.90", 49_900_000),
            ("007", 7_000_000),
            ("999999999999.9999", 999_999_999_999_999_900),
        ] {
            assert_eq!(parse_decimal(text), Ok(Micros(micros)), "{text}");
        }
    }

    #[test]
    fn each_refusal_names_its_reason() {
        use DecimalError::*;
        for (text, error) in [
            ("", Empty),
            ("-1", Negative),
            ("\u{2212}1", Negative),
            ("-0", Negative),
            ("+1", PlusSign),
            (" 1", Space),
            ("1 000", Space),
            ("1\u{a0}000", Space),
            ("1\n", Space),
            ("1,5", Comma),
            ("1,000.00", ThousandsSeparator),
            ("1.000,00", ThousandsSeparator),
            ("1'000", ThousandsSeparator),
            ("1_000", ThousandsSeparator),
            ("1,000,000", ThousandsSeparator),
            ("1e3", Exponent),
            ("1E-8", Exponent),
            ("1e400", Exponent),
            ("\u{ff11}", ForeignDigits),
            ("\u{0661}", ForeignDigits),
            ("NaN", NotANumber),
            ("inf", NotANumber),
            ("0x10", NotANumber),
            ("12 %", Space),
            ("12%", NotANumber),
            ("\u{20ac}5", NotANumber),
            ("1\0", NotANumber),
            (".5", BareDot),
            ("5.", BareDot),
            (".", BareDot),
            ("1.2.3", SeveralDots),
            ("1.00000", TooManyDecimals),
            ("0.12345", TooManyDecimals),
            ("1000000000000", TooLarge),
            (&"9".repeat(10_000), TooLarge),
            ("0000000000001", TooLarge),
        ] {
            assert_eq!(parse_decimal(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn amounts_are_written_as_the_currency_is() {
        for (micros, code, text) in [
            (49_900_000, "EUR", "49.90"),
            (100_000_000, "JPY", "100"),
            (125_000, "EUR", "0.125"),
            (1_500_000, "KWD", "1.500"),
            (1_000_000, "CLF", "1.0000"),
            (500_000, "JPY", "0.5"),
            (-49_900_000, "EUR", "-49.90"),
            (-1, "EUR", "-0.000001"),
            (0, "EUR", "0.00"),
            (i64::MIN, "EUR", "-9223372036854.775808"),
            (i64::MAX, "JPY", "9223372036854.775807"),
        ] {
            assert_eq!(Micros(micros).to_decimal(currency(code)), text);
        }
    }

    proptest! {
        #[test]
        fn a_decimal_survives_the_round_trip(tenthousandths in 0..10_000_000_000_000_000_i64) {
            let amount = Micros(tenthousandths * 100);
            for code in ["EUR", "JPY", "KWD", "CLF"] {
                prop_assert_eq!(parse_decimal(&amount.to_decimal(currency(code))), Ok(amount));
            }
        }

        #[test]
        fn reading_never_panics(text in "\\PC{0,30}") {
            let _ = parse_decimal(&text);
        }
    }
}
