//! What a list is asked for: which rows, after which one, how many.

use crate::domain::{
    answer::Outcome,
    click_id::ClickId,
    code::Code,
    conversion::ConversionStatus,
    currency::Currency,
    ids::{AdvertiserId, CampaignId, GoalId, LinkId, PostbackId, PublisherId},
    setup::Status,
    time::Timestamp,
};

/// A page of a list, newest first. Filters that a table has no column for are left alone.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The id of the last row of the page before.
    pub after: Option<[u8; 16]>,
    /// How many rows; one more is read to know whether there are more.
    pub limit: usize,
    /// Only set-up rows with this status; none: all that are not archived.
    pub status: Option<Status>,
    /// Only conversions with this status.
    pub conversion_status: Option<ConversionStatus>,
    /// Only this order.
    pub order_id: Option<String>,
    /// Only this advertiser's.
    pub advertiser_id: Option<AdvertiserId>,
    /// Only this campaign's.
    pub campaign_id: Option<CampaignId>,
    /// Only this link's.
    pub link_id: Option<LinkId>,
    /// Only this publisher's.
    pub publisher_id: Option<PublisherId>,
    /// Only this goal's.
    pub goal_id: Option<GoalId>,
}

impl Listing {
    /// The limit for the query.
    pub fn rows(&self) -> i64 {
        i64::try_from(self.limit).map_or(i64::MAX, |limit| limit.saturating_add(1))
    }
}

/// Which lines of the log of postbacks.
#[derive(Clone, Debug, Default)]
pub struct PostbackFilter {
    /// Those that can be judged again, or only the others.
    pub rerunnable: Option<bool>,
    /// Those with one of these codes; none: all.
    pub codes: Vec<Code>,
    /// Those that were refused, or those that were not.
    pub result: Option<Outcome>,
    /// Those of this advertiser.
    pub advertiser_id: Option<AdvertiserId>,
    /// Those of this goal.
    pub goal_id: Option<GoalId>,
    /// Those of this click.
    pub click_id: Option<ClickId>,
    /// Those of this order.
    pub order_id: Option<String>,
    /// Those that came from here on.
    pub received_from: Option<Timestamp>,
    /// Those that came before.
    pub received_to: Option<Timestamp>,
    /// What test keys signed, or what the others did.
    pub test: bool,
}

/// A page of exchange rates, latest day first.
#[derive(Clone, Debug, Default)]
pub struct RateListing {
    /// Only from this currency.
    pub base: Option<Currency>,
    /// Only into this currency.
    pub quote: Option<Currency>,
    /// Only from this day on.
    pub from: Option<Timestamp>,
    /// Only up to this day.
    pub to: Option<Timestamp>,
    /// The last one of the page before.
    pub after: Option<(Timestamp, Currency, Currency)>,
    /// How many.
    pub rows: i64,
}

/// A position in a history as the cursor of a list holds it.
pub fn cursor_of(position: i64) -> [u8; 16] {
    i128::from(position).to_be_bytes()
}

/// The position that a cursor holds.
pub fn position_of(cursor: [u8; 16]) -> i64 {
    i64::try_from(i128::from_be_bytes(cursor)).unwrap_or(0)
}

/// Which conversions are decided about together.
#[derive(Clone, Debug)]
pub struct ConversionFilter {
    /// Those with this status.
    pub status: ConversionStatus,
    /// Those that were counted before.
    pub counted_before: Timestamp,
    /// Those of events from here on.
    pub event_from: Option<Timestamp>,
    /// Those of events before.
    pub event_to: Option<Timestamp>,
    /// Those with this flag.
    pub flag: Option<String>,
    /// Those of this advertiser.
    pub advertiser_id: Option<AdvertiserId>,
    /// Those of this campaign.
    pub campaign_id: Option<CampaignId>,
    /// Those of this publisher.
    pub publisher_id: Option<PublisherId>,
    /// Those of this goal.
    pub goal_id: Option<GoalId>,
}

/// Which refused lines of the log are to be judged again.
#[derive(Clone, Debug, Default)]
pub struct RerunFilter {
    /// Those with one of these outcomes; empty: any.
    pub codes: Vec<String>,
    /// Those of this advertiser.
    pub advertiser_id: Option<AdvertiserId>,
    /// Those that named this goal.
    pub goal_id: Option<GoalId>,
    /// Those that named a goal so, whether there was one or not.
    pub goal: Option<String>,
    /// Those that came at this time or later.
    pub received_from: Option<Timestamp>,
    /// Those that came before.
    pub received_to: Option<Timestamp>,
    /// Those after this one.
    pub after: Option<PostbackId>,
}

/// Narrows a boxed query by filters that may be absent: `narrow!(query, filter.link_id => clicks::link_id)`.
macro_rules! narrow {
    ($query:ident, $($value:expr => $column:expr),* $(,)?) => {{
        $(if let Some(value) = $value { $query = $query.filter($column.eq(value)); })*
        $query
    }};
}
pub(crate) use narrow;
