//! What the decision comes to, outcome by outcome, in the order in which it is made.
//! Loading facts and writing verdicts is tested where it is done, on real databases.

use proptest::{option, prelude::*, sample::select};
use serde_json::{Map, json};

use super::*;
use std::sync::Arc;

use crate::domain::{
    advertiser_rules::AdvertiserRules,
    click_id::{ClickIdError, LinkNumber, Touch},
    conversion::ConversionStatus,
    flags as flag,
    goal::{self, DefaultStatus, HoldEnd, LONGEST_SECONDS, MoneyRule},
    ids::{AdvertiserId, CampaignId, ConversionId, CreativeId, GoalId, Id, LinkId, PublisherId, Reference},
    money::Percent,
    postback::Intent,
    rate::Rates,
    time::Timestamp,
    visitor::ClickClass,
};

const DAY: i64 = 86_400;
const CLICKED: Timestamp = Timestamp::from_seconds(1_790_000_000);
/// Every flag that makes a conversion wait.
const DOUBTS: [&str; 7] = [
    flag::GOAL_NEEDS_APPROVAL,
    flag::REQUESTED_PENDING,
    flag::CAMPAIGN_PAUSED,
    flag::CLICK_ROW_MISSING,
    flag::BOT_CLICK,
    flag::PREFETCH_CLICK,
    flag::INVALID_CLICK,
];

/// The decision, without its trace.
fn decide(report: &Report, facts: &Facts) -> Result<Verdict, Refusal> {
    super::decide(report, facts, &mut Trace::default())
}

fn shop() -> AdvertiserId {
    AdvertiserId::from_bytes([1; 16])
}

fn other_shop() -> AdvertiserId {
    AdvertiserId::from_bytes([2; 16])
}

fn currency(code: &str) -> Option<Currency> {
    Some(Currency::parse(code).unwrap())
}

fn units(whole: i64) -> Micros {
    Micros(whole * 1_000_000)
}

/// A sale an hour after the click, without an amount.
fn sale() -> Report {
    Report {
        advertiser: None,
        goal: "sale".to_owned(),
        click_id: Some("as it came".to_owned()),
        customer_id: None,
        publisher: None,
        order_id: None,
        amount: None,
        currency: None,
        status: None,
        event_time: CLICKED.plus_seconds(3_600),
        extras: Map::new(),
        intent: Intent::Count,
        unknown: Vec::new(),
    }
}

fn sale_of(amount: Micros, code: &str) -> Report {
    Report { amount: Some(amount), currency: currency(code), ..sale() }
}

fn sale_asking_for(status: ConversionStatus) -> Report {
    Report { status: Some(status), ..sale() }
}

fn order(id: &str) -> Report {
    Report { order_id: Some(id.to_owned()), ..sale() }
}

/// 5 EUR for the publisher, 8 EUR for the partner, once per click, no hold.
fn goal() -> GoalRules {
    GoalRules {
        id: GoalId::from_bytes([3; 16]),
        payout: MoneyRule::Fixed(units(5)),
        revenue: MoneyRule::Fixed(units(8)),
        currency: currency("EUR"),
        click_window_seconds: 30 * DAY,
        reporting_delay_seconds: 120 * DAY,
        ..goal::plain()
    }
}

fn goal_named(name: &str) -> GoalRules {
    GoalRules { event_name: name.to_owned(), ..goal() }
}

fn goal_with_hold(seconds: i64) -> GoalRules {
    GoalRules { hold_seconds: seconds, ..goal() }
}

fn goal_with_approval() -> GoalRules {
    GoalRules { default_status: DefaultStatus::Pending, ..goal() }
}

fn clicked_at(time: Timestamp) -> ClickId {
    ClickId::mint(time, LinkNumber(7), [9; 6])
}

fn click_of(id: ClickId, advertiser_id: AdvertiserId, row: Option<ClickClass>) -> ClickFacts {
    let credit = Credit {
        advertiser_id,
        campaign_id: CampaignId::from_bytes([4; 16]),
        creative_id: Some(CreativeId::from_bytes([5; 16])),
        link_id: LinkId::from_bytes([6; 16]),
        publisher_id: Some(PublisherId::from_bytes([7; 16])),
    };
    ClickFacts::Genuine(CreditedClick {
        touch: Touch::Click,
        id,
        row,
        credit,
        country: None,
        campaign_status: Status::Active,
    })
}

fn click(row: Option<ClickClass>) -> ClickFacts {
    click_of(clicked_at(CLICKED), shop(), row)
}

