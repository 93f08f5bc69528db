//! What a conversion is worth: one pure function over the terms that were in force when it was counted. A later change of
//! its amount asks the same terms again.

use super::{currency::Currency, goal::MoneyRule, money::Micros, rate::Rate};

/// How a reported amount came into the conversion's currency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exchange {
    /// The currency that was reported.
    pub from: Currency,
    /// What one unit of it is worth in the conversion's currency.
    pub rate: Rate,
}

/// Everything that a conversion's money follows from, but the amount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// What the publisher earns; a fixed sum is in `currency`.
    pub payout: MoneyRule,
    /// What the partner earns; a fixed sum is in `currency`.
    pub revenue: MoneyRule,
    /// The currency of all sums; none when there is no money in it.
    pub currency: Option<Currency>,
    /// How amounts are converted into it, if they came in another one.
    pub exchange: Option<Exchange>,
}

/// A conversion's money, all of it in the conversion's currency but `original`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Worth {
    /// The amount.
    pub amount: Option<Micros>,
    /// What was reported, in the exchange's currency; none where nothing was converted.
    pub original: Option<Micros>,
    /// What the publisher earns.
    pub payout: Micros,
    /// What the partner earns.
    pub revenue: Micros,
}

impl Terms {
    /// What an amount is worth that is reported in the exchange's currency, or, without an exchange, in the conversion's.
    /// None if it is too large once converted.
    pub fn worth(&self, reported: Option<Micros>) -> Option<Worth> {
        let (amount, original) = match (reported, self.exchange) {
            (Some(amount), Some(exchange)) => (Some(exchange.rate.convert(amount)?), reported),
            _ => (reported, None),
        };
        Some(Worth { amount, original, payout: self.payout.of(amount), revenue: self.revenue.of(amount) })
    }

    /// The terms for an amount in a currency: the one that was reported first, or the conversion's own, which is any where
    /// there was no money in it. None for any other.
    pub fn in_currency(&self, currency: Currency) -> Option<Self> {
        match (self.exchange, self.currency) {
            (Some(exchange), _) if exchange.from == currency => Some(*self),
            (_, own) if own.is_none_or(|own| own == currency) => {
                Some(Self { currency: Some(currency), exchange: None, ..*self })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Percent;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    fn terms() -> Terms {
        Terms {
            payout: MoneyRule::Percent(Percent::parse("10").unwrap()),
            revenue: MoneyRule::Fixed(Micros(8_000_000)),
            currency: Some(currency("EUR")),
            exchange: Some(Exchange { from: currency("USD"), rate: Rate::parse("0.9").unwrap() }),
        }
    }

    #[test]
    fn shares_are_of_the_converted_amount() {
        let worth = terms().worth(Some(Micros(100_000_000))).unwrap();
        let expected = Worth {
            amount: Some(Micros(90_000_000)),
            original: Some(Micros(100_000_000)),
            payout: Micros(9_000_000),
            revenue: Micros(8_000_000),
        };
        assert_eq!(worth, expected);
    }

    #[test]
    fn without_an_amount_only_fixed_sums_are_left() {
        let expected = Worth { revenue: Micros(8_000_000), ..Worth::default() };
        assert_eq!(terms().worth(None), Some(expected));
    }

    #[test]
    fn a_later_amount_may_be_in_either_currency() {
        assert_eq!(terms().in_currency(currency("USD")), Some(terms()));
        let own = terms().in_currency(currency("EUR")).unwrap();
        let worth = own.worth(Some(Micros(50_000_000))).unwrap();
        assert_eq!(
            (worth.amount, worth.original, worth.payout.0),
            (Some(Micros(50_000_000)), None, 5_000_000)
        );
        assert_eq!(terms().in_currency(currency("GBP")), None);
    }

    #[test]
    fn what_becomes_too_large_is_worth_nothing_we_could_say() {
        let rate = Rate::parse("9000000").unwrap();
        let terms = Terms { exchange: Some(Exchange { from: currency("USD"), rate }), ..terms() };
        assert_eq!(terms.worth(Some(Micros(i64::MAX))), None);
    }
}
