//! What a click or a conversion adds to the totals that reports read.

use std::{collections::HashMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    conversion::{ConversionStatus, MatchMode},
    currency::Currency,
    ids::{AdvertiserId, CampaignId, CreativeId, GoalId, LinkId, PublisherId},
    money::sum_to_decimal,
    time::Timestamp,
    visitor::ClickClass,
};

/// The kind of clicks without consent. They have no rows.
pub const NO_CONSENT: &str = "no_consent";
/// The kind of impressions without consent. They have no rows either.
pub const IMPRESSION_NO_CONSENT: &str = "impression_no_consent";
/// What the kind of an impression begins with; its class follows.
pub const IMPRESSION: &str = "impression_";

/// What the kind of a rebill begins with; its status follows.
pub const REBILL: &str = "rebill_";

/// What a cell counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Clicks of a class.
    Click(ClickClass),
    /// Clicks without consent.
    NoConsent,
    /// Impressions of a class.
    Impression(ClickClass),
    /// Impressions without consent.
    ImpressionNoConsent,
    /// Conversions in a status.
    Conversion(ConversionStatus),
    /// Conversions of customers that came again, in a status.
    Rebill(ConversionStatus),
}

impl Kind {
    /// The kind of a conversion.
    pub fn of(mode: MatchMode, status: ConversionStatus) -> Self {
        match mode {
            MatchMode::Customer => Self::Rebill(status),
            MatchMode::Transaction | MatchMode::Partner => Self::Conversion(status),
        }
    }

    /// Reads the word of a kind.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            NO_CONSENT => Some(Self::NoConsent),
            IMPRESSION_NO_CONSENT => Some(Self::ImpressionNoConsent),
            _ => {
                let click = || ClickClass::parse(word).map(Self::Click);
                let conversion = || ConversionStatus::parse(word).map(Self::Conversion);
                let impression =
                    || word.strip_prefix(IMPRESSION).and_then(ClickClass::parse).map(Self::Impression);
                let rebill = || word.strip_prefix(REBILL).and_then(ConversionStatus::parse).map(Self::Rebill);
                click().or_else(conversion).or_else(impression).or_else(rebill)
            }
        }
    }

    /// Whether what it counts has rows.
    pub fn has_rows(self) -> bool {
        !matches!(self, Self::NoConsent | Self::ImpressionNoConsent)
    }
}

/// Its word: a class or a status, with what tells an impression or a rebill.
impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Click(class) => formatter.write_str(class.as_str()),
            Self::NoConsent => formatter.write_str(NO_CONSENT),
            Self::Impression(class) => write!(formatter, "{IMPRESSION}{class}"),
            Self::ImpressionNoConsent => formatter.write_str(IMPRESSION_NO_CONSENT),
            Self::Conversion(status) => formatter.write_str(status.as_str()),
            Self::Rebill(status) => write!(formatter, "{REBILL}{status}"),
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Self::parse(&word).ok_or_else(|| de::Error::custom(format!("`{word}` is no kind of cell")))
    }
}

/// One cell of the totals: an hour, what is counted, and everything a report can ask for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TotalKey {
    /// Start of the hour, UTC.
    pub hour: Timestamp,
    /// What it counts.
    pub kind: Kind,
    /// Whose link it was.
    pub advertiser_id: AdvertiserId,
    /// Absent where a conversion is not linked to a click.
    pub campaign_id: Option<CampaignId>,
    /// Absent where the link names none.
    pub creative_id: Option<CreativeId>,
    /// Absent where a conversion is not linked to a click.
    pub link_id: Option<LinkId>,
    /// Absent where nobody is credited.
    pub publisher_id: Option<PublisherId>,
    /// Absent for clicks.
    pub goal_id: Option<GoalId>,
    /// Absent for clicks, and for conversions without money.
    pub currency: Option<Currency>,
}

/// What is added to a cell; negative where a conversion leaves a status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Sums {
    /// Clicks or conversions.
    pub events: i64,
    /// Reported amounts, in millionths.
    pub amount: i128,
    /// What publishers earn.
    pub payout: i128,
    /// What the partner earns.
    pub revenue: i128,
}

impl Sums {
    /// One event without money.
    pub const ONE: Self = Self { events: 1, amount: 0, payout: 0, revenue: 0 };

