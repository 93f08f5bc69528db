//! `tallyback verify`: the totals that reports read are what the rows add up to, and what differs is told exactly.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tallyback_server::{
    clock::Clock,
    domain::ids::{GoalId, Id},
    jobs,
};
use tallyback_tests::{Acme, Answer, BROWSER, Ended, Process, TestApp, TestDatabase, client, run, visit};

use super::tallyback;

/// Runs the command on a database.
pub async fn verify(database: &TestDatabase, args: &[&str]) -> Ended {
    let folder = database.folder.path().join("data").display().to_string();
    let variables = [("DATABASE_URL", database.url.as_str()), ("TALLYBACK_DATA_DIR", &folder)];
    run(tallyback(), &[&["verify"], args].concat(), &variables).await
}

/// The lines of `verify --json`, which ends with this exit code: the differences, and the summary.
async fn differences(database: &TestDatabase, code: i32) -> (Vec<Value>, Value) {
    let ended = verify(database, &["--json"]).await;
    assert_eq!(ended.code, Some(code), "{ended:?}");
    let mut lines: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().unwrap();
    assert_eq!(summary["differences"], lines.len());
    (lines, summary)
}

async fn click_with(acme: &Acme, headers: &[(&str, &str)]) {
    let request = client().get(acme.click_url());
    Answer::to(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await;
}

/// Clicks of every class; conversions that are approved, pending, on hold and settled either way.
async fn journey(app: &TestApp) -> Acme {
    let acme = app.acme().await;
    for goal in [
        json!({"event_name": "lead", "default_status": "pending"}),
        json!({"event_name": "trial", "hold_seconds": 60, "hold_end": "approve"}),
        json!({"event_name": "call", "hold_seconds": 60, "hold_end": "reject"}),
        json!({"event_name": "visit", "hold_seconds": 999_999}),
    ] {
        acme.goal(goal).await;
    }
    click_with(&acme, &[("user-agent", "Googlebot/2.1 (+http://www.google.com/bot.html)")]).await;
    click_with(&acme, &[("user-agent", BROWSER), ("sec-purpose", "prefetch")]).await;
    let ids = [acme.click().await, acme.click().await];
    acme.agency
        .patch(
            &format!("/v1/links/{}", acme.link["id"].as_str().unwrap()),
            json!({"status": "paused", "fallback_url": "https://shop.example/gone"}),
        )
        .await
        .expect(200);
    visit(&acme.click_url()).await;
    for (number, click_id) in ids.iter().enumerate() {
        acme.sdk().record(&Acme::sale(click_id, &format!("A-{number}"))).await.unwrap();
    }
    for event in ["lead", "trial", "call", "visit"] {
        let answer = acme.report(json!({"goal": event, "click_id": ids[0]})).await;
        assert_eq!(answer.body["result"], "accepted", "{}", answer.text);
    }
    app.clock.advance(61);
    jobs::settle_holds(app.store.clone(), app.clock.clone()).await.unwrap();
    let report = acme.agency.report_until("", "/totals/conversions/on_hold", json!(1)).await;
    let totals = &report["totals"];
    for (pointer, wanted) in [
        ("/clicks", 2),
        ("/bot_clicks", 1),
        ("/prefetch_clicks", 1),
        ("/invalid_clicks", 1),
        ("/conversions/approved", 3),
        ("/conversions/pending", 1),
        ("/conversions/rejected", 1),
    ] {
        assert_eq!(totals.pointer(pointer), Some(&json!(wanted)), "{pointer} in {totals:#}");
    }
    acme
}

/// Waits until the job has folded every change into the hours.
async fn folded(database: &TestDatabase) {
    for _ in 0..100 {
        if database.db_number("SELECT count(*) FROM total_deltas").await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the changes are not folded");
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_are_what_the_rows_add_up_to() {
    let app = TestApp::with(Clock::fixed(Clock::System.now()), |_| {}).await;
    assert_eq!(differences(&app.database, 0).await, (vec![], json!({"cells": 0, "differences": 0})));
    journey(&app).await;
    journey(&app).await;

    let (_, summary) = differences(&app.database, 0).await;
    assert!(summary["cells"].as_u64().unwrap() >= 2 * 9, "{summary}");
    folded(&app.database).await;
    let (_, folded) = differences(&app.database, 0).await;
    assert_eq!(folded, summary, "the same cells, folded");
    let told = verify(&app.database, &[]).await;
    assert_eq!(told.stdout, format!("{} cells compared, 0 differences\n", summary["cells"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_that_was_damaged_is_told_exactly() {
    let app = TestApp::with(Clock::fixed(Clock::System.now()), |_| {}).await;
    let started = app.clock.now();
    let (acme, untouched) = (journey(&app).await, journey(&app).await);
    folded(&app.database).await;
    let goal = GoalId::parse(acme.goal["id"].as_str().unwrap()).unwrap();
    let goal = app.database.db_literal(goal.bytes());
    let damage = "events = events + 1, amount_micros = amount_micros - 1, payout_micros = 0";
    app.database.db_execute(&format!("UPDATE hourly_totals SET {damage} WHERE goal_id = {goal}")).await;

    let (differences, _) = differences(&app.database, 1).await;
    let expected = json!({
        "partner_id": acme.agency.id, "hour": started.start_of_hour(), "kind": "approved",
        "advertiser_id": acme.advertiser["id"], "campaign_id": acme.campaign["id"], "creative_id": null,
        "link_id": acme.link["id"], "publisher_id": acme.publisher["id"], "goal_id": acme.goal["id"],
        "currency": "EUR",
        "totals": {"events": 3, "amount": 99_799_999, "payout": 0, "revenue": 12_475_000},
        "rows": {"events": 2, "amount": 99_800_000, "payout": 9_980_000, "revenue": 12_475_000},
    });
    assert_eq!(differences, [expected]);
    let told = verify(&app.database, &[]).await;
    for words in [
        acme.agency.id.as_str(),
        "the totals say 3 (amount 99.799999, payout 0.00, revenue 12.475), \
         the rows 2 (amount 99.80, payout 9.98, revenue 12.475)",
        " cells compared, 1 differences\n",
    ] {
        assert!(told.stdout.contains(words), "{words}: {}", told.stdout);
    }
    assert!(!told.stdout.contains(&untouched.agency.id), "{}", told.stdout);
    assert_eq!(told.stderr, "tallyback: the totals are not what the rows add up to\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_one_side_has_is_told() {
    let app = TestApp::with(Clock::fixed(Clock::System.now()), |_| {}).await;
    journey(&app).await;
    folded(&app.database).await;
    app.database.db_execute("DELETE FROM clicks WHERE class = 'bot'").await;
    app.database.db_execute("DELETE FROM hourly_totals WHERE kind = 'prefetch'").await;

    let (differences, _) = differences(&app.database, 1).await;
    let told: Vec<_> = differences
        .iter()
        .map(|line| (&line["kind"], &line["totals"]["events"], &line["rows"]["events"]))
        .collect();
    assert_eq!(told, [(&json!("bot"), &json!(1), &json!(0)), (&json!("prefetch"), &json!(0), &json!(1))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_not_folded_counts_like_the_others() {
    let database = TestDatabase::create().await;
    let server = Process::serve(tallyback(), &database, &[]).await;
    let acme = Acme::set_up(server.agency(&database).await).await;
    // From here on nothing is folded.
    let fold = if database.is_postgres() { POSTGRES_KEEPS_DELTAS } else { SQLITE_KEEPS_DELTAS };
    database.db_execute(fold).await;
    acme.click().await;
    acme.click().await;
    assert_eq!(database.db_number("SELECT count(*) FROM hourly_totals").await, 0);
    assert_eq!(differences(&database, 0).await.1, json!({"cells": 1, "differences": 0}));
    database.db_execute("DELETE FROM clicks").await;
    let (told, _) = differences(&database, 1).await;
    assert_eq!((&told[0]["totals"]["events"], &told[0]["rows"]["events"]), (&json!(2), &json!(0)));
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_many_fold_at_once_are_added_once() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    for _ in 0..20 {
        for _ in 0..5 {
            acme.click().await;
        }
        for outcome in join_all((0..6).map(|_| jobs::fold_totals(app.store.clone()))).await {
            outcome.unwrap();
        }
        folded(&app.database).await;
    }
    let added = app.database.db_number("SELECT CAST(sum(events) AS BIGINT) FROM hourly_totals").await;
    assert_eq!(added, 100);
    differences(&app.database, 0).await;
}

const SQLITE_KEEPS_DELTAS: &str = "CREATE TRIGGER keep_deltas BEFORE DELETE ON total_deltas
    BEGIN SELECT RAISE(ABORT, 'deltas are kept'); END";
const POSTGRES_KEEPS_DELTAS: &str = "CREATE FUNCTION keep_deltas() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE 'deltas are kept'; END $$;
    CREATE TRIGGER keep_deltas BEFORE DELETE ON total_deltas FOR EACH STATEMENT EXECUTE FUNCTION keep_deltas()";

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_compared_is_not_called_equal() {
    let database = TestDatabase::create().await;
    let empty = verify(&database, &[]).await;
    assert!(
        empty.code == Some(1) && empty.stdout.is_empty() && empty.stderr.lines().count() == 1,
        "{empty:?}"
    );
    let wrong = run(tallyback(), &["verify"], &[("DATABASE_URL", "mysql://localhost/x")]).await;
    assert!(wrong.code == Some(2) && wrong.stderr.contains("DATABASE_URL"), "{wrong:?}");
}
