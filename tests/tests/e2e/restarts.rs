//! What was answered is on disk: the server is killed in the middle of its work, and stopped politely.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tallyback::Client;
use tallyback_tests::{Acme, BROWSER, Process, TestDatabase, client, parameter};
use tokio::task::JoinSet;

use super::{tallyback, verify::verify};

const ROUNDS: u64 = 20;
const VISITORS: usize = 8;

/// What the server has answered for.
#[derive(Default)]
struct Acknowledged {
    clicks: Mutex<HashSet<String>>,
    conversions: Mutex<HashSet<String>>,
    /// Orders that were sent and not answered: they may have been counted.
    open: Mutex<Vec<(String, String)>>,
    orders: AtomicU64,
}

fn sdk(acme: &Acme) -> Client {
    let signer = acme.signer();
    let builder = Client::builder(&acme.agency.base_url).key_id(signer.key_id).signing_secret(signer.secret);
    builder.retries(0).timeout(Duration::from_secs(5)).build().unwrap()
}

/// Visitors click and buy until they are told to stop.
fn load(acme: &Acme, known: &Arc<Acknowledged>, stop: &Arc<AtomicBool>) -> JoinSet<()> {
    let mut visitors = JoinSet::new();
    for _ in 0..VISITORS {
        let (url, sdk, http, known, stop) =
            (acme.click_url(), sdk(acme), client(), known.clone(), stop.clone());
        visitors.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let Ok(response) = http.get(&url).header("user-agent", BROWSER).send().await else {
                    continue;
                };
                let location = response.headers().get("location").and_then(|value| value.to_str().ok());
                let Some(click_id) = location.and_then(|url| parameter(url, "kcid")) else {
                    continue;
                };
                known.clicks.lock().unwrap().insert(click_id.clone());
                let order = format!("A-{}", known.orders.fetch_add(1, Ordering::Relaxed));
                match sdk.record(&Acme::sale(&click_id, &order)).await {
                    Ok(recorded) => {
                        known.conversions.lock().unwrap().insert(recorded.conversion_id.unwrap());
                    }
                    Err(_) => known.open.lock().unwrap().push((click_id, order)),
                }
            }
        });
    }
    visitors
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_nothing_that_was_answered() {
    let database = TestDatabase::create().await;
    let mut server = Process::serve(tallyback(), &database, &[]).await;
    let acme = Acme::set_up(server.agency(&database).await).await;
    let known = Arc::new(Acknowledged::default());
    for round in 0..ROUNDS {
        let here = acme.at(&server.base_url);
        let stop = Arc::new(AtomicBool::new(false));
        let visitors = load(&here, &known, &stop);
        tokio::time::sleep(Duration::from_millis(150 + round * 37 % 200)).await;
        server.kill().await;
        stop.store(true, Ordering::Relaxed);
        visitors.join_all().await;
        server = Process::serve(tallyback(), &database, &[]).await;
    }
    let acme = acme.at(&server.base_url);

    // What was sent and not answered is sent again: it counts once, whether it was counted before or not.
    let open = std::mem::take(&mut *known.open.lock().unwrap());
    for (click_id, order) in &open {
        let recorded = sdk(&acme).record(&Acme::sale(click_id, order)).await.unwrap();
        known.conversions.lock().unwrap().insert(recorded.conversion_id.unwrap());
    }
    let stored = |rows: &[Value], name: &str| -> HashSet<String> {
        rows.iter().map(|row| row[name].as_str().unwrap().to_owned()).collect()
    };
    let (clicks, conversions) =
        (acme.agency.all("/v1/clicks").await, acme.agency.all("/v1/conversions").await);
    let acknowledged = known.clicks.lock().unwrap().clone();
    let counted = known.conversions.lock().unwrap().clone();
    let missing = acknowledged.difference(&stored(&clicks, "click_id")).count();
    println!(
        "{ROUNDS} kills: {} clicks and {} conversions answered, {} sent again",
        acknowledged.len(),
        counted.len(),
        open.len()
    );
    assert!(
        acknowledged.len() > 100 && counted.len() > 100,
        "there was no load: {} {}",
        acknowledged.len(),
        counted.len()
    );
    assert_eq!(missing, 0, "clicks that were answered and are not there");
    assert_eq!(stored(&conversions, "id"), counted, "conversions");
    assert_eq!(stored(&conversions, "order_id").len(), conversions.len(), "no order twice");

    // The report is the rows.
    let report = acme.agency.report_until("", "/totals/conversions/total", json!(conversions.len())).await;
    assert_eq!(report["totals"]["clicks"], clicks.len());
    let cents = conversions.len() * 4_990;
    assert_eq!(report["totals"]["money"][0]["amount"], format!("{}.{:02}", cents / 100, cents % 100));
    let verified = verify(&database, &[]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_polite_stop_fails_no_request_and_loses_nothing() {
    let database = TestDatabase::create().await;
    let server = Process::serve(tallyback(), &database, &[]).await;
    let acme = Acme::set_up(server.agency(&database).await).await;
    let (known, is_told) = (Arc::new(Acknowledged::default()), Arc::new(AtomicBool::new(false)));
    let mut visitors = JoinSet::new();
    for _ in 0..VISITORS {
        let (url, sdk, known, is_told) = (acme.click_url(), sdk(&acme), known.clone(), is_told.clone());
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
                let order = format!("A-{}", known.orders.fetch_add(1, Ordering::Relaxed));
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
    while known.conversions.lock().unwrap().len() < 100 {
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
    let names = |rows: Vec<Value>, name: &str| -> HashSet<String> {
        rows.iter().map(|row| row[name].as_str().unwrap().to_owned()).collect()
    };
    let (clicks, conversions) =
        (acme.agency.all("/v1/clicks").await, acme.agency.all("/v1/conversions").await);
    assert!(known.clicks.lock().unwrap().is_subset(&names(clicks, "click_id")), "an answered click is lost");
    assert!(known.conversions.lock().unwrap().is_subset(&names(conversions, "id")), "a conversion is lost");
    server.kill().await;
}
