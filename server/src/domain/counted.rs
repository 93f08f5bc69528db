//! A conversion as the decision leaves it: who is credited, what it is worth, where it stands and why.

use serde_json::{Map, Value};

use super::{
    attribution::{self, Credit, Facts, GenuineClick, KeyPowers},
    click_id::ClickId,
    code::Code,
    conversion::ConversionStatus,
    currency::Currency,
    goal::{DefaultStatus, GoalRules, HoldEnd},
    ids::{AdvertiserId, GoalId},
    money::Micros,
    postback::Report,
    setup::Status,
    time::Timestamp,
    visitor::ClickClass,
};

/// Why a conversion waits for a decision, or what is noteworthy about it. The words are the answer's `flags`.
pub mod flag {
    /// The goal wants every conversion decided.
    pub const GOAL_NEEDS_APPROVAL: &str = "goal_needs_approval";
    /// The advertiser asked for `pending`.
    pub const REQUESTED_PENDING: &str = "requested_pending";
    /// The campaign was paused or archived after the click.
    pub const CAMPAIGN_PAUSED: &str = "campaign_paused";
    /// The click was a bot's.
    pub const BOT_CLICK: &str = "bot_click";
    /// The click was a browser's prefetch.
    pub const PREFETCH_CLICK: &str = "prefetch_click";
    /// The click came through a paused or ended link.
    pub const INVALID_CLICK: &str = "invalid_click";
    /// The click id is genuine, its row is not there.
    pub const CLICK_ROW_MISSING: &str = "click_row_missing";
    /// The report has parameters that mean nothing to us.
    pub const UNKNOWN_PARAMETER: &str = "unknown_parameter";
    /// `status=approved` came with a key that may not decide it.
    pub const STATUS_NOT_PERMITTED: &str = "status_not_permitted";
}

/// A conversion to be written.
#[derive(Clone, PartialEq, Debug)]
pub struct Counted {
    /// Whose conversion.
    pub advertiser_id: AdvertiserId,
    /// What it counts for.
    pub goal_id: GoalId,
    /// What makes it unique for its advertiser and goal.
    pub count_key: String,
    /// The click.
    pub click_id: ClickId,
    /// Who is credited.
    pub credit: Credit,
    /// The advertiser's id of the sale.
    pub order_id: Option<String>,
    /// The advertiser's id of the customer.
    pub customer_id: Option<String>,
    /// Where it stands.
    pub status: ConversionStatus,
    /// Why, and what else is noteworthy.
    pub flags: Vec<String>,
    /// What was reported.
    pub amount: Option<Micros>,
    /// The currency of all three sums; none when there is no money in it.
    pub currency: Option<Currency>,
    /// What the publisher earns.
    pub payout: Micros,
    /// What the partner earns.
    pub revenue: Micros,
    /// When it happened.
    pub event_time: Timestamp,
    /// When its hold ends, while it is on hold.
    pub hold_until: Option<Timestamp>,
    /// What the end of the hold means.
    pub hold_end: HoldEnd,
    /// What is only stored.
    pub extras: Map<String, Value>,
}

impl Counted {
    /// The code that answers the report.
    pub fn code(&self) -> Code {
        match self.status {
            ConversionStatus::Pending => Code::AcceptedPending,
            ConversionStatus::OnHold => Code::AcceptedOnHold,
            _ => Code::Accepted,
        }
    }
}

/// Makes the conversion of a report that counts.
pub(super) fn count(report: &Report, facts: &Facts, goal: &GoalRules, click: &GenuineClick<'_>) -> Counted {
    let (status, flags) = standing(report, &facts.key, goal, click);
    let hold_until = Some(report.event_time.plus_seconds(goal.hold_seconds))
        .filter(|end| status == ConversionStatus::Approved && *end > facts.received_at)
        .filter(|_| !skips_hold(report, &facts.key));
    Counted {
        advertiser_id: facts.advertiser_id,
        goal_id: goal.id,
        count_key: attribution::count_key(goal.counting, click.id, report.order_id.as_deref()),
        click_id: click.id,
        credit: click.credit.clone(),
        order_id: report.order_id.clone(),
        customer_id: report.customer_id.clone(),
        status: if hold_until.is_some() { ConversionStatus::OnHold } else { status },
        flags,
        amount: report.amount,
        currency: report.amount.and(report.currency).or(goal.currency),
        payout: goal.payout.of(report.amount),
        revenue: goal.revenue.of(report.amount),
        event_time: report.event_time,
        hold_until,
        hold_end: goal.hold_end,
        extras: report.extras.clone(),
    }
}

/// Only a key that may decide a status can ask for a conversion to be final at once.
fn skips_hold(report: &Report, key: &KeyPowers) -> bool {
    report.status == Some(ConversionStatus::Approved) && key.may_decide_status
}

fn standing(
    report: &Report,
    key: &KeyPowers,
    goal: &GoalRules,
    click: &GenuineClick<'_>,
) -> (ConversionStatus, Vec<String>) {
    let doubts = doubts(report, key, goal, click);
    let status = match report.status {
        Some(ConversionStatus::Rejected) => ConversionStatus::Rejected,
        _ if doubts.is_empty() => ConversionStatus::Approved,
        _ => ConversionStatus::Pending,
    };
    let refused_wish = report.status == Some(ConversionStatus::Approved)
        && !key.may_decide_status
        && (goal.hold_seconds > 0 || status != ConversionStatus::Approved);
    let remarks = [
        (!report.unknown.is_empty()).then_some(flag::UNKNOWN_PARAMETER),
        refused_wish.then_some(flag::STATUS_NOT_PERMITTED),
    ];
    let flags = doubts.into_iter().chain(remarks.into_iter().flatten()).map(str::to_owned).collect();
    (status, flags)
}

/// Everything that makes a conversion wait for a decision.
fn doubts(report: &Report, key: &KeyPowers, goal: &GoalRules, click: &GenuineClick<'_>) -> Vec<&'static str> {
    let needs_approval = goal.default_status == DefaultStatus::Pending && !skips_hold(report, key);
    let click_doubt = match click.row {
        None => Some(flag::CLICK_ROW_MISSING),
        Some(ClickClass::Bot) => Some(flag::BOT_CLICK),
        Some(ClickClass::Prefetch) => Some(flag::PREFETCH_CLICK),
        Some(ClickClass::Invalid) => Some(flag::INVALID_CLICK),
        Some(ClickClass::Human) => None,
    };
    [
        needs_approval.then_some(flag::GOAL_NEEDS_APPROVAL),
        (report.status == Some(ConversionStatus::Pending)).then_some(flag::REQUESTED_PENDING),
        (click.campaign_status != Status::Active).then_some(flag::CAMPAIGN_PAUSED),
        click_doubt,
    ]
    .into_iter()
    .flatten()
    .collect()
}
