//! Many at one instant.

use std::collections::BTreeMap;

use futures_util::{StreamExt, future::join_all, stream};
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tallyback::{Outcome, Recorded};
use tallyback_tests::{Acme, Answer, Process, TestApp, TestDatabase, client, now};

use super::{tallyback, verify::verify};

const AT_ONCE: usize = 50;

/// One was counted, and all others were told which one.
#[track_caller]
fn one_was_counted(answers: &[Recorded]) {
    let accepted: Vec<_> = answers.iter().filter(|answer| answer.outcome == Outcome::Accepted).collect();
    let duplicates: Vec<_> = answers.iter().filter(|answer| answer.outcome == Outcome::Duplicate).collect();
    assert_eq!((accepted.len(), duplicates.len()), (1, AT_ONCE - 1));
    assert!(accepted[0].conversion_id.is_some());
    assert!(duplicates.iter().all(|answer| answer.conversion_id == accepted[0].conversion_id));
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_identical_postbacks_are_one_conversion() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let (sdk, sale) = (acme.sdk(), Acme::sale(&click_id, "A-1"));
    let answers = join_all((0..AT_ONCE).map(|_| sdk.record(&sale))).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    one_was_counted(&answers);

    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 1);
    assert_eq!(acme.agency.all("/v1/postbacks?code=duplicate").await.len(), AT_ONCE - 1);
    let report = acme.agency.report_until("", "/totals/conversions/total", json!(1)).await;
    assert_eq!(report["totals"]["money"][0]["amount"], "49.90");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_identical_postbacks_in_one_batch_are_one_conversion() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let (click_id, sdk) = (acme.click().await, acme.sdk());
    let (queue, in_flight) =
        ("tallyback_queue_requests{kind=\"postback\"}", "tallyback_in_flight_requests{kind=\"postback\"}");
    let held = app.database.db_hold().await;
    // Each writer has one to wait with. Whatever comes now comes into the queue.
    let writers = if app.database.is_postgres() { 2 } else { 1 };
    let mut first = Vec::new();
    for number in 0..writers {
        let (sdk, sale) = (acme.sdk(), Acme::sale(&click_id, &format!("B-{number}")));
        first.push(tokio::spawn(async move { sdk.record(&sale).await.unwrap() }));
        app.metric_is(in_flight, number + 1).await;
        app.metric_is(queue, 0).await;
    }
    let sale = Acme::sale(&click_id, "A-1");
    let storm = join_all((0..AT_ONCE).map(|_| sdk.record(&sale)));
    let release = async {
        app.metric_is(queue, AT_ONCE).await;
        drop(held);
    };
    let (answers, ()) = tokio::join!(storm, release);
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    one_was_counted(&answers);
    for first in first {
        assert_eq!(first.await.unwrap().outcome, Outcome::Accepted);
    }
    let batches = app.metric("tallyback_batch_requests_count{kind=\"postback\"}").await;
    assert_eq!(
        batches,
        (writers + 2) as f64,
        "the fifty are one batch: the new one first, then its repetitions"
    );
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), writers + 1);
    assert_eq!(acme.agency.all("/v1/postbacks?code=duplicate").await.len(), AT_ONCE - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_identical_postbacks_to_two_servers_are_one_conversion() {
    let database = TestDatabase::create().await;
    let one = Process::serve(tallyback(), &database, &[]).await;
    let spool = database.folder.path().join("another-spool.db").display().to_string();
    let two = Process::serve(tallyback(), &database, &["--spool", &spool]).await;
    let acme = Acme::set_up(one.agency(&database).await).await;
    let (here, there) = (acme.sdk(), acme.at(&two.base_url).sdk());
    for round in 0..5 {
        let sale = Acme::sale(&acme.click().await, &format!("A-{round}"));
        let answers =
            join_all((0..AT_ONCE).map(|n| if n % 2 == 0 { &here } else { &there }.record(&sale))).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        one_was_counted(&answers);
        assert_eq!(acme.agency.all("/v1/conversions").await.len(), round + 1);
    }
    assert_eq!(acme.agency.all("/v1/postbacks?code=duplicate").await.len(), 5 * (AT_ONCE - 1));
    acme.agency.report_until("", "/totals/conversions/total", json!(5)).await;
    one.kill().await;
    two.kill().await;
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

/// Reports conversions as JSON, to these places in turn, two hundred at a time.
pub async fn report_all(places: &[Acme], bodies: Vec<Value>) -> Vec<Answer> {
    let client = client();
    let reports = bodies.into_iter().enumerate().map(|(number, body)| {
        let acme = &places[number % places.len()];
        let request = client.post(format!("{}/v1/conversions", acme.agency.base_url));
        let request = request.header(CONTENT_TYPE, "application/json");
        let body = body.to_string();
        Answer::to(acme.signer().sign(request, &format!("msg_{number}"), now(), body.as_bytes()))
    });
    stream::iter(reports).buffer_unordered(200).collect().await
}

/// How many answers have each code.
fn by_code(answers: Vec<Answer>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.body["code"].as_str().unwrap_or(&answer.text).to_owned()).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_identical_postbacks_are_one_conversion() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let sale = json!({"goal": "purchase", "click_id": click_id, "order_id": "A-1", "amount": "49.90", "currency": "EUR"});
    let answers = by_code(report_all(std::slice::from_ref(&acme), vec![sale; 1_000]).await);
    let expected = [("accepted", 1), ("duplicate", 999)].map(|(code, count)| (code.to_owned(), count));
    assert_eq!(answers, BTreeMap::from(expected));
    let report = acme.agency.report_until("", "/totals/conversions/total", json!(1)).await;
    assert_eq!(report["totals"]["money"][0]["amount"], "49.90");
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_amounts_for_one_order_in_a_thousand_one_is_counted() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let sale = |number: usize| json!({"goal": "purchase", "click_id": click_id, "order_id": "A-1", "amount": (10 + number % 2).to_string(), "currency": "EUR"});
    let answers = by_code(report_all(std::slice::from_ref(&acme), (0..1_000).map(sale).collect()).await);
    let expected = [("accepted", 1), ("duplicate", 499), ("duplicate_conflict", 500)];
    assert_eq!(answers, BTreeMap::from(expected.map(|(code, count)| (code.to_owned(), count))));
    assert_eq!(verify(&app.database, &[]).await.code, Some(0));
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
