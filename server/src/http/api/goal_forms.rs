//! Goals on the wire: what is sent, and what is shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    goal_money::GoalMoney,
    goal_rules::{GoalCapsView, GoalOverride},
};
use crate::{
    db::rows::setup::Goal,
    domain::{
        conversion::MatchMode,
        currency::Currency,
        goal::{Counting, DefaultStatus, HoldEnd},
        ids::{AdvertiserId, CampaignId, GoalId},
        setup::Status,
        time::Timestamp,
    },
    http::fields::{not_null, present},
};

/// A new goal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"event_name": "purchase", "advertiser_id": "adv_01kayw5m8hfz2v6y0t3n7r9q4c", "count": "per_order", "payout": {"type": "percent", "percent": "10"}, "revenue": {"type": "percent", "percent": "12.5"}, "hold_seconds": 1209600})))]
pub struct CreateGoal {
    /// The name that postbacks send, byte for byte: 1 to 100 bytes.
    #[schema(required, value_type = String)]
    pub event_name: Option<String>,
    /// A name for people; the event name by default.
    pub name: Option<String>,
    /// Your own id, unique among your goals; use it as `ext:...` wherever its id is taken.
    pub external_id: Option<String>,
    /// The advertiser it is for: its id, or `ext:` and your own. Without one it serves all of your advertisers.
    pub advertiser_id: Option<String>,
    /// How often a click converts; `once` by default.
    #[schema(value_type = Option<Counting>)]
    pub count: Option<String>,
    /// What a conversion starts as; `approved` by default.
    #[schema(value_type = Option<DefaultStatus>)]
    pub default_status: Option<String>,
    /// What the publisher earns; nothing by default.
    pub payout: Option<GoalMoney>,
    /// What you earn; nothing by default.
    pub revenue: Option<GoalMoney>,
    /// The currency of fixed sums and of caps on payouts, and the only one that amounts may be in. Without it, amounts may be
    /// in any currency. For an advertiser with a currency of its own, amounts and fixed sums in any other are converted.
    #[schema(value_type = Option<Currency>)]
    pub currency: Option<String>,
    /// Longest time from click to event, in seconds; 30 days (2592000) by default.
    #[schema(minimum = 1, maximum = 315360000)]
    pub click_window_seconds: Option<i64>,
    /// Longest time from impression to event, in seconds; usual are 24 hours (86400). 0, the default: impressions are
    /// credited with nothing.
    #[schema(minimum = 0, maximum = 315360000)]
    pub view_window_seconds: Option<i64>,
    /// Longest time from event to postback, in seconds; 120 days (10368000) by default.
    #[schema(minimum = 1, maximum = 315360000)]
    pub reporting_delay_seconds: Option<i64>,
    /// Refund period from the event on, in seconds; 0 by default.
    #[schema(minimum = 0, maximum = 315360000)]
    pub hold_seconds: Option<i64>,
    /// What the end of the hold means; `approve` by default.
    #[schema(value_type = Option<HoldEnd>)]
    pub hold_end: Option<String>,
    /// The ways to match that the goal allows: `transaction` (`click_id`), `customer` (`customer_id`, once it is bound to a
    /// click), `partner` (`publisher_id` and `order_id`, without a click). `transaction` and `customer` by default.
    #[schema(value_type = Option<Vec<MatchMode>>)]
    pub modes: Option<Vec<String>>,
    /// The only campaigns it is for: their ids, or `ext:` and your own. All by default.
    pub campaign_ids: Option<Vec<String>>,
    /// Other money for some publishers or countries; at most 1000.
    pub overrides: Option<Vec<GoalOverride>>,
    /// How much it takes; everything by default.
    pub caps: Option<GoalCapsView>,
    /// Longest time from the bound click to an event of its customer, in seconds; 365 days (31536000) by default.
    #[schema(minimum = 1, maximum = 315360000)]
    pub rebill_window_seconds: Option<i64>,
    /// How often a customer counts for it without a click; those beyond are `pending` with the flag `over_max_rebills`. Any
    /// number by default.
    #[schema(minimum = 1, maximum = 1000000000)]
    pub max_rebills: Option<i64>,
    /// A conversion that comes sooner after its click gets the flag `too_fast`, in seconds; 0, the default: never.
    #[schema(minimum = 0, maximum = 315360000)]
    pub minimum_click_to_conversion_seconds: Option<i64>,
}

