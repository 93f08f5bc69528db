//! Many at one instant.

use futures_util::future::join_all;
use serde_json::json;
use tallyback::Outcome;
use tallyback_tests::{Acme, TestApp};

const AT_ONCE: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_identical_postbacks_are_one_conversion() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let (sdk, sale) = (acme.sdk(), Acme::sale(&click_id, "A-1"));
    let answers = join_all((0..AT_ONCE).map(|_| sdk.record(&sale))).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();

    let accepted: Vec<_> = answers.iter().filter(|answer| answer.outcome == Outcome::Accepted).collect();
    let duplicates: Vec<_> = answers.iter().filter(|answer| answer.outcome == Outcome::Duplicate).collect();
    assert_eq!((accepted.len(), duplicates.len()), (1, AT_ONCE - 1));
    assert!(accepted[0].conversion_id.is_some());
    assert!(duplicates.iter().all(|answer| answer.conversion_id == accepted[0].conversion_id));

    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 1);
    assert_eq!(acme.agency.all("/v1/postbacks?code=duplicate").await.len(), AT_ONCE - 1);
    let report = acme.agency.report_until("", "/totals/conversions/total", json!(1)).await;
    assert_eq!(report["totals"]["money"][0]["amount"], "49.90");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_amounts_for_one_order_are_one_conversion_and_one_conflict() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    for round in 0..10 {
        let order = format!("A-{round}");
        let report = |amount: &'static str| {
            acme.report(json!({"goal": "purchase", "click_id": click_id, "order_id": order, "amount": amount, "currency": "EUR"}))
        };
        let mut codes: Vec<_> = join_all(["10", "20"].map(report))
            .await
            .into_iter()
            .map(|answer| answer.body["code"].clone())
            .collect();
        codes.sort_by_key(|code| code.to_string());
        assert_eq!(codes, ["accepted", "duplicate_conflict"]);
    }
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_goal_name_is_given_once() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let goal = json!({"event_name": "lead", "advertiser_id": acme.advertiser["id"]});
    let answers = join_all((0..10).map(|_| acme.agency.post("/v1/goals", goal.clone()))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort();
    assert_eq!(statuses, [&[201][..], &[409; 9]].concat());
}