/// A person's click, and a report of it that came ten seconds after the sale.
fn facts() -> Facts {
    Facts {
        received_at: CLICKED.plus_seconds(3_610),
        key: KeyPowers::default(),
        advertiser_id: shop(),
        rules: rules(vec![goal()]),
        rates: Rates::default(),
        publisher: NamedPublisher::NotNamed,
        click: click(Some(ClickClass::Human)),
        customer: CustomerFacts::default(),
        leads: Vec::new(),
        same_key: None,
        same_order: None,
    }
}

fn rules(goals: Vec<GoalRules>) -> Arc<AdvertiserRules> {
    Arc::new(AdvertiserRules { goals, ..AdvertiserRules::default() })
}

fn facts_of(goal: GoalRules) -> Facts {
    Facts { rules: rules(vec![goal]), ..facts() }
}

fn facts_of_click(click: ClickFacts) -> Facts {
    Facts { click, ..facts() }
}

fn with_status_write(facts: Facts) -> Facts {
    Facts { key: KeyPowers { may_decide_status: true, ..facts.key }, ..facts }
}

fn with_campaign(status: Status, mut facts: Facts) -> Facts {
    if let ClickFacts::Genuine(click) = &mut facts.click {
        click.campaign_status = status;
    }
    facts
}

/// What was counted before, for the same click.
fn first(amount: Option<Micros>, currency: Option<Currency>) -> Previous {
    Previous {
        id: ConversionId::from_bytes([8; 16]),
        status: ConversionStatus::Approved,
        click_id: Some(clicked_at(CLICKED)),
        publisher_id: None,
        amount,
        currency,
        hold_until: None,
    }
}

fn first_of_other_click() -> Previous {
    Previous { click_id: Some(clicked_at(CLICKED.plus_seconds(-60))), ..first(None, None) }
}

#[track_caller]
fn count(report: &Report, facts: &Facts) -> Counted {
    match decide(report, facts) {
        Ok(Verdict::Count(counted)) => *counted,
        other => panic!("not counted: {other:?}"),
    }
}

#[track_caller]
fn again(report: &Report, facts: &Facts) -> Previous {
    match decide(report, facts) {
        Ok(Verdict::Again(previous)) => previous,
        other => panic!("not a repetition: {other:?}"),
    }
}

#[track_caller]
fn refuse(report: &Report, facts: &Facts) -> Refusal {
    decide(report, facts).expect_err("it should be refused")
}

#[test]
fn a_report_that_fits_is_counted_for_its_click() {
    let report = Report { customer_id: Some("c1".to_owned()), ..order("o1") };
    let counted = count(&report, &facts());
    assert_eq!((counted.code(), counted.status), (Code::Accepted, ConversionStatus::Approved));
    assert_eq!((counted.advertiser_id, counted.goal_id), (shop(), goal().id));
    assert_eq!(counted.click.as_ref().unwrap().id, clicked_at(CLICKED));
    assert_eq!(counted.publisher_id, Some(PublisherId::from_bytes([7; 16])));
    assert_eq!((counted.order_id.as_deref(), counted.customer_id.as_deref()), (Some("o1"), Some("c1")));
    assert_eq!((counted.event_time, counted.hold_until), (report.event_time, None));
    assert!(counted.flags.is_empty(), "{:?}", counted.flags);
}

#[test]
fn a_name_in_another_case_is_no_match_and_the_nearest() {
    let facts = Facts { rules: rules(vec![goal_named("sales"), goal()]), ..facts() };
    let refusal = refuse(&Report { goal: "Sale".to_owned(), ..sale() }, &facts);
    assert_eq!(refusal.code, Code::GoalMismatch);
    assert_eq!(refusal.detail, "No goal has the event name `Sale`.");
    assert_eq!(refusal.facts["nearest"], json!(["sale", "sales"]));
    assert_eq!(refusal.hint.unwrap(), "Did you mean `sale`? Names are compared byte for byte.");
}

#[test]
fn a_space_belongs_to_a_name() {
    assert_eq!(refuse(&Report { goal: "sale ".to_owned(), ..sale() }, &facts()).code, Code::GoalMismatch);
}

#[test]
fn a_name_like_no_other_gets_no_suggestion() {
    let refusal = refuse(&Report { goal: "subscription".to_owned(), ..sale() }, &facts());
    assert_eq!((refusal.hint, &refusal.facts["nearest"]), (None, &json!([])));
}

#[test]
fn only_active_goals_are_suggested() {
    let paused = GoalRules { status: Status::Paused, ..goal_named("sales") };
    let facts = Facts { rules: rules(vec![paused, goal()]), ..facts() };
    let refusal = refuse(&Report { goal: "salez".to_owned(), ..sale() }, &facts);
    assert_eq!(refusal.facts["nearest"], json!(["sale"]));
}

