//! A conversion as the decision leaves it: who is credited, what it is worth, where it stands and why.

use serde_json::{Map, Value};

use super::{
    attribution,
    code::Code,
    conversion::{ConversionStatus, MatchMode},
    facts::{CreditedClick, Facts, KeyPowers, NamedPublisher, Proof},
    flags::{self as flag, contradictions},
    goal::{DefaultStatus, GoalRules, HoldEnd},
    goal_caps::Cap,
    ids::{AdvertiserId, GoalId, PublisherId},
    matching::{self, Source},
    postback::Report,
    pricing::Price,
    setup::Status,
    time::Timestamp,
    visitor::ClickClass,
};

/// A conversion to be written.
#[derive(Clone, PartialEq, Debug)]
pub struct Counted {
    /// Whose conversion.
    pub advertiser_id: AdvertiserId,
    /// What it counts for.
    pub goal_id: GoalId,
    /// What makes it unique for its advertiser and goal.
    pub count_key: String,
    /// The way it was matched.
    pub match_mode: MatchMode,
    /// The click or the impression that it is credited to; none where only the publisher is known.
    pub click: Option<CreditedClick>,
    /// Who is credited.
    pub publisher_id: Option<PublisherId>,
    /// The advertiser's id of the sale.
    pub order_id: Option<String>,
    /// The advertiser's id of the customer.
    pub customer_id: Option<String>,
    /// Where it stands.
    pub status: ConversionStatus,
    /// Why, and what else is noteworthy.
    pub flags: Vec<String>,
    /// What it is worth, and by which rules.
    pub price: Price,
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
    /// Makes it wait for a decision, because its goal has taken all that a cap allows. What is rejected stays so.
    pub fn put_over(&mut self, cap: Cap) {
        if self.status != ConversionStatus::Rejected {
            self.status = ConversionStatus::Pending;
            self.hold_until = None;
            self.flags.extend([flag::OVER_CAP.to_owned(), format!("cap:{cap}")]);
        }
    }

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
pub(super) fn count(
    report: &Report,
    facts: &Facts,
    goal: &GoalRules,
    source: Source<'_>,
    price: Price,
) -> Counted {
    let doubts = doubts(report, facts, goal, source);
    let decided = decided(report, &facts.key, &doubts);
    let hold_until = Some(report.event_time.plus_seconds(goal.hold_seconds))
        .filter(|end| goal.hold_seconds > 0 && *end > facts.received_at)
        .filter(|_| decided == ConversionStatus::Approved && !skips_hold(report, &facts.key));
    let status = if hold_until.is_some() { ConversionStatus::OnHold } else { decided };
    let named = report.click_id.as_ref().and(click_of(source)).map(|click| click.id);
    Counted {
        advertiser_id: facts.advertiser_id,
        goal_id: goal.id,
        count_key: attribution::count_key(goal.counting, named, report.order_id.as_deref()),
        match_mode: matching::mode(report),
        click: click_of(source).cloned(),
        publisher_id: source.place().publisher,
        order_id: report.order_id.clone(),
        customer_id: report.customer_id.clone(),
        status,
        flags: flags(report, facts, goal, (source, status), doubts),
        price,
        event_time: report.event_time,
        hold_until,
        hold_end: goal.hold_end,
        extras: report.extras.clone(),
    }
}

fn click_of(source: Source<'_>) -> Option<&CreditedClick> {
    match source {
        Source::Click(click) => Some(click),
        Source::Publisher(_) => None,
    }
}

/// Only a key that may decide a status can ask for a conversion to be final at once.
fn skips_hold(report: &Report, key: &KeyPowers) -> bool {
    report.status == Some(ConversionStatus::Approved) && key.may_decide_status
}

/// What a weak token brings is never final, not even as a rejection: it would take the place of the genuine report.
fn decided(report: &Report, key: &KeyPowers, doubts: &[&str]) -> ConversionStatus {
    match report.status {
        _ if key.proof == Proof::WeakToken => ConversionStatus::Pending,
        Some(ConversionStatus::Rejected) => ConversionStatus::Rejected,
        _ if doubts.is_empty() => ConversionStatus::Approved,
        _ => ConversionStatus::Pending,
    }
}

/// The doubts, and what else the sender should know.
fn flags(
    report: &Report,
    facts: &Facts,
    goal: &GoalRules,
    (source, status): (Source<'_>, ConversionStatus),
    doubts: Vec<&'static str>,
) -> Vec<String> {
    let refused_wish = report.status == Some(ConversionStatus::Approved)
        && !facts.key.may_decide_status
        && status != ConversionStatus::Approved;
    let remarks = [
        (!report.unknown.is_empty()).then_some(flag::UNKNOWN_PARAMETER),
        refused_wish.then_some(flag::STATUS_NOT_PERMITTED),
        is_too_fast(report, goal, source).then_some(flag::TOO_FAST),
        matches!(facts.key.proof, Proof::NotEnforced(_)).then_some(flag::SIGNATURE_NOT_ENFORCED),
    ];
    let remarks = remarks.into_iter().flatten().chain(contradictions(report, facts, source));
    doubts.into_iter().chain(remarks).map(str::to_owned).collect()
}

/// Faster after the click than the goal takes for possible.
fn is_too_fast(report: &Report, goal: &GoalRules, source: Source<'_>) -> bool {
    let shortest = goal.minimum_click_to_conversion_seconds;
    let age = click_of(source).map(|click| report.event_time.seconds_since(click.id.minted_at()));
    // An event in the click's own second may look older than the click: clicks are timed more finely.
    shortest > 0 && age.is_some_and(|age| age < shortest)
}

/// Everything that makes a conversion wait for a decision.
fn doubts(report: &Report, facts: &Facts, goal: &GoalRules, source: Source<'_>) -> Vec<&'static str> {
    let needs_approval = goal.default_status == DefaultStatus::Pending && !skips_hold(report, &facts.key);
    let is_rebill = matching::mode(report) == MatchMode::Customer;
    let has_come_enough = is_rebill && goal.max_rebills.is_some_and(|most| facts.customer.rebills >= most);
    let is_blocked = facts.publisher == NamedPublisher::NotNamed
        && source.place().publisher.is_some_and(|publisher| !facts.rules.permits(publisher));
    [
        needs_approval.then_some(flag::GOAL_NEEDS_APPROVAL),
        (report.status == Some(ConversionStatus::Pending)).then_some(flag::REQUESTED_PENDING),
        click_of(source)
            .filter(|click| click.campaign_status != Status::Active)
            .map(|_| flag::CAMPAIGN_PAUSED),
        click_of(source).and_then(doubt_of_click),
        is_blocked.then_some(flag::PUBLISHER_BLOCKED),
        has_come_enough.then_some(flag::OVER_MAX_REBILLS),
        (facts.key.proof == Proof::WeakToken).then_some(flag::WEAK_TOKEN),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn doubt_of_click(click: &CreditedClick) -> Option<&'static str> {
    match click.row {
        None => Some(flag::CLICK_ROW_MISSING),
        Some(ClickClass::Bot) => Some(flag::BOT_CLICK),
        Some(ClickClass::Prefetch) => Some(flag::PREFETCH_CLICK),
        Some(ClickClass::Invalid) => Some(flag::INVALID_CLICK),
        Some(ClickClass::Human) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::domain::{
        click_id::{ClickId, LinkNumber, Touch},
        currency::Currency,
        facts::{ClickFacts, Credit, CustomerFacts},
        goal::{self, Counting, MoneyRule},
        ids::{CampaignId, Id, LinkId},
        money::Micros,
        parameters::Parameters,
        postback::Form,
        pricing,
        rate::Rates,
    };

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn counted(query: &str) -> Counted {
        let money = if query.contains("amount=") { "" } else { "&amount=1&currency=EUR" };
        let query = format!("goal=sale&click_id=abc&{query}{money}");
        let parameters = Parameters::from_urlencoded(&query).unwrap();
        let report = Report::parse(&parameters, Form::Query, NOW).unwrap();
        let goal = GoalRules {
            counting: Counting::PerOrder,
            payout: MoneyRule::Fixed(Micros(5)),
            revenue: MoneyRule::Dynamic,
            ..goal::plain()
        };
        let advertiser_id = AdvertiserId::from_bytes([1; 16]);
        let credit = Credit {
            advertiser_id,
            campaign_id: CampaignId::from_bytes([2; 16]),
            creative_id: None,
            link_id: LinkId::from_bytes([3; 16]),
            publisher_id: None,
        };
        let click = CreditedClick {
            touch: Touch::Click,
            id: ClickId::mint(NOW, LinkNumber(1), [0; 6]),
            row: Some(ClickClass::Human),
            credit,
            country: None,
            campaign_status: Status::Active,
        };
        let facts = Facts {
            received_at: NOW,
            key: KeyPowers::default(),
            advertiser_id,
            rules: Arc::default(),
            rates: Rates::default(),
            publisher: NamedPublisher::NotNamed,
            click: ClickFacts::NotSent,
            customer: CustomerFacts::default(),
            leads: Vec::new(),
            same_key: None,
            same_order: None,
        };
        let source = Source::Click(&click);
        let price = pricing::price(&report, &goal, source.place(), &facts).unwrap();
        count(&report, &facts, &goal, source, price)
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
        let worth = counted.price.worth;
        assert_eq!(
            (worth.amount, counted.price.terms.currency),
            (Some(Micros(49_900_000)), Currency::parse("USD"))
        );
        assert_eq!((worth.payout, worth.revenue), (Micros(5), Micros(49_900_000)));
        assert_eq!(Value::from(counted.extras), serde_json::json!({"coupon": "SAVE", "adv_sub1": "red"}));
    }

    #[test]
    fn what_is_not_said_about_the_time_happened_now() {
        assert_eq!(counted("order_id=o1").event_time, NOW);
    }

    #[test]
    fn what_is_over_a_cap_waits_unless_it_is_rejected() {
        let mut held = Counted {
            status: ConversionStatus::OnHold,
            hold_until: Some(NOW.plus_seconds(60)),
            ..counted("order_id=o1")
        };
        held.put_over(Cap::PayoutPerMonth);
        assert_eq!((held.status, held.hold_until), (ConversionStatus::Pending, None));
        assert_eq!(held.flags, [flag::OVER_CAP, "cap:payout_per_month"]);
        let mut rejected = Counted { status: ConversionStatus::Rejected, ..counted("order_id=o1") };
        rejected.put_over(Cap::PayoutPerMonth);
        assert_eq!((rejected.status, rejected.flags.len()), (ConversionStatus::Rejected, 0));
    }

    #[test]
    fn flags_come_after_the_doubts() {
        let counted = counted("order_id=o1&status=pending&utm_source=x");
        assert_eq!(counted.flags, [flag::REQUESTED_PENDING, flag::UNKNOWN_PARAMETER]);
    }
}
