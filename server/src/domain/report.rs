//! Reports: cells of the totals, grouped by what the caller asks for. Exact; nothing is guessed or spread.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    conversion::ConversionStatus,
    currency::Currency,
    money::divide_half_even,
    time::Timestamp,
    totals::{Kind, Sums, TotalKey},
    visitor::ClickClass,
    words::words,
};

/// Stands for the campaign, the creative and the link of conversions that only a publisher is credited with.
pub const NOT_LINKED: &str = "(not linked)";

words! {
    /// What a report can be grouped by.
    Dimension {
        /// The hour, UTC.
        Hour = "hour",
        /// The day, UTC.
        Day = "day",
        /// The advertiser.
        Advertiser = "advertiser",
        /// The campaign.
        Campaign = "campaign",
        /// The creative.
        Creative = "creative",
        /// The link.
        Link = "link",
        /// The publisher.
        Publisher = "publisher",
        /// The goal; clicks have none.
        Goal = "goal",
    }
}

impl Dimension {
    /// The value of a cell; none where the cell has none.
    fn of(self, key: &TotalKey) -> Option<String> {
        match self {
            Self::Hour => Some(key.hour.to_string()),
            Self::Day => Some(date(key.hour)),
            Self::Advertiser => Some(key.advertiser_id.to_string()),
            Self::Campaign | Self::Creative | Self::Link if key.link_id.is_none() => {
                Some(NOT_LINKED.to_owned())
            }
            Self::Campaign => key.campaign_id.map(|id| id.to_string()),
            Self::Creative => key.creative_id.map(|id| id.to_string()),
            Self::Link => key.link_id.map(|id| id.to_string()),
            Self::Publisher => key.publisher_id.map(|id| id.to_string()),
            Self::Goal => key.goal_id.map(|id| id.to_string()),
        }
    }
}

/// The date of a time, UTC.
fn date(time: Timestamp) -> String {
    time.start_of_day().to_string().chars().take_while(|c| *c != 'T').collect()
}

/// Conversions and their money in one currency, or without money.
pub type ByStatus = BTreeMap<ConversionStatus, Sums>;

/// One row of a report.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Row {
    /// Clicks by class.
    pub clicks: BTreeMap<ClickClass, i64>,
    /// Clicks without consent.
    pub no_consent_clicks: i64,
    /// Impressions by people.
    pub impressions: i64,
    /// Impressions by machines, prefetched ones, those of links out of use and those without consent.
    pub filtered_impressions: i64,
    /// Conversions by currency and status, but for rebills.
    pub conversions: BTreeMap<Option<Currency>, ByStatus>,
    /// Conversions by customers that came again, likewise.
    pub rebills: BTreeMap<Option<Currency>, ByStatus>,
    /// How many of the valid conversions no click led to.
    pub not_linked: i64,
    /// The payouts of what clicks led to and is valid, by currency.
    pub linked_payouts: BTreeMap<Option<Currency>, i128>,
}

impl Row {
    fn add(&mut self, key: &TotalKey, sums: Sums) {
        match key.kind {
            Kind::Click(class) => *self.clicks.entry(class).or_default() += sums.events,
            Kind::NoConsent => self.no_consent_clicks += sums.events,
            Kind::Impression(ClickClass::Human) => self.impressions += sums.events,
            Kind::Impression(_) | Kind::ImpressionNoConsent => self.filtered_impressions += sums.events,
            Kind::Conversion(status) => {
                self.conversions.entry(key.currency).or_default().entry(status).or_default().add(sums);
                self.add_valid(key, status, sums);
            }
            Kind::Rebill(status) => {
                self.rebills.entry(key.currency).or_default().entry(status).or_default().add(sums);
                self.add_valid(key, status, sums);
            }
        }
    }

    fn add_valid(&mut self, key: &TotalKey, status: ConversionStatus, sums: Sums) {
        if !VALID.contains(&status) {
            return;
        }
        match key.link_id {
            Some(_) => *self.linked_payouts.entry(key.currency).or_default() += sums.payout,
            None => self.not_linked += sums.events,
        }
    }