#[test]
fn the_first_goal_of_a_name_decides() {
    let own = GoalRules { id: GoalId::from_bytes([9; 16]), advertiser_id: Some(shop()), ..goal() };
    let facts = Facts { rules: rules(vec![own.clone(), goal()]), ..facts() };
    assert_eq!(count(&sale(), &facts).goal_id, own.id);
}

#[test]
fn a_goal_that_is_not_active_takes_no_report() {
    for (status, detail) in
        [(Status::Paused, "The goal `sale` is paused."), (Status::Archived, "The goal `sale` is archived.")]
    {
        let refusal = refuse(&sale(), &facts_of(GoalRules { status, ..goal() }));
        assert_eq!((refusal.code, refusal.detail.as_str()), (Code::GoalInactive, detail));
    }
}

#[test]
fn a_mode_that_the_goal_does_not_allow_is_no_match() {
    let by_click = || facts_of(GoalRules { modes: vec![MatchMode::Transaction], ..goal() });
    let by_customer = Report { click_id: None, customer_id: Some("c1".to_owned()), ..order("o1") };
    let publisher = Some(Reference::External("p1".to_owned()));
    let by_publisher = Report { click_id: None, publisher, ..order("o1") };
    for (report, mode, name) in
        [(by_customer, "customer", "customer_id"), (by_publisher, "partner", "publisher_id")]
    {
        let refusal = refuse(&report, &Facts { click: ClickFacts::NotSent, ..by_click() });
        assert_eq!((refusal.code, &refusal.facts["mode"]), (Code::ModeNotAllowed, &json!(mode)));
        assert_eq!(refusal.facts["modes"], json!(["transaction"]));
        let detail = format!("The goal `sale` is matched by `click_id`, not by `{name}`.");
        assert_eq!(refusal.detail, detail);
    }
    let by_publisher = facts_of(GoalRules { modes: vec![MatchMode::Partner], ..goal() });
    assert_eq!(refuse(&sale(), &by_publisher).facts["modes"], json!(["partner"]));
}

#[test]
fn a_goal_per_order_needs_an_order_id() {
    let facts = facts_of(GoalRules { counting: Counting::PerOrder, ..goal() });
    assert_eq!(refuse(&sale(), &facts).code, Code::OrderIdRequired);
    assert_eq!(count(&order("o1"), &facts).code(), Code::Accepted);
}

#[test]
fn money_that_depends_on_the_amount_needs_one() {
    for rule in [MoneyRule::Percent(Percent::from_micros(0)), MoneyRule::Dynamic] {
        for goal in [GoalRules { payout: rule, ..goal() }, GoalRules { revenue: rule, ..goal() }] {
            assert_eq!(refuse(&sale(), &facts_of(goal)).code, Code::AmountRequired);
        }
    }
}

#[test]
fn an_amount_needs_a_currency() {
    let report = Report { currency: None, ..sale_of(units(1), "EUR") };
    assert_eq!(refuse(&report, &facts()).code, Code::CurrencyRequired);
    assert_eq!(
        refuse(&report, &facts_of(GoalRules { currency: None, ..goal() })).code,
        Code::CurrencyRequired,
        "the goal's currency is not guessed to be the report's"
    );
}

#[test]
fn an_amount_must_be_in_the_goals_currency() {
    let refusal = refuse(&sale_of(units(1), "USD"), &facts());
    assert_eq!((refusal.code, &refusal.facts["currency"]), (Code::CurrencyInvalid, &json!("EUR")));
    assert_eq!(refusal.detail, "The goal `sale` takes amounts in EUR; this one is in USD.");
}

#[test]
fn a_currency_without_an_amount_says_nothing() {
    let counted = count(&Report { currency: currency("USD"), ..sale() }, &facts());
    assert_eq!((counted.price.worth.amount, counted.price.terms.currency), (None, currency("EUR")));
}

#[test]
fn a_click_id_of_the_wrong_shape_is_malformed() {
    let malformed = ClickFacts::NotOurs(ClickIdError::Malformed { received: 15 });
    let refusal = refuse(&sale(), &facts_of_click(malformed));
    assert_eq!(refusal.code, Code::ClickIdMalformed);
    assert_eq!(refusal.detail, "The click id is malformed: received 15 of 35 characters.");
}

#[test]
fn a_click_that_the_key_does_not_cover_looks_like_an_invented_one() {
    let key = KeyPowers { advertisers: vec![shop()], ..KeyPowers::default() };
    let theirs = click_of(clicked_at(CLICKED), other_shop(), Some(ClickClass::Human));
    let not_covered = refuse(&sale(), &Facts { key, ..facts_of_click(theirs) });
    assert_eq!(not_covered.code, Code::ClickNotFound);
    assert_eq!(not_covered, refuse(&sale(), &facts_of_click(ClickFacts::NotOurs(ClickIdError::NotGenuine))));
}