    /// Adds up.
    pub fn add(&mut self, other: Sums) {
        self.events += other.events;
        self.amount += other.amount;
        self.payout += other.payout;
        self.revenue += other.revenue;
    }

    /// The same with the sign turned: what leaving a cell takes away.
    pub fn negated(self) -> Self {
        Self { events: -self.events, amount: -self.amount, payout: -self.payout, revenue: -self.revenue }
    }

    /// For people: the count, and the money where there is a currency.
    fn to_text(self, currency: Option<Currency>) -> String {
        let money = currency.map(|currency| {
            let [amount, payout, revenue] =
                [self.amount, self.payout, self.revenue].map(|sum| sum_to_decimal(sum, currency));
            format!(" (amount {amount}, payout {payout}, revenue {revenue})")
        });
        format!("{}{}", self.events, money.unwrap_or_default())
    }
}

/// What one commit adds to a partner's totals: each cell once.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Changes(HashMap<TotalKey, Sums, foldhash::fast::RandomState>);

impl Changes {
    /// Adds to a cell.
    pub fn add(&mut self, key: TotalKey, sums: Sums) {
        self.0.entry(key).or_default().add(sums);
    }

    /// True when nothing changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a cell out; zeros if it is not among them.
    pub fn remove(&mut self, key: &TotalKey) -> Sums {
        self.0.remove(key).unwrap_or_default()
    }

    /// The cells.
    pub fn into_cells(self) -> Vec<(TotalKey, Sums)> {
        self.0.into_iter().collect()
    }

    /// The cells, in order.
    pub fn into_sorted_cells(self) -> Vec<(TotalKey, Sums)> {
        let mut cells = self.into_cells();
        cells.sort_unstable_by_key(|(key, _)| *key);
        cells
    }
}

impl FromIterator<(TotalKey, Sums)> for Changes {
    fn from_iter<I: IntoIterator<Item = (TotalKey, Sums)>>(cells: I) -> Self {
        let mut changes = Self::default();
        cells.into_iter().for_each(|(key, sums)| changes.add(key, sums));
        changes
    }
}

/// What the totals say of a cell, and what the rows add up to.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Difference {
    /// The cell.
    #[serde(flatten)]
    pub key: TotalKey,
    /// What reports show.
    pub totals: Sums,
    /// What there is.
    pub rows: Sums,
}

/// One line for people: `... approved advertiser=adv_... currency=EUR: the totals say 2 (amount 99.80, ...), the rows 1 (...)`.
impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        write!(formatter, "{} {} advertiser={}", key.hour, key.kind, key.advertiser_id)?;
        for (name, id) in [
            ("campaign", key.campaign_id.map(|id| id.to_string())),
            ("creative", key.creative_id.map(|id| id.to_string())),
            ("link", key.link_id.map(|id| id.to_string())),
            ("publisher", key.publisher_id.map(|id| id.to_string())),
            ("goal", key.goal_id.map(|id| id.to_string())),
            ("currency", key.currency.map(|currency| currency.to_string())),
        ] {
            if let Some(id) = id {
                write!(formatter, " {name}={id}")?;
            }
        }
        let [totals, rows] = [self.totals, self.rows].map(|sums| sums.to_text(key.currency));
        write!(formatter, ": the totals say {totals}, the rows {rows}")
    }
}

/// How a comparison of cells came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Verified {
    /// Cells that were compared.
    pub cells: u64,
    /// Those of them that differ.
    pub differences: u64,
}

impl Verified {
    /// Counts a cell, and tells of it if its sides differ.
    pub fn check(&mut self, cell: Difference, tell: impl FnOnce(&Difference)) {
        self.cells += 1;
        if cell.totals != cell.rows {
            self.differences += 1;
            tell(&cell);
        }
    }