    /// Clicks of one class.
    pub fn clicks(&self, class: ClickClass) -> i64 {
        self.clicks.get(&class).copied().unwrap_or(0)
    }

    /// Conversions with one status, in any currency.
    pub fn conversions(&self, status: ConversionStatus) -> i64 {
        events(&self.conversions, status)
    }

    /// Rebills with one status, in any currency.
    pub fn rebills(&self, status: ConversionStatus) -> i64 {
        events(&self.rebills, status)
    }

    /// Every currency that there is money in.
    pub fn currencies(&self) -> BTreeSet<Currency> {
        self.conversions.keys().chain(self.rebills.keys()).filter_map(|currency| *currency).collect()
    }

    /// Valid conversions that clicks led to, per click; none where there are no clicks. Rebills are no conversions of their
    /// own.
    pub fn conversion_rate(&self) -> Option<f64> {
        let clicks = self.clicks(ClickClass::Human);
        let valid: i64 = VALID.iter().map(|status| self.conversions(*status)).sum();
        // Counts are far below 2^53, where a float is exact; money never becomes one.
        (clicks > 0).then(|| (valid - self.not_linked) as f64 / clicks as f64)
    }

    /// What publishers earn per click, of what clicks led to, rounded half to even to the micro; none where there are no
    /// clicks.
    pub fn earnings_per_click(&self, currency: Currency) -> Option<i128> {
        let clicks = i128::from(self.clicks(ClickClass::Human));
        let payouts = self.linked_payouts.get(&Some(currency)).copied().unwrap_or_default();
        (clicks > 0).then(|| divide_half_even(payouts, clicks))
    }
}

fn events(by_currency: &BTreeMap<Option<Currency>, ByStatus>, status: ConversionStatus) -> i64 {
    by_currency.values().filter_map(|by_status| by_status.get(&status)).map(|sums| sums.events).sum()
}

/// The statuses that are or may become payable.
pub const VALID: [ConversionStatus; 3] =
    [ConversionStatus::Approved, ConversionStatus::Pending, ConversionStatus::OnHold];

/// The sums over the statuses that are or may become payable.
pub fn valid_sums(by_status: &ByStatus) -> Sums {
    let mut sum = Sums::default();
    VALID.iter().filter_map(|status| by_status.get(status)).for_each(|sums| sum.add(*sums));
    sum
}

/// Groups cells. Rows come in the order of their dimensions' values.
pub fn group(cells: &[(TotalKey, Sums)], dimensions: &[Dimension]) -> Vec<(Vec<Option<String>>, Row)> {
    let mut rows: BTreeMap<Vec<Option<String>>, Row> = BTreeMap::new();
    for (key, sums) in cells {
        let values = dimensions.iter().map(|dimension| dimension.of(key)).collect();
        rows.entry(values).or_default().add(key, *sums);
    }
    rows.into_iter().collect()
}