#[test]
fn a_covered_click_of_another_advertiser_is_a_mismatch() {
    let theirs = click_of(clicked_at(CLICKED), other_shop(), Some(ClickClass::Human));
    for advertisers in [vec![], vec![shop(), other_shop()]] {
        let key = KeyPowers { advertisers, ..KeyPowers::default() };
        let refusal = refuse(&sale(), &Facts { key, ..facts_of_click(theirs.clone()) });
        assert_eq!(refusal.code, Code::AdvertiserMismatch);
        assert_eq!(refusal.facts["click_advertiser_id"], json!(other_shop()));
    }
}

#[test]
fn a_click_without_a_row_is_purged_after_window_delay_and_margin() {
    let kept = 180 * DAY;
    let missing = |age: i64| Facts { received_at: CLICKED.plus_seconds(age), ..facts_of_click(click(None)) };
    let report = Report { event_time: CLICKED.plus_seconds(30 * DAY), ..sale() };
    assert_eq!(count(&report, &missing(150 * DAY)).flags, [flag::CLICK_ROW_MISSING]);
    assert_eq!(refuse(&report, &missing(kept)).code, Code::ReportingDelayExceeded, "not purged yet");
    let refusal = refuse(&report, &missing(kept + 1));
    assert_eq!(refusal.code, Code::ClickPurged);
    assert_eq!(
        (&refusal.facts["click_age_seconds"], &refusal.facts["kept_seconds"]),
        (&json!(kept + 1), &json!(kept))
    );
    let row = Facts { click: click(Some(ClickClass::Human)), ..missing(kept + 1) };
    assert_eq!(refuse(&report, &row).code, Code::ReportingDelayExceeded, "its row is still there");
}

#[test]
fn a_click_expires_one_second_after_its_window() {
    let facts = Facts { received_at: CLICKED.plus_seconds(31 * DAY), ..facts() };
    let at = |age: i64| Report { event_time: CLICKED.plus_seconds(age), ..sale() };
    assert_eq!(count(&at(30 * DAY), &facts).code(), Code::Accepted);
    let refusal = refuse(&at(30 * DAY + 1), &facts);
    assert_eq!(refusal.code, Code::ClickExpired);
    let (age, window) = (&refusal.facts["age_seconds"], &refusal.facts["window_seconds"]);
    assert_eq!((age, window), (&json!(30 * DAY + 1), &json!(30 * DAY)));
}

#[test]
fn the_window_is_about_the_event_and_not_about_its_report() {
    let late = Facts { received_at: CLICKED.plus_seconds(100 * DAY), ..facts() };
    assert_eq!(count(&sale(), &late).code(), Code::Accepted);
}

#[test]
fn an_event_in_the_second_of_its_click_does_not_precede_it() {
    let clicked = Timestamp::from_millis(CLICKED.millis() + 999);
    let facts = facts_of_click(click_of(clicked_at(clicked), shop(), Some(ClickClass::Human)));
    assert_eq!(count(&Report { event_time: CLICKED, ..sale() }, &facts).code(), Code::Accepted);
    let refusal = refuse(&Report { event_time: CLICKED.plus_seconds(-1), ..sale() }, &facts);
    assert_eq!(refusal.code, Code::ConversionPrecedesClick);
    assert_eq!(refusal.detail, "The event is 1 s older than the click.");
    assert_eq!(refusal.facts["event_time"], json!(CLICKED.plus_seconds(-1)));
    assert_eq!(refusal.facts["clicked_at"], json!(clicked));
}

#[test]
fn a_report_may_take_exactly_the_longest_delay() {
    let after = |delay: i64| Facts { received_at: sale().event_time.plus_seconds(delay), ..facts() };
    assert_eq!(count(&sale(), &after(120 * DAY)).code(), Code::Accepted);
    let refusal = refuse(&sale(), &after(120 * DAY + 1));
    assert_eq!(refusal.code, Code::ReportingDelayExceeded);
    let (delay, longest) = (&refusal.facts["delay_seconds"], &refusal.facts["longest_seconds"]);
    assert_eq!((delay, longest), (&json!(120 * DAY + 1), &json!(120 * DAY)));
}

