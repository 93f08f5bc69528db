//! A conversion as the decision leaves it: who is credited, what it is worth, where it stands and why.

use serde_json::{Map, Value};

use super::{
    attribution::{self, Credit, Facts, GenuineClick, KeyPowers, Proof},
    click_id::{ClickId, Touch},
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
    /// It came with a static token that works from everywhere.
    pub const WEAK_TOKEN: &str = "weak_token";
    /// Its signature does not hold, and the advertiser only observes.
    pub const SIGNATURE_NOT_ENFORCED: &str = "signature_not_enforced";
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
    /// The click or the impression.
    pub click_id: ClickId,
    /// Which of the two it is.
    pub touch: Touch,
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
    let doubts = doubts(report, &facts.key, goal, click);
    let decided = decided(report, &doubts);
    let hold_until = Some(report.event_time.plus_seconds(goal.hold_seconds))
        .filter(|end| goal.hold_seconds > 0 && *end > facts.received_at)
        .filter(|_| decided == ConversionStatus::Approved && !skips_hold(report, &facts.key));
    let status = if hold_until.is_some() { ConversionStatus::OnHold } else { decided };
    Counted {
        advertiser_id: facts.advertiser_id,
        goal_id: goal.id,
        count_key: attribution::count_key(goal.counting, click.id, report.order_id.as_deref()),
        click_id: click.id,
        touch: click.touch,
        credit: click.credit.clone(),
        order_id: report.order_id.clone(),
        customer_id: report.customer_id.clone(),
        status,
        flags: flags(report, &facts.key, status, doubts),
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

fn decided(report: &Report, doubts: &[&str]) -> ConversionStatus {
    match report.status {
        Some(ConversionStatus::Rejected) => ConversionStatus::Rejected,
        _ if doubts.is_empty() => ConversionStatus::Approved,
        _ => ConversionStatus::Pending,
    }
}

/// The doubts, and what else the sender should know.
fn flags(report: &Report, key: &KeyPowers, status: ConversionStatus, doubts: Vec<&str>) -> Vec<String> {
    let refused_wish = report.status == Some(ConversionStatus::Approved)
        && !key.may_decide_status
        && status != ConversionStatus::Approved;
    let remarks = [
        (!report.unknown.is_empty()).then_some(flag::UNKNOWN_PARAMETER),
        refused_wish.then_some(flag::STATUS_NOT_PERMITTED),
        matches!(key.proof, Proof::NotEnforced(_)).then_some(flag::SIGNATURE_NOT_ENFORCED),
    ];
    doubts.into_iter().chain(remarks.into_iter().flatten()).map(str::to_owned).collect()
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
        (key.proof == Proof::WeakToken).then_some(flag::WEAK_TOKEN),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        attribution::ClickFacts,
        click_id::LinkNumber,
        goal::{Counting, MoneyRule},
        ids::{CampaignId, Id, LinkId},
        parameters::Parameters,
        postback::Form,
    };

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn counted(query: &str) -> Counted {
        let parameters = Parameters::from_urlencoded(&format!("goal=sale&click_id=abc&{query}")).unwrap();
        let report = Report::parse(&parameters, Form::Query, NOW).unwrap();
        let goal = goal();
        let advertiser_id = AdvertiserId::from_bytes([1; 16]);
        let credit = Credit {
            advertiser_id,
            campaign_id: CampaignId::from_bytes([2; 16]),
            creative_id: None,
            link_id: LinkId::from_bytes([3; 16]),
            publisher_id: None,
        };
        let id = ClickId::mint(NOW, LinkNumber(1), [0; 6]);
        let row = Some(ClickClass::Human);
        let click =
            GenuineClick { touch: Touch::Click, id, row, credit: &credit, campaign_status: Status::Active };
        let facts = Facts {
            publisher_is_permitted: true,
            received_at: NOW,
            key: KeyPowers::default(),
            advertiser_id,
            goals: Vec::new(),
            click: ClickFacts::NotSent,
            same_key: None,
            same_order: None,
        };
        count(&report, &facts, &goal, &click)
    }

    fn goal() -> GoalRules {
        GoalRules {
            id: GoalId::from_bytes([4; 16]),
            advertiser_id: None,
            event_name: "sale".to_owned(),
            status: Status::Active,
            counting: Counting::PerOrder,
            default_status: DefaultStatus::Approved,
            payout: MoneyRule::Fixed(Micros(5)),
            revenue: MoneyRule::Dynamic,
            currency: None,
            click_window_seconds: 86_400,
            view_window_seconds: 0,
            reporting_delay_seconds: 86_400,
            hold_seconds: 0,
            hold_end: HoldEnd::Approve,
        }
    }

    #[test]
    fn each_status_has_its_code() {
        for (status, code) in [
            (ConversionStatus::Approved, Code::Accepted),
            (ConversionStatus::Rejected, Code::Accepted),
            (ConversionStatus::Pending, Code::AcceptedPending),
            (ConversionStatus::OnHold, Code::AcceptedOnHold),
        ] {
            assert_eq!(Counted { status, ..counted("order_id=o1") }.code(), code);
        }
    }

    #[test]
    fn what_the_report_says_is_kept() {
        let counted =
            counted("order_id=o1&customer_id=c1&amount=49.90&currency=USD&coupon=SAVE&adv_sub1=red");
        assert_eq!((counted.order_id.as_deref(), counted.customer_id.as_deref()), (Some("o1"), Some("c1")));
        assert_eq!(counted.count_key, "order:o1");
        assert_eq!((counted.amount, counted.currency), (Some(Micros(49_900_000)), Currency::parse("USD")));
        assert_eq!((counted.payout, counted.revenue), (Micros(5), Micros(49_900_000)));
        assert_eq!(Value::from(counted.extras), serde_json::json!({"coupon": "SAVE", "adv_sub1": "red"}));
    }

    #[test]
    fn what_is_not_said_about_the_time_happened_now() {
        assert_eq!(counted("order_id=o1").event_time, NOW);
    }

    #[test]
    fn flags_come_after_the_doubts() {
        let counted = counted("order_id=o1&status=pending&utm_source=x");
        assert_eq!(counted.flags, [flag::REQUESTED_PENDING, flag::UNKNOWN_PARAMETER]);
    }
}