/// What to change about a goal; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"status": "paused"})))]
pub struct UpdateGoal {
    /// The name that postbacks send.
    #[serde(default, deserialize_with = "not_null")]
    pub event_name: Option<String>,
    /// A name for people.
    #[serde(default, deserialize_with = "not_null")]
    pub name: Option<String>,
    /// Your own id; null clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub external_id: Option<Option<String>>,
    /// Whether it takes part.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<Status>)]
    pub status: Option<String>,
    /// How often a click converts.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<Counting>)]
    pub count: Option<String>,
    /// What a conversion starts as.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<DefaultStatus>)]
    pub default_status: Option<String>,
    /// What the publisher earns.
    #[serde(default, deserialize_with = "not_null")]
    pub payout: Option<GoalMoney>,
    /// What you earn.
    #[serde(default, deserialize_with = "not_null")]
    pub revenue: Option<GoalMoney>,
    /// The currency; null: any.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Currency>)]
    pub currency: Option<Option<String>>,
    /// Longest time from click to event, in seconds.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(minimum = 1, maximum = 315360000)]
    pub click_window_seconds: Option<i64>,
    /// Longest time from impression to event, in seconds; 0: impressions are credited with nothing.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(minimum = 0, maximum = 315360000)]
    pub view_window_seconds: Option<i64>,
    /// Longest time from event to postback, in seconds.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(minimum = 1, maximum = 315360000)]
    pub reporting_delay_seconds: Option<i64>,
    /// Refund period, in seconds.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(minimum = 0, maximum = 315360000)]
    pub hold_seconds: Option<i64>,
    /// What the end of the hold means.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<HoldEnd>)]
    pub hold_end: Option<String>,
    /// The ways to match that the goal allows.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<Vec<MatchMode>>)]
    pub modes: Option<Vec<String>>,
    /// The only campaigns it is for; an empty list: all.
    #[serde(default, deserialize_with = "not_null")]
    pub campaign_ids: Option<Vec<String>>,
    /// Other money for some publishers or countries: the whole list.
    #[serde(default, deserialize_with = "not_null")]
    pub overrides: Option<Vec<GoalOverride>>,
    /// How much it takes: all caps; null: everything. What came before counts.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<GoalCapsView>)]
    pub caps: Option<Option<GoalCapsView>>,
    /// Longest time from the bound click to an event of its customer, in seconds.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(minimum = 1, maximum = 315360000)]
    pub rebill_window_seconds: Option<i64>,
    /// How often a customer counts for it without a click; null: any number.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1000000000)]
    pub max_rebills: Option<Option<i64>>,
    /// A conversion that comes sooner after its click is flagged, in seconds; 0: never.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(minimum = 0, maximum = 315360000)]
    pub minimum_click_to_conversion_seconds: Option<i64>,
}

/// A goal.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"id": "gol_01kayw5m8hfz2v6y0t3n7r9q4c", "advertiser_id": "adv_01kayw5m8hfz2v6y0t3n7r9q4c", "external_id": null, "event_name": "purchase", "name": "purchase", "status": "active", "count": "per_order", "default_status": "approved", "payout": {"type": "percent", "percent": "10"}, "revenue": {"type": "percent", "percent": "12.5"}, "currency": null, "click_window_seconds": 2592000, "view_window_seconds": 0, "reporting_delay_seconds": 10368000, "hold_seconds": 1209600, "hold_end": "approve", "modes": ["transaction", "customer"], "campaign_ids": [], "overrides": [], "caps": {"conversions_per_day": 100, "conversions_per_month": null, "conversions_total": null, "payout_per_day": null, "payout_per_month": null, "payout_total": null}, "rebill_window_seconds": 31536000, "max_rebills": null, "minimum_click_to_conversion_seconds": 0, "created_at": "2026-11-22T10:00:00Z", "updated_at": "2026-11-22T10:00:00Z"})))]
pub struct GoalView {
    /// Its id.
    id: GoalId,
    /// The advertiser it is for; null: all of yours.
    advertiser_id: Option<AdvertiserId>,
    /// Your own id.
    external_id: Option<String>,
    /// The name that postbacks send, byte for byte.
    event_name: String,
    /// A name for people.
    name: String,
    /// Whether it takes part.
    status: Status,
    /// How often a click converts.
    count: Counting,
    /// What a conversion starts as.
    default_status: DefaultStatus,
    /// What the publisher earns.
    payout: GoalMoney,
    /// What you earn.
    revenue: GoalMoney,
    /// The currency of fixed sums and of amounts; null: any.
    currency: Option<Currency>,
    /// Longest time from click to event, in seconds.
    click_window_seconds: i64,
    /// Longest time from impression to event, in seconds; 0: impressions are credited with nothing.
    view_window_seconds: i64,
    /// Longest time from event to postback, in seconds.
    reporting_delay_seconds: i64,
    /// Refund period from the event on, in seconds.
    hold_seconds: i64,
    /// What the end of the hold means.
    hold_end: HoldEnd,
    /// The ways to match that the goal allows.
    modes: Vec<MatchMode>,
    /// The only campaigns it is for; none: all.
    campaign_ids: Vec<CampaignId>,
    /// Other money for some publishers or countries.
    overrides: Vec<GoalOverride>,
    /// How much it takes; what is null has no cap.
    caps: GoalCapsView,
    /// Longest time from the bound click to an event of its customer, in seconds.
    rebill_window_seconds: i64,
    /// How often a customer counts for it without a click; null: any number.
    max_rebills: Option<i64>,
    /// A conversion that comes sooner after its click gets the flag `too_fast`, in seconds; 0: never.
    minimum_click_to_conversion_seconds: i64,
    /// When it was made.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
}

impl From<Goal> for GoalView {
    fn from(row: Goal) -> Self {
        let rules = row.rules();
        Self {
            payout: GoalMoney::of(rules.payout, row.currency),
            revenue: GoalMoney::of(rules.revenue, row.currency),
            id: row.id,
            advertiser_id: row.advertiser_id,
            external_id: row.external_id,
            event_name: row.event_name,
            name: row.name,
            status: row.status,
            default_status: row.default_status,
            currency: row.currency,
            click_window_seconds: row.click_window_seconds,
            view_window_seconds: row.view_window_seconds,
            reporting_delay_seconds: row.reporting_delay_seconds,
            hold_seconds: row.hold_seconds,
            hold_end: row.hold_end,
            created_at: row.created_at,
            updated_at: row.updated_at,
            count: row.counting,
            overrides: row.overrides.0.iter().map(|one| GoalOverride::of(one, row.currency)).collect(),
            caps: GoalCapsView::of(row.caps.0, row.currency),
            modes: row.modes.0,
            campaign_ids: row.campaign_ids.0,
            rebill_window_seconds: row.rebill_window_seconds,
            max_rebills: row.max_rebills,
            minimum_click_to_conversion_seconds: row.minimum_click_to_conversion_seconds,
        }
    }
}