/// Adds all cells up.
pub fn total(cells: &[(TotalKey, Sums)]) -> Row {
    let mut row = Row::default();
    cells.iter().for_each(|(key, sums)| row.add(key, *sums));
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{AdvertiserId, CampaignId, GoalId, Id, LinkId, PublisherId};

    /// A click on 22 November 2026 at so many hours, UTC.
    fn click(hour: i64, class: ClickClass) -> (TotalKey, Sums) {
        let midnight = Timestamp::parse("2026-11-22T00:00:00Z").unwrap();
        let key = TotalKey {
            hour: midnight.plus_seconds(hour * 3_600),
            kind: Kind::Click(class),
            advertiser_id: AdvertiserId::from_bytes([1; 16]),
            campaign_id: Some(CampaignId::from_bytes([2; 16])),
            creative_id: None,
            link_id: Some(LinkId::from_bytes([3; 16])),
            publisher_id: Some(PublisherId::from_bytes([4; 16])),
            goal_id: None,
            currency: None,
        };
        (key, Sums::ONE)
    }

    fn conversion(hour: i64, status: ConversionStatus, currency: &str) -> (TotalKey, Sums) {
        let key = TotalKey {
            kind: Kind::Conversion(status),
            goal_id: Some(GoalId::from_bytes([5; 16])),
            currency: Currency::parse(currency),
            ..click(hour, ClickClass::Human).0
        };
        (key, Sums { events: 1, amount: 40, payout: 5, revenue: 8 })
    }

    fn valid(row: &Row) -> i64 {
        VALID.iter().map(|status| row.conversions(*status)).sum()
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn clicks_are_counted_by_class() {
        let row =
            total(&[click(1, ClickClass::Human), click(2, ClickClass::Human), click(1, ClickClass::Bot)]);
        assert_eq!(ClickClass::ALL.iter().map(|class| row.clicks(*class)).collect::<Vec<_>>(), [2, 1, 0, 0]);
        assert!(row.conversions.is_empty());
    }

    #[test]
    fn impressions_and_refusals_are_no_clicks() {
        let of_kind = |kind| (TotalKey { kind, ..click(1, ClickClass::Human).0 }, Sums::ONE);
        let row = total(&[
            of_kind(Kind::Impression(ClickClass::Human)),
            of_kind(Kind::Impression(ClickClass::Bot)),
            of_kind(Kind::ImpressionNoConsent),
            of_kind(Kind::NoConsent),
        ]);
        assert_eq!((row.impressions, row.filtered_impressions, row.no_consent_clicks), (1, 2, 1));
        assert_eq!(row.conversion_rate(), None);
    }

    #[test]
    fn currencies_are_never_added_up() {
        let approved = ConversionStatus::Approved;
        let row = total(&[
            conversion(1, approved, "EUR"),
            conversion(2, approved, "EUR"),
            conversion(1, approved, "USD"),
            conversion(1, approved, "none"),
        ]);
        let payouts: Vec<_> =
            row.conversions.iter().map(|(currency, sums)| (*currency, valid_sums(sums).payout)).collect();
        let (euro, dollar) = (Currency::parse("EUR"), Currency::parse("USD"));
        assert_eq!(payouts, [(None, 5), (euro, 10), (dollar, 5)]);
        assert_eq!(row.conversions(approved), 4);
    }

    #[test]
    fn what_is_never_payable_is_not_valid() {
        let each: Vec<_> = ConversionStatus::ALL.iter().map(|status| conversion(1, *status, "EUR")).collect();
        let row = total(&each);
        assert_eq!(valid(&row), 3);
        let sums = valid_sums(&row.conversions[&Currency::parse("EUR")]);
        assert_eq!(sums, Sums { events: 3, amount: 120, payout: 15, revenue: 24 });
        assert_eq!(row.conversions(ConversionStatus::Reversed), 1);
    }

    #[test]
    fn the_rate_is_about_valid_conversions_and_clicks_of_people() {
        let row = total(&[
            click(1, ClickClass::Human),
            click(2, ClickClass::Human),
            click(1, ClickClass::Bot),
            conversion(1, ConversionStatus::OnHold, "EUR"),
            conversion(1, ConversionStatus::Rejected, "EUR"),
        ]);
        assert_eq!(row.conversion_rate(), Some(0.5));
    }

    #[test]
    fn without_clicks_there_is_no_rate() {
        assert_eq!(Row::default().conversion_rate(), None);
        let row = total(&[click(1, ClickClass::Bot), conversion(1, ConversionStatus::Approved, "EUR")]);
        assert_eq!(row.conversion_rate(), None);
    }

    #[test]
    fn rebills_are_counted_apart_and_paid_all_the_same() {
        let (key, sums) = conversion(1, ConversionStatus::Approved, "EUR");
        let rebill = TotalKey { kind: Kind::Rebill(ConversionStatus::Approved), ..key };
        let row = total(&[click(1, ClickClass::Human), (key, sums), (rebill, sums)]);
        assert_eq!((valid(&row), row.rebills(ConversionStatus::Approved)), (1, 1));
        assert_eq!(row.conversion_rate(), Some(1.0));
        assert_eq!(row.earnings_per_click(Currency::parse("EUR").unwrap()), Some(10));
    }

    #[test]
    fn what_no_click_led_to_stands_in_rows_of_its_own() {
        let (key, sums) = conversion(1, ConversionStatus::Approved, "EUR");
        let alone = TotalKey { campaign_id: None, creative_id: None, link_id: None, ..key };
        let cells = [click(1, ClickClass::Human), (key, sums), (alone, sums)];
        for dimension in [Dimension::Campaign, Dimension::Creative, Dimension::Link] {
            let rows = group(&cells, &[dimension]);
            let (_, row) = rows.iter().find(|(values, _)| values[0].as_deref() == Some(NOT_LINKED)).unwrap();
            let euro = Currency::parse("EUR").unwrap();
            assert_eq!((valid(row), row.conversion_rate(), row.earnings_per_click(euro)), (1, None, None));
        }
        assert_eq!(total(&cells).conversion_rate(), Some(1.0), "it is not spread over clicks");
    }

    #[test]
    fn a_conversion_that_changed_its_status_is_in_one_place() {
        let (held, sums) = conversion(1, ConversionStatus::OnHold, "EUR");
        let left = (held, sums.negated());
        let row = total(&[(held, sums), left, conversion(1, ConversionStatus::Approved, "EUR")]);
        assert_eq!(row.conversions(ConversionStatus::OnHold), 0);
        assert_eq!(valid_sums(&row.conversions[&Currency::parse("EUR")]), sums);
    }

    #[test]
    fn rows_are_grouped_and_in_order() {
        let cells = [
            click(25, ClickClass::Human),
            click(2, ClickClass::Human),
            conversion(23, ConversionStatus::Approved, "EUR"),
        ];
        let rows = group(&cells, &[Dimension::Day]);
        let days: Vec<_> =
            rows.iter().map(|(values, row)| (values[0].as_deref(), row.clicks(ClickClass::Human))).collect();
        assert_eq!(days, [(Some("2026-11-22"), 1), (Some("2026-11-23"), 1)]);
        assert_eq!(valid(&rows[0].1), 1);
        assert_eq!(group(&cells, &[Dimension::Hour])[0].0, [some("2026-11-22T02:00:00Z")]);
    }

    #[test]
    fn values_stand_in_the_order_of_the_dimensions() {
        let (key, sums) = conversion(1, ConversionStatus::Approved, "EUR");
        let rows = group(&[(key, sums)], Dimension::ALL);
        let expected = [
            some("2026-11-22T01:00:00Z"),
            some("2026-11-22"),
            Some(key.advertiser_id.to_string()),
            key.campaign_id.map(|id| id.to_string()),
            None,
            key.link_id.map(|id| id.to_string()),
            key.publisher_id.map(|id| id.to_string()),
            key.goal_id.map(|id| id.to_string()),
        ];
        assert_eq!(rows[0].0, expected);
    }

    #[test]
    fn clicks_are_never_spread_over_goals() {
        let cells = [click(1, ClickClass::Human), conversion(1, ConversionStatus::Approved, "EUR")];
        let rows = group(&cells, &[Dimension::Goal]);
        let rates: Vec<_> =
            rows.iter().map(|(goal, row)| (goal[0].is_some(), row.conversion_rate())).collect();
        assert_eq!(rates, [(false, Some(0.0)), (true, None)]);
    }

    #[test]
    fn one_row_without_dimensions_is_the_total() {
        let cells = [click(1, ClickClass::Human), conversion(1, ConversionStatus::Approved, "EUR")];
        assert_eq!(group(&cells, &[]), [(vec![], total(&cells))]);
        assert!(group(&[], &[]).is_empty());
    }
}
