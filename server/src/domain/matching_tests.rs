//! What customers, publishers and leads bring to the decision; money by place and in another currency.

use std::sync::Arc;

use serde_json::{Map, json};

use super::*;
use crate::domain::{
    advertiser_rules::AdvertiserRules,
    attribution::{self, Verdict},
    click_id::{ClickId, LinkNumber},
    conversion::ConversionStatus,
    counted::Counted,
    country::Country,
    currency::Currency,
    facts::{Credit, CustomerFacts, KeyPowers, Lead, Previous, Proof},
    flags as flag,
    goal::{self, Counting, MoneyRule},
    ids::{AdvertiserId, CampaignId, ConversionId, GoalId, Id, LinkId, Reference},
    money::{Micros, Percent},
    overrides::Override,
    postback::Intent,
    rate::{Rate, Rates},
    setup::Status,
    trace::Trace,
    visitor::ClickClass,
};

const CLICKED: Timestamp = Timestamp::from_seconds(1_790_000_000);

/// The decision, without its trace.
fn decide(report: &Report, facts: &Facts) -> Result<Verdict, Refusal> {
    attribution::decide(report, facts, &mut Trace::default())
}

fn publisher(number: u8) -> PublisherId {
    PublisherId::from_bytes([number; 16])
}

fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

fn report(click: Option<&str>, customer: Option<&str>) -> Report {
    Report {
        advertiser: None,
        goal: "sale".to_owned(),
        click_id: click.map(str::to_owned),
        customer_id: customer.map(str::to_owned),
        publisher: None,
        order_id: Some("o1".to_owned()),
        amount: None,
        currency: None,
        status: None,
        event_time: CLICKED.plus_seconds(3_600),
        extras: Map::new(),
        intent: Intent::Count,
        unknown: Vec::new(),
    }
}

fn by_customer() -> Report {
    report(None, Some("c1"))
}

fn by_publisher() -> Report {
    Report { publisher: Some(Reference::Id(publisher(7))), ..report(None, None) }
}

fn click(seconds: i64) -> CreditedClick {
    CreditedClick {
        touch: Touch::Click,
        id: ClickId::mint(CLICKED.plus_seconds(seconds), LinkNumber(7), [9; 6]),
        row: Some(ClickClass::Human),
        credit: Credit {
            advertiser_id: AdvertiserId::from_bytes([1; 16]),
            campaign_id: CampaignId::from_bytes([4; 16]),
            creative_id: None,
            link_id: LinkId::from_bytes([6; 16]),
            publisher_id: Some(publisher(7)),
        },
        country: Country::parse("DE"),
        campaign_status: Status::Active,
    }
}

fn facts_of(goal: GoalRules) -> Facts {
    Facts {
        received_at: CLICKED.plus_seconds(3_610),
        key: KeyPowers::default(),
        advertiser_id: AdvertiserId::from_bytes([1; 16]),
        rules: Arc::new(AdvertiserRules { goals: vec![goal], ..AdvertiserRules::default() }),
        rates: Rates::default(),
        publisher: NamedPublisher::NotNamed,
        click: ClickFacts::NotSent,
        customer: CustomerFacts::default(),
        leads: Vec::new(),
        same_key: None,
        same_order: None,
    }
}

fn facts() -> Facts {
    facts_of(goal::plain())
}

fn with_click(facts: Facts) -> Facts {
    Facts { click: ClickFacts::Genuine(click(0)), ..facts }
}

fn bound(facts: Facts) -> Facts {
    Facts { customer: CustomerFacts { bound: Some(click(0)), rebills: 0 }, ..facts }
}

fn with_publisher(facts: Facts) -> Facts {
    Facts { publisher: NamedPublisher::Permitted(publisher(7)), ..facts }
}

#[track_caller]
fn count(report: &Report, facts: &Facts) -> Counted {
    match decide(report, facts) {
        Ok(Verdict::Count(counted)) => *counted,
        other => panic!("not counted: {other:?}"),
    }
}

