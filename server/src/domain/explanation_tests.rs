//! What is said of lines of the log, outcome by outcome.

use serde_json::json;

use super::*;
use crate::domain::{
    click_id::Touch,
    ids::{CampaignId, Id},
    trace::{Origin, TouchSeen},
    visitor::ClickClass,
};

const CLICKED: Timestamp = Timestamp::from_seconds(1_790_000_000);
const DAY: i64 = 86_400;

fn goal() -> GoalSeen {
    GoalSeen {
        status: Status::Active,
        counting: Counting::PerOrder,
        modes: vec![MatchMode::Transaction, MatchMode::Customer],
        currency: Currency::parse("EUR"),
        needs_amount: true,
        campaigns: 0,
        delay: 120 * DAY,
    }
}

fn trace(ended_at: Check) -> Trace {
    let touch = TouchSeen {
        touch: Touch::Click,
        at: CLICKED,
        class: Some(ClickClass::Human),
        campaign: CampaignId::from_bytes([0; 16]),
        window: 30 * DAY,
    };
    let origin = Origin {
        ip: Some([192, 0, 2, 1].into()),
        timestamp: Some("1790000058".into()),
        bytes: 90,
        ..Origin::default()
    };
    Trace { origin, ended_at: Some(ended_at), goal: Some(goal()), touch: Some(touch), ..Trace::default() }
}

fn members(document: Value) -> Map<String, Value> {
    document.as_object().unwrap().clone()
}

/// What is said of a line that came a minute after the click.
fn said(code: &str, answer: Value, trace: &Trace) -> Vec<Finding> {
    let request = json!({"goal": "sale", "click_id": "1z", "order_id": "A", "amount": "5", "currency": "EUR", "event_time": 1_790_000_060});
    said_of(&members(request), code, &members(answer), trace)
}

fn said_of(
    request: &Map<String, Value>,
    code: &str,
    answer: &Map<String, Value>,
    trace: &Trace,
) -> Vec<Finding> {
    explain(&Line {
        about: About::Conversion,
        form: Form::Json,
        in_batch: false,
        received_at: CLICKED.plus_seconds(60),
        key_id: None,
        advertiser_id: None,
        conversion_id: Some(ConversionId::from_bytes([0; 16])),
        not_enforced: None,
        code,
        request,
        answer,
        trace,
    })
}

fn outcomes(findings: &[Finding]) -> String {
    let letter = |finding: &Finding| match finding.outcome {
        Passed::Passed => 'p',
        Passed::Failed => 'F',
        Passed::NotReached => '-',
    };
    findings.iter().map(letter).collect()
}

fn found(findings: &[Finding], check: Check) -> (&str, &str) {
    let finding = findings.iter().find(|finding| finding.check == check).unwrap();
    (&finding.rule, finding.found.as_deref().unwrap_or_default())
}

#[test]
fn what_counts_has_passed_every_check() {
    let said = said("accepted", json!({"status": "approved", "flags": []}), &trace(Check::Write));
    assert_eq!(outcomes(&said), "pppppppppppp");
    assert_eq!(found(&said, Check::Transport).1, "from 192.0.2.1");
    assert_eq!(found(&said, Check::Authenticate).1, "a signature of the key, 2 s old");
    let goal = "goal `sale`, active, matched by `click_id`, `customer_id`, counts `per_order`, needs `order_id`, needs `amount`, in EUR";
    assert_eq!(found(&said, Check::Goal), (goal, "`sale`, matched by click_id, order `A`, amount 5 EUR"));
    assert_eq!(
        found(&said, Check::Windows),
        ("window 30 d, reported within 120 d of the event", "age 1 min, reported 0 s after the event")
    );
    assert_eq!(found(&said, Check::CapsAndFlags), ("no flag that needs a decision", "no flags"));
    assert!(found(&said, Check::Write).1.ends_with("`approved`"));
}

#[test]
fn a_check_that_failed_is_the_last_one_that_was_made() {
    for (check, outcomes_of) in [
        (Check::Authenticate, "ppF---------"),
        (Check::Parse, "ppppF-------"),
        (Check::Parameters, "pppppF------"),
        (Check::Goal, "ppppppF-----"),
        (Check::Source, "pppppppF----"),
        (Check::Windows, "ppppppppF---"),
        (Check::Duplicates, "pppppppppF--"),
        (Check::CapsAndFlags, "ppppppppppF-"),
    ] {
        let said = said("x", json!({"message": "That is why."}), &trace(check));
        assert_eq!(outcomes(&said), outcomes_of, "{check}");
        if !matches!(check, Check::Windows | Check::Duplicates) {
            assert_eq!(found(&said, check).1, "That is why.");
        }
    }
}

#[test]
fn a_repetition_is_not_asked_for_its_age() {
    let first = Trace { earlier: Some(ConversionId::from_bytes([0; 16])), ..trace(Check::Duplicates) };
    let again = said("duplicate", json!({"message": "Already counted."}), &first);
    assert_eq!(outcomes(&again), "pppppppp-F--");
    assert!(found(&again, Check::Duplicates).1.starts_with("counted before as cnv_"));
    let dry = said("validated", json!({"would_be": "duplicate"}), &first);
    assert_eq!(outcomes(&dry), "pppppppp-F--");
}

#[test]
fn a_dry_run_is_written_nowhere() {
    let dry = said("validated", json!({"would_be": "accepted", "flags": []}), &trace(Check::Write));
    assert_eq!(outcomes(&dry), "ppppppppppp-");
}

#[test]
fn a_cap_says_what_was_taken() {
    let caps = vec![
        CapSeen { cap: Cap::ConversionsPerDay, most: 100, taken: 100 },
        CapSeen { cap: Cap::PayoutTotal, most: 25_500_000, taken: 1_000_000 },
    ];
    let over = Trace { caps, ..trace(Check::Write) };
    let said = said("accepted_pending", json!({"flags": ["over_cap"], "status": "pending"}), &over);
    assert_eq!(outcomes(&said), "ppppppppppFp");
    assert_eq!(
        found(&said, Check::CapsAndFlags),
        (
            "cap 100 (conversions_per_day), cap 25.50 EUR (payout_total); no flag that needs a decision",
            "100 taken (conversions_per_day), 1.00 EUR taken (payout_total); flags `over_cap`"
        )
    );
}

#[test]
fn what_was_not_decided_about_is_not_explained() {
    assert_eq!(said("adjusted", json!({}), &Trace::default()), []);
}

#[test]
fn any_request_can_be_explained() {
    for request in
        [json!({}), json!({"goal": 1, "event_time": {}, "click_id": []}), json!({"unreadable_bytes": 5})]
    {
        for check in Check::ALL {
            let answer = members(json!({"flags": 1, "message": null}));
            assert_eq!(said_of(&members(request.clone()), "x", &answer, &trace(*check)).len(), 12);
        }
    }
}

#[test]
fn spans_are_said_in_their_two_largest_units() {
    for (seconds, said) in [
        (0, "0 s"),
        (59, "59 s"),
        (3_600, "1 h"),
        (90_061, "1 d 1 h"),
        (41 * DAY + 61, "41 d"),
        (-61, "-1 min 1 s"),
        (i64::MIN, "-106751991167300 d 15 h"),
    ] {
        assert_eq!(span(seconds), said);
    }
}
