//! The server is stopped, or started, while its database is away.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use tallyback::Outcome;
use tallyback_tests::{Acme, Frail, Line, Load, Outage, Process, run};

use super::{
    outages::{is_away, is_ok, until},
    tallyback,
    verify::verify,
};

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_during_an_outage_loses_nothing_that_was_answered() {
    let mut frail = Frail::create().await;
    let server = Process::serve(tallyback(), &frail.database, &[]).await;
    let acme = Acme::set_up(server.agency(&frail.database).await).await;
    let load = Load::start(&acme, 8, "before");
    load.more(50).await;
    frail.begin(Outage::of(&frail.database)).await;
    until(&server.base_url, is_away).await;
    load.more(50).await;
    server.kill().await;
    let mut seen = load.stop().await;

    // A SQLite file that is not to be had at the start is a wrong setting; a PostgreSQL that is away is not.
    if !frail.database.is_postgres() {
        frail.end().await;
    }
    let server = Process::serve(tallyback(), &frail.database, &[]).await;
    let acme = acme.at(&server.base_url);
    if frail.database.is_postgres() {
        until(&server.base_url, is_away).await;
        let load = Load::start(&acme, 8, "after");
        load.more(50).await;
        let after = load.stop().await;
        assert!(after.failures.is_empty(), "{:#?}", after.failures);
        assert!(after.sales.iter().all(|sale| sale.outcome == Outcome::Spooled), "{:?}", after.outcomes());
        println!("while away after the start: {} clicks, sales {:?}", after.clicks.len(), after.outcomes());
        seen.clicks.extend(after.clicks);
        seen.sales.extend(after.sales);
        acme.agency.get("/v1/clicks").await.refused(503, "unavailable");
        frail.end().await;
    }
    until(&server.base_url, is_ok).await;

    let clicks = acme.agency.all("/v1/clicks").await;
    let conversions = acme.agency.all("/v1/conversions").await;
    let stored: HashSet<_> = clicks.iter().map(|click| click["click_id"].as_str().unwrap()).collect();
    let orders: HashSet<_> = conversions.iter().map(|row| row["order_id"].as_str().unwrap()).collect();
    let lost_clicks = seen.clicks.iter().filter(|click| !stored.contains(click.id.as_str())).count();
    let lost_sales = seen.sales.iter().filter(|sale| !orders.contains(sale.order.as_str())).count();
    println!("{} clicks and {} sales answered: {:?}", seen.clicks.len(), seen.sales.len(), seen.outcomes());
    assert!(seen.outcomes().contains_key("accepted_spooled"), "nothing was spooled before the kill");
    assert_eq!((lost_clicks, lost_sales), (0, 0), "answered and not there");
    assert_eq!(orders.len(), conversions.len(), "no order twice");
    let verified = verify(&frail.database, &[]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_polite_stop_during_an_outage_keeps_what_waits() {
    let mut frail = Frail::create().await;
    let server = Process::serve(tallyback(), &frail.database, &[]).await;
    let acme = Acme::set_up(server.agency(&frail.database).await).await;
    acme.click().await;
    let hanging = if frail.database.is_postgres() { Outage::Line(Line::Hanging) } else { Outage::Locked };
    frail.begin(hanging).await;
    let click_id = acme.click().await;
    let began = Instant::now();
    server.signal("TERM").await;
    let (status, log) = server.end().await;
    assert!(status.success() && began.elapsed() < Duration::from_secs(25), "{status}: {log}");
    frail.end().await;
    let server = Process::serve(tallyback(), &frail.database, &[]).await;
    until(&server.base_url, is_ok).await;
    acme.at(&server.base_url).agency.get(&format!("/v1/clicks/{click_id}")).await.expect(200);
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_waits_for_postgresql_and_then_makes_the_tables() {
    let mut frail = Frail::create().await;
    if !frail.database.is_postgres() {
        return a_locked_file_at_the_start_is_one_sentence(&mut frail).await;
    }
    another_master_key_is_noticed_when_the_database_is_back(&mut frail).await;
    for line in [Line::Refused, Line::Hanging] {
        frail.begin(Outage::Line(line)).await;
        let server = Process::serve(tallyback(), &frail.database, &[]).await;
        until(&server.base_url, is_away).await;
        frail.end().await;
        until(&server.base_url, is_ok).await;
        let acme = Acme::set_up(server.agency(&frail.database).await).await;
        acme.click().await;
        server.kill().await;
    }
}

/// Such a server must not touch the database, and what it has spooled is not the database's.
async fn another_master_key_is_noticed_when_the_database_is_back(frail: &mut Frail) {
    let server = Process::serve(tallyback(), &frail.database, &[]).await;
    server.kill().await;
    frail.begin(Outage::Line(Line::Refused)).await;
    let other = ("TALLYBACK_MASTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let mut server = Process::serve_with(tallyback(), &frail.database, &[], &[other]).await;
    frail.end().await;
    let told = server.logged("the database answers and cannot be used").await;
    assert!(told.contains("another master key"), "{told}");
    until(&server.base_url, is_away).await;
    server.kill().await;
}

async fn a_locked_file_at_the_start_is_one_sentence(frail: &mut Frail) {
    let server = Process::serve(tallyback(), &frail.database, &[]).await;
    server.kill().await;
    frail.database.db_execute("DROP TABLE outbox").await;
    frail.begin(Outage::Locked).await;
    let folder = frail.database.folder.path().join("data").display().to_string();
    let variables = [("DATABASE_URL", frail.database.url.as_str()), ("TALLYBACK_DATA_DIR", &folder)];
    let ended = run(tallyback(), &["serve", "--listen", "127.0.0.1:0"], &variables).await;
    assert!(ended.code == Some(2) && ended.stderr.contains("DATABASE_URL"), "{ended:?}");
    assert!(ended.stderr.contains("locked") && ended.stderr.lines().count() == 1, "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_is_wrong_is_not_taken_for_an_outage() {
    let frail = Frail::create().await;
    let folder = frail.database.folder.path().join("data").display().to_string();
    let url = &frail.database.url;
    let wrong = match frail.database.is_postgres() {
        true => {
            let (before, address) = url.rsplit_once('@').unwrap();
            let (server, _) = url.rsplit_once('/').unwrap();
            let (user, _) = before.rsplit_once(':').unwrap();
            [format!("{user}:geheim@{address}"), format!("{server}/no_such_database")]
        }
        false => {
            ["sqlite:/nowhere/x.db".to_owned(), format!("sqlite:{}", frail.database.folder.path().display())]
        }
    };
    for url in wrong {
        let variables = [("DATABASE_URL", url.as_str()), ("TALLYBACK_DATA_DIR", &folder)];
        let ended = run(tallyback(), &["serve", "--listen", "127.0.0.1:0"], &variables).await;
        assert!(ended.code == Some(2) && ended.stderr.contains("DATABASE_URL"), "{ended:?}");
        assert!(!ended.stderr.contains("geheim") && ended.stderr.lines().count() == 1, "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_belongs_to_one_server() {
    let frail = Frail::create().await;
    let server = Process::serve(tallyback(), &frail.database, &[]).await;
    let folder = frail.database.folder.path().join("data").display().to_string();
    let variables = [("DATABASE_URL", frail.database.url.as_str()), ("TALLYBACK_DATA_DIR", &folder)];
    let ended = run(tallyback(), &["serve", "--listen", "127.0.0.1:0"], &variables).await;
    assert!(ended.code == Some(2) && ended.stderr.contains("TALLYBACK_SPOOL"), "{ended:?}");
    assert!(ended.stderr.lines().count() == 1, "{ended:?}");
    server.kill().await;
    let server = Process::serve(tallyback(), &frail.database, &[]).await;
    server.kill().await;
}
