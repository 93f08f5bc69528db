//! What becomes of a spool that is damaged while the server is down: the server starts, keeps what can be read, and
//! says how much could not.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::Path,
};

use serde_json::{Value, json};
use tallyback_tests::{Acme, Frail, Outage, Process};

use super::{outages, tallyback, verify::verify};

/// Clicks that wait in the spool when it is damaged.
const CLICKS: usize = 40;

type Damage = (&'static str, fn(&Path));

/// Every kind of damage, with what the log has to say at the next start.
const DAMAGES: [Damage; 5] = [
    ("nothing", |_| {}),
    ("bytes are flipped", |spool| {
        let file = OpenOptions::new().read(true).write(true).open(spool).unwrap();
        let middle = fs::metadata(spool).unwrap().len() / 2;
        let mut bytes = [0; 64];
        file.read_exact_at(&mut bytes, middle).unwrap();
        file.write_all_at(&bytes.map(|byte| !byte), middle).unwrap();
    }),
    ("the end is cut off", |spool| {
        let length = fs::metadata(spool).unwrap().len();
        OpenOptions::new().write(true).open(spool).unwrap().set_len(length * 2 / 3 + 100).unwrap();
    }),
    ("the journal is deleted", |spool| {
        drop(fs::remove_file(spool.with_extension("db-wal")));
    }),
    ("the file is deleted", |spool| fs::remove_file(spool).unwrap()),
];

/// A number of a line of the log.
fn number(line: &str, name: &str) -> usize {
    let (_, after) = line.split_once(&format!("{name}=")).unwrap_or_else(|| panic!("{name} in {line}"));
    after.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_spool_keeps_what_can_be_read_and_tells_the_rest() {
    let mut frail = Frail::create().await;
    let mut server = Process::serve(tallyback(), &frail.database, &[]).await;
    let acme = Acme::set_up(server.agency(&frail.database).await).await;
    acme.click().await;
    let spool = frail.database.folder.path().join("data/spool.db");
    let mut there = 1;
    for (what, damage) in DAMAGES {
        frail.begin(Outage::of(&frail.database)).await;
        let here = acme.at(&server.base_url);
        for _ in 0..CLICKS {
            here.click().await;
        }
        server.kill().await;
        damage(&spool);
        frail.end().await;
        server = Process::serve(tallyback(), &frail.database, &[]).await;
        let told = server.told("in the spool").or_else(|| server.told("the spool was damaged"));
        let told = told.unwrap_or_else(|| panic!("{what}: nothing was said"));
        outages::until(&server.base_url, outages::is_ok).await;

        let stored = frail.database.db_number("SELECT count(*) FROM clicks").await;
        let kept = usize::try_from(stored).unwrap() - there;
        assert_eq!(kept, number(&told, "kept"), "{what}: {told}");
        let accounted = match what {
            "nothing" | "the journal is deleted" => kept,
            _ => kept + number(&told, "damaged") + number(&told, "lost"),
        };
        assert_eq!(accounted, CLICKS, "{what}: {told}");
        assert_eq!(told.contains("damaged"), accounted != kept, "{what}: {told}");
        there += kept;
    }
    let verified = verify(&frail.database, &[]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_has_already_is_not_counted_again() {
    let mut frail = Frail::create().await;
    let server = Process::serve(tallyback(), &frail.database, &[]).await;
    let acme = Acme::set_up(server.agency(&frail.database).await).await;
    acme.sdk().record(&Acme::sale(&acme.click().await, "A-0")).await.unwrap();
    frail.begin(Outage::of(&frail.database)).await;
    for number in 1..=CLICKS {
        let sale = Acme::sale(&acme.click().await, &format!("A-{number}"));
        acme.sdk().record(&sale).await.unwrap();
        acme.sdk().record(&sale).await.unwrap();
    }
    server.kill().await;
    frail.end().await;
    let waiting = 3 * CLICKS;
    let verified = verify(&frail.database, &["--json"]).await;
    let summary: Value = serde_json::from_str(verified.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((verified.code, &summary["spooled"]), (Some(0), &json!(waiting)), "{verified:?}");
    assert!(verified.stderr.contains(&format!("{waiting} clicks and postbacks wait")), "{verified:?}");

    // As if the server were killed each time between the commit and the removal from the spool.
    let spool = frail.database.folder.path().join("data/spool.db");
    let before = fs::read(&spool).unwrap();
    for round in 0..3 {
        drop(fs::remove_file(spool.with_extension("db-wal")));
        fs::write(&spool, &before).unwrap();
        let server = Process::serve(tallyback(), &frail.database, &[]).await;
        outages::until(&server.base_url, outages::is_ok).await;
        for (table, rows) in
            [("clicks", 1 + CLICKS), ("conversions", 1 + CLICKS), ("postbacks", 1 + 2 * CLICKS)]
        {
            let count = frail.database.db_number(&format!("SELECT count(*) FROM {table}")).await;
            assert_eq!(usize::try_from(count).unwrap(), rows, "{table} in round {round}");
        }
        let verified = verify(&frail.database, &[]).await;
        assert!(verified.code == Some(0) && verified.stderr.is_empty(), "{verified:?}");
        server.kill().await;
    }
}
