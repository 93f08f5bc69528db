//! Kill -9 under load, again and again: is everything there that was answered, and nothing twice?

use std::{
    collections::HashSet,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::task::JoinSet;

use crate::{Acme, BROWSER, Process, TestDatabase, client, parameter};

/// Visitors that click and buy at once.
const VISITORS: usize = 8;

/// What the server has answered for.
#[derive(Default)]
pub struct Acknowledged {
    /// Ids of clicks.
    pub clicks: Mutex<HashSet<String>>,
    /// Ids of conversions.
    pub conversions: Mutex<HashSet<String>>,
    /// Click and order of sales that were sent and not answered: they may have been counted.
    pub open: Mutex<Vec<(String, String)>>,
    orders: AtomicU64,
}

impl Acknowledged {
    /// An order id that nobody has had.
    pub fn next_order(&self) -> String {
        format!("A-{}", self.orders.fetch_add(1, Ordering::Relaxed))
    }

    /// How many clicks and conversions there are.
    pub fn counts(&self) -> (usize, usize) {
        (self.clicks.lock().unwrap().len(), self.conversions.lock().unwrap().len())
    }
}

/// How it ended.
#[derive(Debug)]
pub struct Tally {
    /// Clicks that were answered.
    pub clicks: usize,
    /// Conversions that were answered, at once or when they were sent again.
    pub conversions: usize,
    /// Sales that got no answer and were sent again at the end.
    pub sent_again: usize,
    /// Clicks and conversions that were answered and are not there.
    pub missing: usize,
    /// Orders that are there more than once.
    pub duplicated: usize,
    /// Conversions that are there, and nobody was ever told so.
    pub unexplained: usize,
    /// What a report should say, and what it says: clicks, conversions, euros.
    pub rows: [String; 3],
    /// The same of the report.
    pub report: [String; 3],
}

impl Tally {
    /// True if nothing is lost, nothing counted twice, and the report is what the rows add up to.
    pub fn is_sound(&self) -> bool {
        (self.missing, self.duplicated, self.unexplained) == (0, 0, 0) && self.rows == self.report
    }
}

/// Kills the server so many times in the middle of its work, and compares what it answered with what it has.
pub async fn kill_under_load(program: &Path, database: &TestDatabase, rounds: u64) -> Tally {
    let mut server = Process::serve(program, database, &[]).await;
    let acme = Acme::set_up(server.agency(database).await).await;
    let known = Arc::new(Acknowledged::default());
    for round in 0..rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let visitors = load(&acme.at(&server.base_url), &known, &stop);
        tokio::time::sleep(Duration::from_millis(150 + round * 37 % 200)).await;
        server.kill().await;
        stop.store(true, Ordering::Relaxed);
        visitors.join_all().await;
        server = Process::serve(program, database, &[]).await;
    }
    let tally = compare(&acme.at(&server.base_url), &known).await;
    server.kill().await;
    tally
}

/// Visitors click and buy until they are told to stop.
fn load(acme: &Acme, known: &Arc<Acknowledged>, stop: &Arc<AtomicBool>) -> JoinSet<()> {
    let mut visitors = JoinSet::new();
    for _ in 0..VISITORS {
        let (url, sdk, http, known, stop) =
            (acme.click_url(), acme.sdk_that_sends_once(), client(), known.clone(), stop.clone());
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
                let order = known.next_order();
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

async fn compare(acme: &Acme, known: &Acknowledged) -> Tally {
    // What was sent and not answered is sent again: it counts once, whether it was counted before or not.
    let open = std::mem::take(&mut *known.open.lock().unwrap());
    let sdk = acme.sdk();
    for (click_id, order) in &open {
        let recorded = sdk.record(&Acme::sale(click_id, order)).await.unwrap();
        known.conversions.lock().unwrap().insert(recorded.conversion_id.unwrap());
    }
    let (clicks, conversions) =
        (acme.agency.all("/v1/clicks").await, acme.agency.all("/v1/conversions").await);
    let (answered_clicks, answered) =
        (known.clicks.lock().unwrap().clone(), known.conversions.lock().unwrap().clone());
    let (stored_clicks, stored) = (texts(&clicks, "click_id"), texts(&conversions, "id"));
    let cents = conversions.len() * 4_990;
    let report =
        acme.agency.report_until("", "/totals/conversions/total", serde_json::json!(conversions.len())).await;
    let totals = &report["totals"];
    Tally {
        clicks: answered_clicks.len(),
        conversions: answered.len(),
        sent_again: open.len(),
        missing: answered_clicks.difference(&stored_clicks).count() + answered.difference(&stored).count(),
        duplicated: conversions.len() - texts(&conversions, "order_id").len(),
        unexplained: stored.difference(&answered).count(),
        rows: [
            clicks.len().to_string(),
            conversions.len().to_string(),
            format!("{}.{:02}", cents / 100, cents % 100),
        ],
        report: [
            totals["clicks"].to_string(),
            totals["conversions"]["total"].to_string(),
            totals["money"][0]["amount"].as_str().unwrap().to_owned(),
        ],
    }
}

/// The different texts that rows have in a field.
pub fn texts(rows: &[Value], name: &str) -> HashSet<String> {
    rows.iter().map(|row| row[name].as_str().unwrap().to_owned()).collect()
}