    /// Adds another comparison's counts.
    pub fn add(&mut self, other: Self) {
        self.cells += other.cells;
        self.differences += other.differences;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Id;
    use proptest::prelude::*;

    const SALE: Sums = Sums { events: 1, amount: 40_000_000, payout: 5_000_000, revenue: 8_000_000 };

    fn cell(hour: i64, kind: &str) -> TotalKey {
        TotalKey {
            hour: Timestamp::from_seconds(hour * 3_600),
            kind: Kind::parse(kind).unwrap(),
            advertiser_id: AdvertiserId::from_bytes([1; 16]),
            campaign_id: None,
            creative_id: None,
            link_id: None,
            publisher_id: None,
            goal_id: None,
            currency: Currency::parse("EUR"),
        }
    }

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        let classes =
            ClickClass::ALL.iter().flat_map(|class| [Kind::Click(*class), Kind::Impression(*class)]);
        let statuses = ConversionStatus::ALL.iter();
        let statuses = statuses.flat_map(|status| [Kind::Conversion(*status), Kind::Rebill(*status)]);
        let kinds: Vec<_> =
            classes.chain(statuses).chain([Kind::NoConsent, Kind::ImpressionNoConsent]).collect();
        for kind in &kinds {
            assert_eq!(Kind::parse(&kind.to_string()), Some(*kind));
        }
        assert_eq!(kinds.iter().filter(|kind| !kind.has_rows()).count(), 2);
        assert_eq!(["", "impression_", "rebill_human", "Human"].map(Kind::parse), [None; 4]);
    }

    #[test]
    fn sums_add_up() {
        let mut sum = Sums::ONE;
        sum.add(SALE);
        assert_eq!(sum, Sums { events: 2, ..SALE });
    }

    #[test]
    fn sums_are_larger_than_any_amount() {
        let most = Sums { amount: i64::MAX.into(), ..SALE };
        let mut sum = most;
        (0..999).for_each(|_| sum.add(most));
        assert_eq!((sum.events, sum.amount), (1_000, i128::from(i64::MAX) * 1_000));
    }

    #[test]
    fn each_cell_is_changed_once_and_cells_are_in_order() {
        let late = cell(2, "approved");
        let changes = Changes::from_iter([(late, SALE), (cell(1, "human"), Sums::ONE), (late, SALE)]);
        let mut twice = SALE;
        twice.add(SALE);
        assert_eq!(changes.into_sorted_cells(), [(cell(1, "human"), Sums::ONE), (late, twice)]);
    }

    #[test]
    fn cells_that_differ_in_one_member_are_kept_apart() {
        let dollars = TotalKey { currency: Currency::parse("USD"), ..cell(1, "approved") };
        let changes =
            Changes::from_iter([cell(1, "approved"), cell(1, "pending"), dollars].map(|key| (key, SALE)));
        assert_eq!(changes.into_cells().len(), 3);
    }

    #[test]
    fn nothing_changes_until_something_is_added() {
        let mut changes = Changes::default();
        assert!(changes.is_empty());
        changes.add(cell(1, "human"), Sums::ONE);
        assert!(!changes.is_empty());
    }

    #[test]
    fn only_cells_that_differ_are_told() {
        let (mut verified, mut told) = (Verified::default(), Vec::new());
        for totals in [Sums::ONE, SALE] {
            verified.check(Difference { key: cell(1, "human"), totals, rows: Sums::ONE }, |difference| {
                told.push(difference.totals);
            });
        }
        assert_eq!((verified, told), (Verified { cells: 2, differences: 1 }, vec![SALE]));
    }

    #[test]
    fn the_stored_form_does_not_change_between_releases() {
        let stored = serde_json::json!([
            {
                "hour": "1970-01-01T01:00:00Z", "kind": "approved", "advertiser_id": "adv_040g2081040g2081040g208104",
                "campaign_id": null, "creative_id": null, "link_id": null, "publisher_id": null, "goal_id": null,
                "currency": "EUR",
            },
            { "events": 1, "amount": 40_000_000, "payout": 5_000_000, "revenue": 8_000_000 },
        ]);
        assert_eq!(serde_json::to_value((cell(1, "approved"), SALE)).unwrap(), stored);
        assert_eq!(serde_json::from_value::<(TotalKey, Sums)>(stored).unwrap(), (cell(1, "approved"), SALE));
    }

    proptest! {
        #[test]
        fn what_leaves_a_cell_takes_away_what_it_added(events in -9i64..9, sums in any::<[i32; 3]>()) {
            let [amount, payout, revenue] = sums.map(i128::from);
            let added = Sums { events, amount, payout, revenue };
            let mut sum = SALE;
            sum.add(added);
            sum.add(added.negated());
            prop_assert_eq!(sum, SALE);
        }
    }
}
