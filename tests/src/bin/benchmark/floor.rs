//! How near to the bare server anybody could come: the least server, in turn with the bare one.

use std::process::ExitCode;

use serde_json::json;
use tallyback_tests::TestDatabase;

use crate::{
    bare::Bare,
    figures::{median, rounded},
    least::LeastServer,
    options::Load,
    rounds::{BATCH, BATCH_CONNECTIONS},
    setting::host,
    visitors,
    wrk::{Repeat, Run, Wrk},
};

/// Length of the load that warms up, in seconds.
const WARM_UP_SECONDS: u64 = 2;
/// Different postbacks, batches of them, and links.
const POSTBACKS: usize = 5_000;
const BATCHES: usize = 20;
const LINKS: usize = 240;

/// Measures, prints, and says whether everything was answered.
pub async fn measure(load: &Load) -> ExitCode {
    let (program, database) = (std::env::current_exe().unwrap(), TestDatabase::create().await);
    let bare = Bare::start(&program).await;
    let least = LeastServer::start(&program, &database.url).await;
    let wrk = Wrk::new(database.folder.path(), load);
    let codes: Vec<String> = (0..LINKS).map(|number| format!("link-{number}")).collect();
    let clicks = visitors::requests(host(&least.base_url), &codes);
    let postbacks: Vec<String> =
        (0..POSTBACKS).map(|number| postback(host(&least.base_url), number)).collect();
    let batches: Vec<String> = (0..BATCHES).map(|number| batch(host(&least.base_url), number)).collect();
    let (mut click_ratios, mut postback_ratios, mut factors) = (Vec::new(), Vec::new(), Vec::new());
    let (mut failures, mut answered) = (0, 0);
    for requests in [&clicks, &postbacks] {
        answered += wrk.drive_for(WARM_UP_SECONDS, &least.base_url, requests, Repeat::Cycle).await.good();
    }
    println!("round   bare/s  clicks/s  ratio  postbacks/s  ratio  batched/s  factor");
    for number in 1..=load.rounds {
        let bare = wrk.drive(&bare.base_url, &clicks, Repeat::Cycle).await;
        let [clicks, postbacks] = [
            wrk.drive(&least.base_url, &clicks, Repeat::Cycle).await,
            wrk.drive(&least.base_url, &postbacks, Repeat::Cycle).await,
        ];
        let in_batches =
            wrk.drive_over(BATCH_CONNECTIONS, load.seconds, &least.base_url, &batches, Repeat::Cycle);
        let in_batches = in_batches.await;
        let ratio = |run: &Run| run.rate() / bare.rate();
        let batched = in_batches.rate() * BATCH as f64;
        println!(
            "{number:>5} {:>8.0} {:>9.0} {:>6.3} {:>12.0} {:>6.3} {:>10.0} {:>7.2}",
            bare.rate(),
            clicks.rate(),
            ratio(&clicks),
            postbacks.rate(),
            ratio(&postbacks),
            batched,
            batched / postbacks.rate()
        );
        answered += clicks.good() + postbacks.good() + in_batches.good() * BATCH as u64;
        failures += [&bare, &clicks, &postbacks, &in_batches].map(Run::failures).iter().sum::<u64>();
        click_ratios.push(ratio(&clicks));
        postback_ratios.push(ratio(&postbacks));
        factors.push(batched / postbacks.rate());
    }
    let mut stored = 0;
    for table in ["clicks", "lines"] {
        stored += database.db_number(&format!("SELECT count(*) FROM {table}")).await;
    }
    let figures = json!({
        "floor_click_ratio": rounded(median(click_ratios)), "floor_postback_ratio": rounded(median(postback_ratios)),
        "floor_batch_factor": rounded(median(factors)),
        "errors": failures, "answered": answered, "stored": stored, "rounds": load.rounds, "seconds": load.seconds,
        "connections": load.connections, "database": if database.is_postgres() { "postgres" } else { "sqlite" },
    });
    println!("{figures}");
    if failures == 0 && i64::try_from(answered) == Ok(stored) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// As many in a batch as there are in a real one, and as long.
fn batch(host: &str, number: usize) -> String {
    let item = |order| {
        format!(
            "{{\"amount\":\"59.29\",\"click_id\":\"106h27jwjypt3ffwyxy5jrhqpmsvksjmk98\",\"currency\":\"EUR\",\
             \"goal\":\"purchase\",\"order_id\":\"B-{order}\"}}"
        )
    };
    let body = (0..BATCH).map(|place| item(number * BATCH + place)).collect::<Vec<_>>().join("\n");
    format!(
        "POST /v1/conversions/batch HTTP/1.1\r\nHost: {host}\r\nUser-Agent: shop/1.0\r\nAccept: */*\r\n\
         Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// As long as the real ones; every other one has a body.
fn postback(host: &str, number: usize) -> String {
    let parameters = format!(
        "key_id=key_06h27jr25nzvs6e0t87ehdp5t8&ts=1795896888&goal=purchase\
         &click_id=106h27jwjypt3ffwyxy5jrhqpmsvksjmk98&order_id=B-{number}&amount=59.29&currency=EUR&sig={:064x}",
        number
    );
    match number % 2 {
        0 => format!(
            "GET /v1/postback?{parameters} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: shop/1.0\r\nAccept: */*\r\n\r\n"
        ),
        _ => format!(
            "POST /v1/conversions HTTP/1.1\r\nHost: {host}\r\nUser-Agent: shop/1.0\r\nAccept: */*\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{parameters}",
            parameters.len()
        ),
    }
}