#[test]
fn the_same_again_is_a_duplicate_wherever_the_first_one_stands_now() {
    for status in ConversionStatus::ALL {
        let previous = Previous { status: *status, ..first(Some(units(50)), currency("EUR")) };
        let facts = Facts { same_key: Some(previous.clone()), ..facts() };
        assert_eq!(again(&sale_of(units(50), "EUR"), &facts), previous);
    }
    let facts = Facts { same_key: Some(first(None, None)), ..facts() };
    let report = Report { currency: currency("USD"), ..order("another") };
    assert_eq!(again(&report, &facts), first(None, None), "without amounts there is nothing to differ in");
}

#[test]
fn the_same_again_is_a_duplicate_whatever_has_changed_since() {
    let changes: [fn(&mut Report, &mut Facts); 4] = [
        |_, facts| Arc::make_mut(&mut facts.rules).goals[0].status = Status::Paused,
        |_, facts| Arc::make_mut(&mut facts.rules).goals[0].click_window_seconds = 1,
        |report, _| report.event_time = CLICKED.plus_seconds(31 * DAY),
        |_, facts| facts.received_at = CLICKED.plus_seconds(190 * DAY),
    ];
    for change in changes {
        let (mut report, mut facts) = (sale(), Facts { same_key: Some(first(None, None)), ..facts() });
        change(&mut report, &mut facts);
        assert_eq!(again(&report, &facts), first(None, None));
    }
}

#[test]
fn another_amount_or_currency_conflicts_and_both_are_told() {
    let euros = || first(Some(Micros(49_900_000)), currency("EUR"));
    for (previous, report, counted, received) in [
        (euros(), sale_of(Micros(59_900_000), "EUR"), "49.90 EUR", "59.90 EUR"),
        (euros(), sale_of(Micros(49_900_000), "USD"), "49.90 EUR", "49.90 USD"),
        (euros(), sale(), "49.90 EUR", "no amount"),
        (first(None, None), sale_of(units(7), "JPY"), "no amount", "7 JPY"),
    ] {
        let facts = Facts { same_key: Some(previous), ..facts_of(GoalRules { currency: None, ..goal() }) };
        let refusal = refuse(&report, &facts);
        assert_eq!(refusal.code, Code::DuplicateConflict);
        assert_eq!(refusal.facts["conversion_id"], json!(ConversionId::from_bytes([8; 16])));
        assert_eq!(
            (&refusal.facts["counted"], &refusal.facts["received"]),
            (&json!(counted), &json!(received))
        );
        assert_eq!(refusal.detail, format!("Counted with {counted}; this report says {received}."));
    }
}

#[test]
fn an_order_of_another_click_stays_there() {
    let not_linked = Previous { click_id: None, ..first(None, None) };
    for previous in [first_of_other_click(), not_linked] {
        for facts in [
            Facts { same_key: Some(previous.clone()), ..facts() },
            Facts { same_order: Some(previous.clone()), ..facts() },
        ] {
            let refusal = refuse(&order("o1"), &facts);
            assert_eq!(refusal.code, Code::OrderAttributedElsewhere);
            assert_eq!(refusal.facts["conversion_id"], json!(previous.id));
        }
    }
}

#[test]
fn the_click_that_was_counted_comes_before_the_order() {
    let same_order = Some(first_of_other_click());
    let facts = Facts { same_key: Some(first(None, None)), same_order, ..facts() };
    assert_eq!(again(&order("o1"), &facts), first(None, None));
}

#[test]
fn the_key_is_the_click_or_the_order() {
    let click = clicked_at(CLICKED);
    let by_click = count_key(Counting::Once, Some(click), Some("o1"));
    assert!(by_click.starts_with("click:") && by_click.len() == 32, "{by_click}");
    assert_eq!(count_key(Counting::PerOrder, Some(click), Some("o1")), "order:o1");
    assert_eq!(count_key(Counting::PerOrder, Some(click), None), by_click);
    assert_ne!(count_key(Counting::Once, Some(clicked_at(CLICKED.plus_seconds(1))), None), by_click);
    assert_eq!(count(&order("o1"), &facts()).count_key, by_click);
}

#[test]
fn each_doubt_makes_a_conversion_wait_and_says_why() {
    for (report, facts, why) in [
        (sale(), facts_of(goal_with_approval()), flag::GOAL_NEEDS_APPROVAL),
        (sale_asking_for(ConversionStatus::Pending), facts(), flag::REQUESTED_PENDING),
        (sale(), with_campaign(Status::Paused, facts()), flag::CAMPAIGN_PAUSED),
        (sale(), with_campaign(Status::Archived, facts()), flag::CAMPAIGN_PAUSED),
        (sale(), facts_of_click(click(None)), flag::CLICK_ROW_MISSING),
        (sale(), facts_of_click(click(Some(ClickClass::Bot))), flag::BOT_CLICK),
        (sale(), facts_of_click(click(Some(ClickClass::Prefetch))), flag::PREFETCH_CLICK),
        (sale(), facts_of_click(click(Some(ClickClass::Invalid))), flag::INVALID_CLICK),
    ] {
        let counted = count(&report, &facts);
        assert_eq!((counted.code(), counted.status), (Code::AcceptedPending, ConversionStatus::Pending));
        assert_eq!(counted.flags, [why]);
    }
}

