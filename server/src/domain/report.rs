//! Reports: cells of the totals, grouped by what the caller asks for. Exact; nothing is guessed or spread.

use std::collections::BTreeMap;

use super::{
    conversion::ConversionStatus,
    currency::Currency,
    time::Timestamp,
    totals::{Sums, TotalKey},
    visitor::ClickClass,
    words::words,
};

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
    /// Conversions by currency and status.
    pub conversions: BTreeMap<Option<Currency>, ByStatus>,
}

impl Row {
    fn add(&mut self, key: &TotalKey, sums: Sums) {
        if let Some(class) = ClickClass::parse(&key.kind) {
            *self.clicks.entry(class).or_default() += sums.events;
        } else if let Some(status) = ConversionStatus::parse(&key.kind) {
            self.conversions.entry(key.currency).or_default().entry(status).or_default().add(sums);
        }
    }

    /// Clicks of one class.
    pub fn clicks(&self, class: ClickClass) -> i64 {
        self.clicks.get(&class).copied().unwrap_or(0)
    }

    /// Conversions with one status, in any currency.
    pub fn conversions(&self, status: ConversionStatus) -> i64 {
        self.conversions.values().filter_map(|by_status| by_status.get(&status)).map(|sums| sums.events).sum()
    }

    /// Conversions that are or may become payable.
    pub fn valid_conversions(&self) -> i64 {
        VALID.iter().map(|status| self.conversions(*status)).sum()
    }

    /// Valid conversions per click; none where there are no clicks.
    pub fn conversion_rate(&self) -> Option<f64> {
        let clicks = self.clicks(ClickClass::Human);
        // Counts are far below 2^53, where a float is exact; money never becomes one.
        (clicks > 0).then(|| self.valid_conversions() as f64 / clicks as f64)
    }
}

/// The statuses that are or may become payable.
const VALID: [ConversionStatus; 3] =
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