#[track_caller]
fn refuse(report: &Report, facts: &Facts) -> Code {
    decide(report, facts).expect_err("it should be refused").code
}

#[test]
fn a_customer_stands_for_the_bound_click() {
    assert_eq!(refuse(&by_customer(), &facts()), Code::CustomerNotFound);
    let counted = count(&by_customer(), &bound(facts()));
    assert_eq!((counted.match_mode, counted.click), (MatchMode::Customer, Some(click(0))));
    assert_eq!((counted.publisher_id, counted.count_key.as_str()), (Some(publisher(7)), "order:o1"));
}

#[test]
fn the_window_of_a_rebill_is_its_own() {
    let goal = GoalRules { rebill_window_seconds: 7_200, click_window_seconds: 60, ..goal::plain() };
    let facts = Facts { received_at: CLICKED.plus_seconds(9_000), ..bound(facts_of(goal)) };
    let at = |seconds| Report { event_time: CLICKED.plus_seconds(seconds), ..by_customer() };
    count(&at(7_200), &facts);
    let refusal = decide(&at(7_201), &facts).unwrap_err();
    assert_eq!(refusal.code, Code::ClickExpired);
    assert_eq!(refusal.hint.as_deref(), Some("The partner may widen the goal's `rebill_window_seconds`."));
    assert_eq!(refuse(&at(-1), &facts), Code::ConversionPrecedesClick);
}

#[test]
fn without_a_click_an_order_is_needed() {
    for report in [by_customer(), by_publisher()] {
        let report = Report { order_id: None, ..report };
        assert_eq!(refuse(&report, &with_publisher(bound(facts()))), Code::OrderIdRequired);
    }
}

#[test]
fn a_customer_who_has_come_often_enough_waits() {
    let goal = GoalRules { max_rebills: Some(2), ..goal::plain() };
    for (rebills, status) in [(1, ConversionStatus::Approved), (2, ConversionStatus::Pending)] {
        let customer = CustomerFacts { bound: Some(click(0)), rebills };
        let counted = count(&by_customer(), &Facts { customer, ..facts_of(goal.clone()) });
        assert_eq!(counted.status, status, "{:?}", counted.flags);
    }
}

#[test]
fn a_publisher_alone_has_no_click() {
    assert_eq!(refuse(&by_publisher(), &facts()), Code::PublisherNotPermitted);
    let counted = count(&by_publisher(), &with_publisher(facts()));
    assert_eq!((counted.match_mode, counted.click), (MatchMode::Partner, None));
    assert_eq!((counted.publisher_id, counted.count_key.as_str()), (Some(publisher(7)), "order:o1"));
    let goal = GoalRules { campaign_ids: vec![CampaignId::from_bytes([4; 16])], ..goal::plain() };
    assert_eq!(refuse(&by_publisher(), &with_publisher(facts_of(goal))), Code::GoalNotInCampaign);
    for (proof, wanted) in [
        (Proof::Token, Code::SignatureMissing),
        (Proof::NotEnforced(Code::SignatureMissing), Code::SignatureMissing),
        (Proof::NotEnforced(Code::SignatureInvalid), Code::SignatureInvalid),
        (Proof::NotEnforced(Code::TimestampOutOfTolerance), Code::TimestampOutOfTolerance),
    ] {
        let key = KeyPowers { proof, ..KeyPowers::default() };
        assert_eq!(refuse(&by_publisher(), &Facts { key, ..with_publisher(facts()) }), wanted, "{proof:?}");
    }
}