#[test]
fn all_doubts_are_told() {
    let goal = GoalRules { hold_seconds: DAY, ..goal_with_approval() };
    let facts = Facts { click: click(Some(ClickClass::Bot)), ..facts_of(goal) };
    let counted = count(&sale_asking_for(ConversionStatus::Pending), &with_campaign(Status::Paused, facts));
    let doubts = [flag::GOAL_NEEDS_APPROVAL, flag::REQUESTED_PENDING, flag::CAMPAIGN_PAUSED, flag::BOT_CLICK];
    assert_eq!(counted.flags, doubts);
    assert_eq!(counted.hold_until, None, "what waits for a decision is not on hold as well");
}

#[test]
fn an_unknown_parameter_is_told_and_delays_nothing() {
    let counted = count(&Report { unknown: vec!["utm_source".to_owned()], ..sale() }, &facts());
    assert_eq!(counted.code(), Code::Accepted);
    assert_eq!(counted.flags, [flag::UNKNOWN_PARAMETER]);
}

#[test]
fn a_hold_runs_from_the_event() {
    let counted =
        count(&sale(), &facts_of(GoalRules { hold_end: HoldEnd::Reject, ..goal_with_hold(14 * DAY) }));
    assert_eq!((counted.code(), counted.status), (Code::AcceptedOnHold, ConversionStatus::OnHold));
    assert_eq!(counted.hold_until, Some(sale().event_time.plus_seconds(14 * DAY)));
    assert_eq!(counted.hold_end, HoldEnd::Reject);
    assert!(counted.flags.is_empty(), "{:?}", counted.flags);
}

#[test]
fn a_hold_that_is_over_holds_nothing() {
    let on_time = count(&sale(), &facts_of(goal_with_hold(11)));
    assert_eq!(
        (on_time.code(), on_time.hold_until),
        (Code::AcceptedOnHold, Some(CLICKED.plus_seconds(3_611)))
    );
    let over = count(&sale(), &facts_of(goal_with_hold(10)));
    assert_eq!((over.code(), over.hold_until), (Code::Accepted, None));
}

#[test]
fn a_key_that_may_decide_skips_hold_and_approval() {
    let report = sale_asking_for(ConversionStatus::Approved);
    for goal in [goal_with_hold(DAY), goal_with_approval()] {
        let counted = count(&report, &with_status_write(facts_of(goal)));
        assert_eq!((counted.code(), counted.hold_until), (Code::Accepted, None));
        assert!(counted.flags.is_empty(), "{:?}", counted.flags);
    }
}

#[test]
fn a_key_that_may_decide_skips_nothing_unasked() {
    let facts = with_status_write(facts_of(goal_with_hold(DAY)));
    assert_eq!(count(&sale(), &facts).code(), Code::AcceptedOnHold);
}

#[test]
fn a_key_that_may_decide_cannot_make_a_bot_a_person() {
    let facts = with_status_write(facts_of_click(click(Some(ClickClass::Bot))));
    let counted = count(&sale_asking_for(ConversionStatus::Approved), &facts);
    assert_eq!((counted.code(), counted.flags), (Code::AcceptedPending, vec![flag::BOT_CLICK.to_owned()]));
}

#[test]
fn a_wish_to_approve_without_the_scope_is_told_to_be_in_vain() {
    let report = sale_asking_for(ConversionStatus::Approved);
    let held = count(&report, &facts_of(goal_with_hold(DAY)));
    assert_eq!(
        (held.code(), held.flags),
        (Code::AcceptedOnHold, vec![flag::STATUS_NOT_PERMITTED.to_owned()])
    );
    let waiting = count(&report, &facts_of(goal_with_approval()));
    assert_eq!(waiting.code(), Code::AcceptedPending);
    assert_eq!(waiting.flags, [flag::GOAL_NEEDS_APPROVAL, flag::STATUS_NOT_PERMITTED]);
}

#[test]
fn a_wish_to_approve_what_is_approved_anyway_needs_no_scope() {
    let counted = count(&sale_asking_for(ConversionStatus::Approved), &facts());
    assert_eq!((counted.code(), counted.flags.len()), (Code::Accepted, 0));
}

