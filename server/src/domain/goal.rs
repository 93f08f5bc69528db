//! Conversion goals: what counts, how often, when, and for how much money.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    click_id::Touch,
    conversion::{ConversionStatus, MatchMode},
    currency::Currency,
    goal_caps::GoalCaps,
    ids::{AdvertiserId, CampaignId, GoalId},
    money::{Micros, Percent},
    overrides::{Applied, Override, Place, applied},
    setup::Status,
    words::words,
};

/// Longest window, delay or hold that a goal may have: ten years, in seconds.
pub const LONGEST_SECONDS: i64 = 10 * 365 * 86_400;
/// The ways to match that a goal allows where it does not say.
pub const USUAL_MODES: [MatchMode; 2] = [MatchMode::Transaction, MatchMode::Customer];

words! {
    /// How often a click can convert for a goal.
    Counting {
        /// Once per click.
        Once = "once",
        /// Once per order id.
        PerOrder = "per_order",
    }
}

words! {
    /// What a conversion starts as, when nothing speaks against it.
    DefaultStatus {
        /// Final at once, or after its hold.
        Approved = "approved",
        /// Waits for a decision.
        Pending = "pending",
    }
}

words! {
    /// What the end of a hold means.
    HoldEnd {
        /// The conversion becomes payable.
        Approve = "approve",
        /// Silence means no: the conversion is rejected.
        Reject = "reject",
    }
}

impl HoldEnd {
    /// The status that the end of a hold brings.
    pub fn status(self) -> ConversionStatus {
        match self {
            Self::Approve => ConversionStatus::Approved,
            Self::Reject => ConversionStatus::Rejected,
        }
    }
}

words! {
    /// How a sum of money is found.
    MoneyKind {
        /// The same for every conversion.
        Fixed = "fixed",
        /// A share of the reported amount.
        Percent = "percent",
        /// The reported amount itself.
        Dynamic = "dynamic",
    }
}

/// How a payout or a revenue is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MoneyRule {
    /// The same for every conversion, in the goal's currency.
    Fixed(Micros),
    /// A share of the reported amount, in its currency.
    Percent(Percent),
    /// The reported amount itself.
    Dynamic,
}

impl MoneyRule {
    /// The kind, as it is stored.
    pub fn kind(self) -> MoneyKind {
        match self {
            Self::Fixed(_) => MoneyKind::Fixed,
            Self::Percent(_) => MoneyKind::Percent,
            Self::Dynamic => MoneyKind::Dynamic,
        }
    }

    /// The number that goes with the kind: micros of money, or of a percent; 0 for dynamic.
    pub fn micros(self) -> Micros {
        match self {
            Self::Fixed(micros) => micros,
            Self::Percent(percent) => Micros(percent.micros()),
            Self::Dynamic => Micros(0),
        }
    }

    /// The rule that was stored as a kind and a number.
    pub fn from_stored(kind: MoneyKind, number: Micros) -> Self {
        match kind {
            MoneyKind::Fixed => Self::Fixed(number),
            MoneyKind::Percent => Self::Percent(Percent::from_micros(number.0)),
            MoneyKind::Dynamic => Self::Dynamic,
        }
    }

    /// True when there is no sum without a reported amount.
    pub fn needs_amount(self) -> bool {
        !matches!(self, Self::Fixed(_))
    }

    /// The sum for a conversion of `amount`.
    pub fn of(self, amount: Option<Micros>) -> Micros {
        let amount = amount.unwrap_or_default();
        match self {
            Self::Fixed(micros) => micros,
            Self::Percent(percent) => percent.of(amount),
            Self::Dynamic => amount,
        }
    }
}

/// As it is stored: a kind and a number.
impl Serialize for MoneyRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.kind(), self.micros()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MoneyRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Deserialize::deserialize(deserializer).map(|(kind, number)| Self::from_stored(kind, number))
    }
}

/// The rules of one goal, as far as they decide whether and how a report counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GoalRules {
    /// The goal.
    pub id: GoalId,
    /// The advertiser it is for; none: all of the partner's.
    pub advertiser_id: Option<AdvertiserId>,
    /// The name that reports send, byte for byte.
    pub event_name: String,
    /// Whether it takes reports.
    pub status: Status,
    /// How often a click converts.
    pub counting: Counting,
    /// What a conversion starts as.
    pub default_status: DefaultStatus,
    /// What the publisher earns.
    pub payout: MoneyRule,
    /// What the partner earns.
    pub revenue: MoneyRule,
    /// The currency that amounts must be in; none: any.
    pub currency: Option<Currency>,
    /// Longest time from click to event.
    pub click_window_seconds: i64,
    /// Longest time from impression to event; 0: impressions are credited with nothing.
    pub view_window_seconds: i64,
    /// Longest time from event to report.
    pub reporting_delay_seconds: i64,
    /// Refund period, from the event on.
    pub hold_seconds: i64,
    /// What the end of the hold means.
    pub hold_end: HoldEnd,
    /// The ways to match that it allows.
    pub modes: Vec<MatchMode>,
    /// The only campaigns that it is for; empty: all.
    pub campaign_ids: Vec<CampaignId>,
    /// Other money for some publishers or countries.
    pub overrides: Vec<Override>,
    /// How much it takes; none: everything.
    pub caps: Option<GoalCaps>,
    /// Longest time from the bound click to an event of its customer.
    pub rebill_window_seconds: i64,
    /// How often a customer may come again; none: always.
    pub max_rebills: Option<i64>,
    /// What is faster from click to event is flagged.
    pub minimum_click_to_conversion_seconds: i64,
}