#[test]
fn an_order_stays_where_it_was_attributed() {
    let previous = |click_id: Option<ClickId>, publisher_id| Previous {
        id: ConversionId::from_bytes([8; 16]),
        status: ConversionStatus::Approved,
        click_id,
        publisher_id: Some(publisher_id),
        amount: None,
        currency: None,
        hold_until: None,
    };
    let with = |facts: Facts, previous| Facts { same_order: Some(previous), ..facts };
    let own = previous(Some(click(0).id), publisher(7));
    for (report, facts) in [(by_customer(), bound(facts())), (by_publisher(), with_publisher(facts()))] {
        assert!(matches!(decide(&report, &with(facts, own.clone())), Ok(Verdict::Again(_))));
    }
    let other = previous(Some(click(-60).id), publisher(8));
    for (report, facts) in [(by_customer(), bound(facts())), (by_publisher(), with_publisher(facts()))] {
        assert_eq!(refuse(&report, &with(facts, other.clone())), Code::OrderAttributedElsewhere);
    }
    let alone = previous(None, publisher(7));
    let by_click = report(Some("click"), None);
    assert_eq!(refuse(&by_click, &with(with_click(facts()), alone)), Code::OrderAttributedElsewhere);
}

#[test]
fn the_click_wins_and_what_contradicts_it_is_told() {
    let report = Report { publisher: by_publisher().publisher, ..report(Some("click"), Some("c1")) };
    let other = Facts {
        publisher: NamedPublisher::Permitted(publisher(8)),
        customer: CustomerFacts { bound: Some(click(-60)), rebills: 0 },
        ..with_click(facts())
    };
    let counted = count(&report, &other);
    assert_eq!(counted.flags, [flag::PUBLISHER_MISMATCH, flag::CUSTOMER_MISMATCH]);
    assert_eq!((counted.status, counted.publisher_id), (ConversionStatus::Approved, Some(publisher(7))));
    let same = with_publisher(bound(with_click(facts())));
    assert_eq!(count(&report, &same).flags, Vec::<String>::new());
}

#[test]
fn another_lead_or_hash_is_told_and_delays_nothing() {
    let said = |lead: &str, hash: &str| Report {
        extras: Map::from_iter([
            ("lead_id".to_owned(), json!(lead)),
            ("email_sha256".to_owned(), json!(hash)),
        ]),
        ..report(Some("click"), None)
    };
    let lead = Lead { lead_id: Some("L1".to_owned()), email_sha256: Some("ab".to_owned()) };
    let facts = Facts { leads: vec![Lead::default(), lead], ..with_click(facts()) };
    for (report, flags) in [
        (said("L1", "AB"), &[][..]),
        (said("l1", "ab"), &[flag::LEAD_ID_MISMATCH]),
        (said("L1", "ac"), &[flag::EMAIL_MISMATCH]),
        (report(Some("click"), None), &[]),
    ] {
        let counted = count(&report, &facts);
        assert_eq!(
            (&counted.flags[..], counted.status),
            (
                &flags.iter().map(|flag| (*flag).to_owned()).collect::<Vec<_>>()[..],
                ConversionStatus::Approved
            )
        );
    }
}

#[test]
fn what_comes_too_soon_after_the_click_is_told() {
    let goal = GoalRules { minimum_click_to_conversion_seconds: 10, ..goal::plain() };
    for (seconds, flags) in [(9, vec![flag::TOO_FAST]), (10, vec![])] {
        let event_time = CLICKED.plus_seconds(seconds);
        let report = Report { event_time, ..report(Some("click"), None) };
        let counted = count(&report, &with_click(facts_of(goal.clone())));
        assert_eq!(
            (counted.flags, counted.status),
            (flags.iter().map(|flag| (*flag).to_owned()).collect(), ConversionStatus::Approved)
        );
    }
}

#[test]
fn without_a_least_time_nothing_comes_too_soon() {
    // The sender tells whole seconds, the click's are finer.
    let id = ClickId::mint(Timestamp::from_millis(CLICKED.millis() + 500), LinkNumber(7), [9; 6]);
    let facts = Facts { click: ClickFacts::Genuine(CreditedClick { id, ..click(0) }), ..facts() };
    let report = Report { event_time: CLICKED, ..report(Some("click"), None) };
    assert_eq!(count(&report, &facts).flags, [""; 0]);
}