#[test]
fn a_report_of_a_rejected_sale_is_counted_as_rejected() {
    let report = sale_asking_for(ConversionStatus::Rejected);
    for facts in [facts(), facts_of(goal_with_hold(DAY)), facts_of(goal_with_approval())] {
        let counted = count(&report, &facts);
        assert_eq!((counted.code(), counted.status), (Code::Accepted, ConversionStatus::Rejected));
        assert_eq!(counted.hold_until, None);
    }
}

#[test]
fn fixed_money_does_not_look_at_the_amount() {
    for report in [sale(), sale_of(units(1_000), "EUR")] {
        let counted = count(&report, &facts());
        assert_eq!(
            (counted.price.worth.payout, counted.price.worth.revenue, counted.price.terms.currency),
            (units(5), units(8), currency("EUR"))
        );
        assert_eq!(counted.price.worth.amount, report.amount);
    }
}

#[test]
fn a_percentage_is_an_exact_share_of_the_amount() {
    let percent = |text: &str| MoneyRule::Percent(Percent::parse(text).unwrap());
    let goal = GoalRules { payout: percent("12.5"), revenue: percent("33.3333"), ..goal() };
    let counted = count(&sale_of(Micros(49_900_000), "EUR"), &facts_of(goal));
    assert_eq!(
        (counted.price.worth.payout, counted.price.worth.revenue),
        (Micros(6_237_500), Micros(16_633_317))
    );
    assert_eq!(
        (counted.price.worth.amount, counted.price.terms.currency),
        (Some(Micros(49_900_000)), currency("EUR"))
    );
}

#[test]
fn dynamic_money_is_the_amount_in_its_own_currency() {
    let goal =
        GoalRules { payout: MoneyRule::Dynamic, revenue: MoneyRule::Dynamic, currency: None, ..goal() };
    let counted = count(&sale_of(units(70), "JPY"), &facts_of(goal));
    assert_eq!(
        (counted.price.worth.payout, counted.price.worth.revenue, counted.price.terms.currency),
        (units(70), units(70), currency("JPY"))
    );
}

/// Makes one thing wrong.
type Fault = fn(&mut Report, &mut Facts);

/// Every fault, in the order in which they are looked for. Faults of one step exclude one another.
const STEPS: [&[(Code, Fault)]; 12] = [
    &[(Code::GoalMismatch, |report, _| report.goal = "lead".to_owned())],
    &[(Code::GoalInactive, |_, facts| Arc::make_mut(&mut facts.rules).goals[0].status = Status::Paused)],
    &[(Code::ModeNotAllowed, |_, facts| {
        Arc::make_mut(&mut facts.rules).goals[0].modes = vec![MatchMode::Partner]
    })],
    &[(Code::OrderIdRequired, |_, facts| {
        Arc::make_mut(&mut facts.rules).goals[0].counting = Counting::PerOrder
    })],
    &[
        (Code::AmountRequired, |_, facts| {
            Arc::make_mut(&mut facts.rules).goals[0].payout = MoneyRule::Dynamic
        }),
        (Code::CurrencyRequired, |report, _| report.amount = Some(units(1))),
        (Code::CurrencyInvalid, |report, _| {
            (report.amount, report.currency) = (Some(units(1)), currency("USD"));
        }),
    ],
    &[
        (Code::ClickIdMalformed, |_, facts| {
            facts.click = ClickFacts::NotOurs(ClickIdError::Malformed { received: 15 })
        }),
        (Code::ClickNotFound, |_, facts| facts.click = ClickFacts::NotOurs(ClickIdError::NotGenuine)),
        (Code::AdvertiserMismatch, |_, facts| facts.advertiser_id = other_shop()),
    ],
    &[(Code::PublisherNotPermitted, |_, facts| facts.publisher = NamedPublisher::NotPermitted(None))],
    &[(Code::GoalNotInCampaign, |_, facts| {
        Arc::make_mut(&mut facts.rules).goals[0].campaign_ids = vec![CampaignId::from_bytes([9; 16])];
    })],
    &[(Code::ClickPurged, |_, facts| {
        facts.received_at = CLICKED.plus_seconds(200 * DAY);
        if let ClickFacts::Genuine(click) = &mut facts.click {
            click.row = None;
        }
    })],
    &[
        (Code::ClickExpired, |report, _| report.event_time = CLICKED.plus_seconds(31 * DAY)),
        (Code::ConversionPrecedesClick, |report, _| report.event_time = CLICKED.plus_seconds(-1)),
    ],
    &[(Code::ReportingDelayExceeded, |report, facts| {
        facts.received_at = report.event_time.plus_seconds(190 * DAY);
    })],
    &[
        (Code::DuplicateConflict, |_, facts| facts.same_key = Some(first(Some(units(3)), currency("EUR")))),
        (Code::OrderAttributedElsewhere, |_, facts| facts.same_order = Some(first_of_other_click())),
    ],
];