impl GoalRules {
    /// What publisher and partner earn in a place.
    pub fn money(&self, place: Place) -> (Applied, Applied) {
        let payout = applied(self.payout, &self.overrides, place, |one| one.payout);
        (payout, applied(self.revenue, &self.overrides, place, |one| one.revenue))
    }

    /// Whether any sum is in the goal's own currency.
    pub fn has_sums(&self) -> bool {
        let is_sum = |rule: &MoneyRule| matches!(rule, MoneyRule::Fixed(sum) if *sum != Micros(0));
        let own = [self.payout, self.revenue];
        let others = self.overrides.iter().flat_map(|one| [one.payout, one.revenue]).flatten();
        own.into_iter().chain(others).any(|rule| is_sum(&rule))
            || self.caps.is_some_and(|caps| caps.limits_payout())
    }

    /// True when every report must carry an amount.
    pub fn needs_amount(&self) -> bool {
        self.payout.needs_amount() || self.revenue.needs_amount()
    }

    /// Longest time from click or impression to event.
    pub fn window_seconds(&self, touch: Touch) -> i64 {
        match touch {
            Touch::Click => self.click_window_seconds,
            Touch::Impression => self.view_window_seconds,
        }
    }
}

/// A goal `sale` that counts once per click and pays nothing: what tests begin with.
#[cfg(test)]
pub fn plain() -> GoalRules {
    GoalRules {
        id: crate::domain::ids::Id::from_bytes([1; 16]),
        advertiser_id: None,
        event_name: "sale".to_owned(),
        status: Status::Active,
        counting: Counting::Once,
        default_status: DefaultStatus::Approved,
        payout: MoneyRule::Fixed(Micros(0)),
        revenue: MoneyRule::Fixed(Micros(0)),
        currency: None,
        click_window_seconds: 86_400,
        view_window_seconds: 0,
        reporting_delay_seconds: 86_400,
        hold_seconds: 0,
        hold_end: HoldEnd::Approve,
        modes: MatchMode::ALL.to_vec(),
        campaign_ids: Vec::new(),
        overrides: Vec::new(),
        caps: None,
        rebill_window_seconds: 365 * 86_400,
        max_rebills: None,
        minimum_click_to_conversion_seconds: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: [MoneyRule; 3] = [
        MoneyRule::Fixed(Micros(5_000_000)),
        MoneyRule::Percent(Percent::from_micros(12_500_000)),
        MoneyRule::Dynamic,
    ];

    fn goal(payout: MoneyRule, revenue: MoneyRule) -> GoalRules {
        GoalRules { payout, revenue, ..plain() }
    }

    #[test]
    fn a_rule_is_stored_as_a_kind_and_a_number() {
        let stored = EACH.map(|rule| (rule.kind().as_str(), rule.micros().0));
        assert_eq!(stored, [("fixed", 5_000_000), ("percent", 12_500_000), ("dynamic", 0)]);
        assert_eq!(EACH.map(|rule| MoneyRule::from_stored(rule.kind(), rule.micros())), EACH);
    }

    #[test]
    fn each_rule_finds_its_sum() {
        let amount = Some(Micros(40_000_000));
        assert_eq!(
            EACH.map(|rule| rule.of(amount)),
            [Micros(5_000_000), Micros(5_000_000), Micros(40_000_000)]
        );
        assert_eq!(EACH.map(|rule| rule.of(None)), [Micros(5_000_000), Micros(0), Micros(0)]);
    }

    #[test]
    fn a_goal_needs_an_amount_when_either_sum_depends_on_it() {
        let [fixed, percent, dynamic] = EACH;
        assert!(!goal(fixed, fixed).needs_amount());
        for (payout, revenue) in [(percent, fixed), (fixed, percent), (dynamic, fixed), (fixed, dynamic)] {
            assert!(goal(payout, revenue).needs_amount(), "{payout:?} {revenue:?}");
        }
    }

    #[test]
    fn the_end_of_a_hold_approves_or_rejects() {
        assert_eq!(HoldEnd::Approve.status(), ConversionStatus::Approved);
        assert_eq!(HoldEnd::Reject.status(), ConversionStatus::Rejected);
    }
}
