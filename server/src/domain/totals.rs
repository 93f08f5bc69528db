//! What a click or a conversion adds to the totals that reports read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    ids::{AdvertiserId, CampaignId, CreativeId, GoalId, LinkId, PublisherId},
    currency::Currency,
    money::Micros,
    time::Timestamp,
};

/// One cell of the totals: an hour, what is counted, and everything a report can ask for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct TotalKey {
    /// Start of the hour, UTC.
    pub hour: Timestamp,
    /// A click's class or a conversion's status.
    pub kind: String,
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
    /// Reported amounts.
    pub amount: Micros,
    /// What publishers earn.
    pub payout: Micros,
    /// What the partner earns.
    pub revenue: Micros,
}

impl Sums {
    /// One event without money.
    pub const ONE: Self = Self { events: 1, amount: Micros(0), payout: Micros(0), revenue: Micros(0) };

    /// Adds up; sums saturate rather than wrap.
    pub fn add(&mut self, other: Sums) {
        self.events = self.events.saturating_add(other.events);
        for (sum, more) in [
            (&mut self.amount, other.amount),
            (&mut self.payout, other.payout),
            (&mut self.revenue, other.revenue),
        ] {
            sum.0 = sum.0.saturating_add(more.0);
        }
    }

    /// The same with the sign turned: what leaving a cell takes away.
    pub fn negated(self) -> Self {
        Self {
            events: -self.events,
            amount: Micros(-self.amount.0),
            payout: Micros(-self.payout.0),
            revenue: Micros(-self.revenue.0),
        }
    }
}

/// What one commit adds to a partner's totals: each cell once.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Changes(BTreeMap<TotalKey, Sums>);

impl Changes {
    /// Adds to a cell.
    pub fn add(&mut self, key: TotalKey, sums: Sums) {
        self.0.entry(key).or_default().add(sums);
    }

    /// True when nothing changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The cells, in order.
    pub fn into_cells(self) -> Vec<(TotalKey, Sums)> {
        self.0.into_iter().collect()
    }
}

impl FromIterator<(TotalKey, Sums)> for Changes {
    fn from_iter<I: IntoIterator<Item = (TotalKey, Sums)>>(cells: I) -> Self {
        let mut changes = Self::default();
        cells.into_iter().for_each(|(key, sums)| changes.add(key, sums));
        changes
    }
}