#[test]
fn of_two_faults_the_earlier_one_is_answered() {
    for (step, faults) in STEPS.iter().enumerate() {
        let later = STEPS[step + 1..].iter().copied().flatten();
        for (code, fault) in *faults {
            for (other_code, other) in later.clone() {
                let (mut report, mut facts) = (sale(), facts());
                fault(&mut report, &mut facts);
                assert_eq!(refuse(&report, &facts).code, *code, "alone");
                other(&mut report, &mut facts);
                assert_eq!(refuse(&report, &facts).code, *code, "before {}", other_code.as_str());
            }
        }
    }
}

fn any_status() -> impl Strategy<Value = Option<ConversionStatus>> {
    option::of(select(vec![
        ConversionStatus::Approved,
        ConversionStatus::Pending,
        ConversionStatus::Rejected,
    ]))
}

fn any_money() -> impl Strategy<Value = MoneyRule> {
    prop_oneof![
        any::<i64>().prop_map(|micros| MoneyRule::Fixed(Micros(micros))),
        any::<i64>().prop_map(|micros| MoneyRule::Percent(Percent::from_micros(micros))),
        Just(MoneyRule::Dynamic),
    ]
}

prop_compose! {
    /// Any goal that can be stored, within `longest` seconds.
    fn any_goal(longest: i64)(
        seconds in [0..=longest, 0..=longest, 0..=longest],
        default_status in select(DefaultStatus::ALL),
        counting in select(Counting::ALL),
        (payout, revenue) in (any_money(), any_money()),
    ) -> GoalRules {
        let [click_window_seconds, reporting_delay_seconds, hold_seconds] = seconds;
        let windows = GoalRules { click_window_seconds, reporting_delay_seconds, hold_seconds, ..goal() };
        GoalRules { default_status, counting, payout, revenue, ..windows }
    }
}

prop_compose! {
    /// Any facts about a genuine click of any time, with any campaign and key.
    fn any_facts(longest: i64)(
        goal in any_goal(longest),
        row in option::of(select(ClickClass::ALL)),
        campaign in select(Status::ALL),
        may_decide_status: bool,
        same_key in option::of(any::<Option<i64>>()),
    ) -> Facts {
        let facts = with_campaign(campaign, Facts { click: click(row), ..facts_of(goal) });
        let same_key = same_key.map(|amount| first(amount.map(Micros), amount.and(currency("EUR"))));
        Facts { key: KeyPowers { may_decide_status, ..KeyPowers::default() }, same_key, ..facts }
    }
}

proptest! {
    #[test]
    fn deciding_never_panics(
        facts in any_facts(LONGEST_SECONDS),
        [clicked, happened, received] in any::<[i64; 3]>(),
        amount: Option<i64>,
        status in any_status(),
    ) {
        let row = match &facts.click { ClickFacts::Genuine(click) => click.row, _ => None };
        let click = click_of(clicked_at(Timestamp::from_micros(clicked)), shop(), row);
        let facts = Facts { click, received_at: Timestamp::from_micros(received), ..facts };
        let event_time = Timestamp::from_micros(happened);
        let money = Report { amount: amount.map(Micros), currency: currency("EUR"), ..order("o1") };
        let _ = decide(&Report { status, event_time, ..money }, &facts);
    }

    #[test]
    fn a_counted_status_agrees_with_its_flags(
        facts in any_facts(90 * DAY),
        happened in 0..=10 * DAY,
        delay in 0..=10 * DAY,
        status in any_status(),
    ) {
        let event_time = CLICKED.plus_seconds(happened);
        let facts = Facts { received_at: event_time.plus_seconds(delay), same_key: None, ..facts };
        let report = Report { status, event_time, order_id: order("o1").order_id, ..sale_of(units(1), "EUR") };
        let Ok(Verdict::Count(counted)) = decide(&report, &facts) else { return Ok(()) };
        let waits = counted.flags.iter().any(|flag| DOUBTS.contains(&flag.as_str()));
        let expected = match (status, waits, counted.hold_until) {
            (Some(ConversionStatus::Rejected), _, None) => ConversionStatus::Rejected,
            (_, true, None) => ConversionStatus::Pending,
            (_, false, Some(end)) if end > facts.received_at => ConversionStatus::OnHold,
            (_, false, None) => ConversionStatus::Approved,
            _ => return Err(TestCaseError::fail(format!("{counted:?}"))),
        };
        prop_assert_eq!(counted.status, expected);
    }
}
