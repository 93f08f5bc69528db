//! What was answered is on disk: the server is killed in the middle of its work, and stopped politely.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tallyback_tests::{
    Acknowledged, Acme, BROWSER, Process, TestDatabase, client, kill_under_load, parameter, texts,
};
use tokio::task::JoinSet;

use super::{tallyback, verify::verify};

const VISITORS: usize = 8;
/// `tests/kills` does more.
const KILLS: u64 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_nothing_that_was_answered() {
    let database = TestDatabase::create().await;
    let tally = kill_under_load(tallyback(), &database, KILLS).await;
    println!("{KILLS} kills: {tally:?}");
    assert!(tally.clicks > 100 && tally.conversions > 100, "there was no load: {tally:?}");
    assert_eq!((tally.missing, tally.duplicated, tally.unexplained), (0, 0, 0), "{tally:?}");
    assert_eq!(tally.rows, tally.report, "the report is the rows");
    let verified = verify(&database, &[]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_looks_into_the_file_beside_the_server_takes_nothing_away() {
    let database = TestDatabase::create().await;
    let Some(path) = database.url.strip_prefix("sqlite:") else { return };
    let server = Process::serve(tallyback(), &database, &[]).await;
    let acme = Acme::set_up(server.agency(&database).await).await;
    let mut clicks = 0;
    for _ in 0..5 {
        acme.click().await;
        clicks += 1;
        // Another process opens the file, reads it, and is the last to close it, as far as that one knows.
        assert_eq!(database.db_number("SELECT count(*) FROM clicks").await, clicks);
        assert_eq!(verify(&database, &[]).await.code, Some(0));
        assert!(Path::new(&format!("{path}-wal")).exists(), "the server's log is gone");
    }
    for _ in 0..20 {
        acme.click().await;
    }
    server.kill().await;
    assert_eq!(database.db_number("SELECT count(*) FROM clicks").await, clicks + 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_polite_stop_fails_no_request_and_loses_nothing() {
    let database = TestDatabase::create().await;
    let server = Process::serve(tallyback(), &database, &[]).await;
    let acme = Acme::set_up(server.agency(&database).await).await;
    let (known, is_told) = (Arc::new(Acknowledged::default()), Arc::new(AtomicBool::new(false)));
    let mut visitors = JoinSet::new();
    for _ in 0..VISITORS {
        let (url, sdk, known, is_told) =
            (acme.click_url(), acme.sdk_that_sends_once(), known.clone(), is_told.clone());
        visitors.spawn(async move {
            let http = client();
            loop {
                // What was sent before the server said that it is not ready any more must be answered.
                let may_fail = is_told.load(Ordering::SeqCst);
                let click_id = match http.get(&url).header("user-agent", BROWSER).send().await {
                    Ok(response) => {
                        parameter(response.headers()["location"].to_str().unwrap(), "kcid").unwrap()
                    }
                    Err(error) => return assert!(may_fail, "a click failed: {error:?}"),
                };
                known.clicks.lock().unwrap().insert(click_id.clone());
                let order = known.next_order();
                let may_fail = is_told.load(Ordering::SeqCst);
                match sdk.record(&Acme::sale(&click_id, &order)).await {
                    Ok(recorded) => {
                        known.conversions.lock().unwrap().insert(recorded.conversion_id.unwrap());
                    }
                    Err(error) => return assert!(may_fail, "a report failed: {error:?}"),
                }
            }
        });
    }
    while known.counts().1 < 100 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let began = std::time::Instant::now();
    server.signal("TERM").await;
    let ready = client().get(format!("{}/readyz", acme.agency.base_url)).send().await.unwrap();
    assert_eq!(ready.status(), 503, "a load balancer is told");
    is_told.store(true, Ordering::SeqCst);
    let (status, log) = server.end().await;
    assert!(status.success() && began.elapsed() < Duration::from_secs(25), "{status}: {log}");
    visitors.join_all().await;

    let server = Process::serve(tallyback(), &database, &[]).await;
    let acme = acme.at(&server.base_url);
    let (clicks, conversions) =
        (acme.agency.all("/v1/clicks").await, acme.agency.all("/v1/conversions").await);
    let (answered, counted) =
        (known.clicks.lock().unwrap().clone(), known.conversions.lock().unwrap().clone());
    assert!(answered.is_subset(&texts(&clicks, "click_id")), "an answered click is lost");
    assert!(counted.is_subset(&texts(&conversions, "id")), "a conversion is lost");
    server.kill().await;
}