#[test]
fn a_blocked_publishers_click_waits_for_a_decision() {
    let mut facts = with_click(facts());
    Arc::make_mut(&mut facts.rules).blocked_publishers = vec![publisher(7)];
    let counted = count(&report(Some("click"), None), &facts);
    assert_eq!(
        (counted.flags, counted.status),
        (vec![flag::PUBLISHER_BLOCKED.to_owned()], ConversionStatus::Pending)
    );
}

/// Ten per cent of amounts in dollars, for an advertiser in euros.
fn in_euros(rates: &[(&str, &str)]) -> Facts {
    let goal = GoalRules {
        id: GoalId::from_bytes([3; 16]),
        counting: Counting::PerOrder,
        payout: MoneyRule::Percent(Percent::parse("10").unwrap()),
        ..goal::plain()
    };
    let mut facts = with_click(facts_of(goal));
    Arc::make_mut(&mut facts.rules).currency = Some(currency("EUR"));
    facts.rates =
        Rates(rates.iter().map(|(from, rate)| (currency(from), Rate::parse(rate).unwrap())).collect());
    facts
}

fn of_dollars(amount: i64) -> Report {
    let (amount, currency) = (Some(Micros(amount)), Some(currency("USD")));
    Report { amount, currency, ..report(Some("click"), None) }
}

#[test]
fn money_comes_into_the_advertisers_currency() {
    let counted = count(&of_dollars(100_000_000), &in_euros(&[("USD", "0.9")]));
    let (terms, worth) = (counted.price.terms, counted.price.worth);
    assert_eq!(
        (terms.currency, terms.exchange.map(|exchange| exchange.from)),
        (Some(currency("EUR")), Some(currency("USD")))
    );
    assert_eq!((worth.original, worth.amount), (Some(Micros(100_000_000)), Some(Micros(90_000_000))));
    assert_eq!(worth.payout, Micros(9_000_000));
}

#[test]
fn without_a_rate_it_is_said_which_one_is_missing() {
    let refusal = decide(&of_dollars(1), &in_euros(&[("GBP", "1.1")])).unwrap_err();
    assert_eq!(refusal.code, Code::CurrencyInvalid);
    assert_eq!(
        [&refusal.facts["base"], &refusal.facts["quote"], &refusal.facts["date"]],
        ["USD", "EUR", "2026-09-21"]
    );
}

#[test]
fn the_goals_own_sums_are_converted_and_counted_back_for_its_caps() {
    let mut facts = in_euros(&[("USD", "0.9")]);
    let goal = &mut Arc::make_mut(&mut facts.rules).goals[0];
    goal.currency = Some(currency("USD"));
    goal.payout = MoneyRule::Fixed(Micros(5_000_000));
    let counted = count(&report(Some("click"), None), &facts);
    assert_eq!(counted.price.terms.payout, MoneyRule::Fixed(Micros(4_500_000)));
    assert_eq!(
        (counted.price.worth.payout, counted.price.payout_for_caps),
        (Micros(4_500_000), Micros(5_000_000))
    );
    facts.rates = Rates::default();
    assert_eq!(refuse(&report(Some("click"), None), &facts), Code::CurrencyInvalid);
}

#[test]
fn the_place_decides_about_the_rule() {
    let payout = Some(MoneyRule::Fixed(Micros(7)));
    let overrides =
        vec![Override { publisher_id: None, country: Country::parse("DE"), payout, revenue: None }];
    let goal = GoalRules { overrides, ..goal::plain() };
    let by_click = count(&report(Some("click"), None), &with_click(facts_of(goal.clone())));
    assert_eq!(
        (by_click.price.worth.payout, by_click.price.payout_rule.as_deref()),
        (Micros(7), Some("country:DE"))
    );
    let alone = count(&by_publisher(), &with_publisher(facts_of(goal)));
    assert_eq!(
        (alone.price.worth.payout, alone.price.payout_rule),
        (Micros(0), None),
        "no click, no country"
    );
}
