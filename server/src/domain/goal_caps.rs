//! How much a goal takes: conversions and payouts in a day, in a month (UTC, by the time of receipt) and ever.

use serde::{Deserialize, Serialize};

use super::{money::Micros, time::Timestamp, words::words};

const DAY_SECONDS: i64 = 86_400;

words! {
    /// A cap of a goal. The words are the fields of its `caps`, and stand in flags after `cap:`.
    Cap {
        /// Conversions in a day.
        ConversionsPerDay = "conversions_per_day",
        /// Conversions in a month.
        ConversionsPerMonth = "conversions_per_month",
        /// Conversions ever.
        ConversionsTotal = "conversions_total",
        /// Payouts in a day.
        PayoutPerDay = "payout_per_day",
        /// Payouts in a month.
        PayoutPerMonth = "payout_per_month",
        /// Payouts ever.
        PayoutTotal = "payout_total",
    }
}

/// The caps of a goal; payouts are in the goal's currency.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GoalCaps {
    /// Conversions in a day.
    pub conversions_per_day: Option<i64>,
    /// Conversions in a month.
    pub conversions_per_month: Option<i64>,
    /// Conversions ever.
    pub conversions_total: Option<i64>,
    /// Payouts in a day.
    pub payout_per_day: Option<Micros>,
    /// Payouts in a month.
    pub payout_per_month: Option<Micros>,
    /// Payouts ever.
    pub payout_total: Option<Micros>,
}

/// What was taken in a period.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Taken {
    /// Conversions.
    pub conversions: i64,
    /// Their payouts, in the goal's currency.
    pub payout: i128,
}

impl Taken {
    /// One more conversion.
    pub fn add(&mut self, payout: Micros) {
        self.conversions += 1;
        self.payout += i128::from(payout.0);
    }
}

/// What a goal takes in one period.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Limit {
    /// Names the period: `day:2026-11-24`, `month:2026-11`, `total`.
    pub period: String,
    /// Its first moment.
    pub start: Timestamp,
    /// The first moment after it; none if it never ends.
    pub end: Option<Timestamp>,
    /// The most conversions.
    pub conversions: Option<(i64, Cap)>,
    /// The most payouts.
    pub payout: Option<(Micros, Cap)>,
}

impl Limit {
    /// The cap that has no room for one more conversion with this payout.
    pub fn exceeded_by(&self, payout: Micros, taken: Taken) -> Option<Cap> {
        let by_count = self.conversions.filter(|(most, _)| taken.conversions >= *most).map(|(_, cap)| cap);
        let sum = taken.payout + i128::from(payout.0);
        let by_sum = self.payout.filter(|(most, _)| sum > i128::from(most.0)).map(|(_, cap)| cap);
        by_count.or(by_sum)
    }
}

impl GoalCaps {
    /// Whether the goal takes only so much payout.
    pub fn limits_payout(&self) -> bool {
        self.payout_per_day.is_some() || self.payout_per_month.is_some() || self.payout_total.is_some()
    }

    /// The caps, if there are any.
    pub fn some(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }

    /// What the goal takes in each of the periods that a time of receipt is in.
    pub fn limits(&self, received_at: Timestamp) -> Vec<Limit> {
        let date = received_at.start_of_day().to_string();
        let (day, month) = (date.get(..10).unwrap_or_default(), date.get(..7).unwrap_or_default());
        let midnight = received_at.start_of_day();
        let first = first_of_month(month).unwrap_or(midnight);
        // Wherever in the next one this is.
        let in_next_month = first.plus_seconds(32 * DAY_SECONDS).to_string();
        let limit = |period: String,
                     (start, end),
                     conversions: Option<i64>,
                     payout: Option<Micros>,
                     caps: [Cap; 2]| {
            let conversions = conversions.map(|most| (most, caps[0]));
            Limit { period, start, end, conversions, payout: payout.map(|most| (most, caps[1])) }
        };
        [
            limit(
                format!("day:{day}"),
                (midnight, Some(midnight.plus_seconds(DAY_SECONDS))),
                self.conversions_per_day,
                self.payout_per_day,
                [Cap::ConversionsPerDay, Cap::PayoutPerDay],
            ),
            limit(
                format!("month:{month}"),
                (first, in_next_month.get(..7).and_then(first_of_month)),
                self.conversions_per_month,
                self.payout_per_month,
                [Cap::ConversionsPerMonth, Cap::PayoutPerMonth],
            ),
            limit(
                "total".to_owned(),
                (Timestamp::MIN, None),
                self.conversions_total,
                self.payout_total,
                [Cap::ConversionsTotal, Cap::PayoutTotal],
            ),
        ]
        .into_iter()
        .filter(|limit| limit.conversions.is_some() || limit.payout.is_some())
        .collect()
    }
}

/// The first moment of a month that is written `2026-11`.
fn first_of_month(month: &str) -> Option<Timestamp> {
    Timestamp::parse(&format!("{month}-01T00:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_are_utc() {
        let caps = GoalCaps {
            conversions_per_day: Some(3),
            payout_per_month: Some(Micros(9)),
            conversions_total: Some(100),
            ..GoalCaps::default()
        };
        let limits = caps.limits(Timestamp::parse("2026-11-24T23:59:59Z").unwrap());
        let periods: Vec<_> =
            limits.iter().map(|limit| (limit.period.as_str(), limit.start, limit.end)).collect();
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let (start, end) = (at("2026-11-24T00:00:00Z"), at("2026-11-25T00:00:00Z"));
        let (first, next) = (at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z"));
        assert_eq!(
            periods,
            [
                ("day:2026-11-24", start, Some(end)),
                ("month:2026-11", first, Some(next)),
                ("total", Timestamp::MIN, None),
            ]
        );
        for (month, next) in [("2026-12", "2027-01"), ("2027-01", "2027-02"), ("2028-02", "2028-03")] {
            let limits = caps.limits(at(&format!("{month}-28T12:00:00Z")));
            assert_eq!(limits[1].end, Some(at(&format!("{next}-01T00:00:00Z"))), "{month}");
        }
        assert_eq!((GoalCaps::default().some(), caps.some()), (None, Some(caps)));
    }

    #[test]
    fn the_last_one_that_fits_is_taken() {
        let caps = GoalCaps {
            conversions_per_day: Some(2),
            payout_per_day: Some(Micros(10)),
            ..GoalCaps::default()
        };
        let limit = &caps.limits(Timestamp::from_seconds(0))[0];
        let mut taken = Taken::default();
        assert_eq!(limit.exceeded_by(Micros(10), taken), None);
        assert_eq!(limit.exceeded_by(Micros(11), taken), Some(Cap::PayoutPerDay));
        taken.add(Micros(4));
        assert_eq!(limit.exceeded_by(Micros(6), taken), None);
        assert_eq!(limit.exceeded_by(Micros(7), taken), Some(Cap::PayoutPerDay));
        taken.add(Micros(0));
        assert_eq!(limit.exceeded_by(Micros(0), taken), Some(Cap::ConversionsPerDay));
    }
}
