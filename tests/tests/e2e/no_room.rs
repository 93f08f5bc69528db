//! No room is left: the spool has reached its limit, or the disk is full. Nothing is promised that cannot be kept, and
//! everything works again, without a restart, as soon as there is room.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use serde_json::json;
use tallyback_tests::{Acme, Answer, Frail, Outage, Process, visit};

use super::{
    outages::{is_ok, until},
    tallyback,
    verify::verify,
};

/// More requests than any of these places has room for.
const MOST: usize = 20_000;

async fn report(acme: &Acme, click_id: &str, order: usize) -> Answer {
    let order = format!("A-{order}");
    let text = "x".repeat(400);
    let sale = json!({
        "goal": "purchase", "click_id": click_id, "order_id": order, "amount": "1", "currency": "EUR",
        "adv_sub1": text, "adv_sub2": text,
    });
    acme.report(sale).await
}

/// Clicks and reports until there is no room; how many were recorded.
async fn fill(acme: &Acme, click_id: &str) -> (i64, i64) {
    let (mut clicks, mut sales) = (0, 0);
    let refused = loop {
        let answer = report(acme, click_id, sales).await;
        if answer.status == 503 {
            break answer;
        }
        assert!(answer.status == 201 || answer.status == 202, "{}", answer.text);
        sales += 1;
        assert!(sales < MOST, "there is always room");
    };
    assert_eq!(refused.header("retry-after"), Some("1"));
    refused.refused(503, "storage_full");
    // A visitor is sent on all the same. A click may still fit where a report does not.
    loop {
        let visit = visit(&acme.click_url()).await;
        assert_eq!((visit.status, visit.location.is_some()), (302, true));
        if visit.click_id.is_none() {
            return (clicks, sales as i64);
        }
        clicks += 1;
        assert!(clicks < MOST as i64, "there is always room");
    }
}

/// Everything that was recorded is there, once; and the next click and the next sale are as usual.
async fn assert_recovered(frail: &Frail, server: &Process, acme: &Acme, recorded: (i64, i64)) {
    until(&server.base_url, is_ok).await;
    let count = async |table: &str| frail.database.db_number(&format!("SELECT count(*) FROM {table}")).await;
    assert_eq!((count("clicks").await, count("conversions").await), recorded);
    let click_id = acme.click().await;
    assert_eq!(report(acme, &click_id, MOST).await.expect(201)["code"], "accepted");
    if !frail.database.is_postgres() {
        let faults = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'";
        assert_eq!(frail.database.db_number(faults).await, 0);
    }
    let verified = verify(&frail.database, &[]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_its_limit_nothing_is_spooled_and_visitors_go_on_without_an_id() {
    let mut frail = Frail::create().await;
    let mut server = Process::serve(tallyback(), &frail.database, &["--spool-limit", "16KiB"]).await;
    let acme = Acme::set_up(server.agency(&frail.database).await).await;
    let click_id = acme.click().await;
    report(&acme, &click_id, MOST + 1).await.expect(201);
    frail.begin(Outage::of(&frail.database)).await;
    let (clicks, sales) = fill(&acme, &click_id).await;
    let line = server.logged("no room in the spool").await;
    assert!(line.contains("untracked_clicks=") && line.contains("refused_postbacks="), "{line}");
    frail.end().await;
    println!("16 KiB hold {clicks} clicks and {sales} sales");
    assert_recovered(&frail, &server, &acme, (clicks + 1, sales + 1)).await;
    server.kill().await;
}

/// A disk that can be full.
enum Disk {
    /// The server may not make a file larger.
    Limited,
    /// A small file system, and what fills it.
    Small(Mounted),
}

/// A file system of 3 MiB in memory, on the folder of a database.
struct Mounted(PathBuf);

impl Mounted {
    /// None where file systems may not be mounted.
    fn on(folder: &Path) -> Option<Self> {
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=3m,mode=0777", "tmpfs"])
            .arg(folder)
            .output();
        mount.is_ok_and(|done| done.status.success()).then(|| Self(folder.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

impl Disk {
    async fn become_full(&self, server: &Process) {
        match self {
            Self::Limited => limit_files(server, "1:unlimited"),
            Self::Small(Mounted(folder)) => {
                let mut filler = fs::File::create(folder.join("filler")).unwrap();
                while filler.write_all(&[0; 4096]).is_ok() {}
            }
        }
    }

    async fn have_room(&self, server: &Process) {
        match self {
            Self::Limited => limit_files(server, "unlimited:unlimited"),
            Self::Small(Mounted(folder)) => fs::remove_file(folder.join("filler")).unwrap(),
        }
    }
}

/// Sets how large files may become that the server writes.
fn limit_files(server: &Process, limit: &str) {
    let set = Command::new("prlimit").args(["--pid", &server.id(), &format!("--fsize={limit}")]).status();
    assert!(set.unwrap().success());
}

/// The program, without the signal that would end it at such a limit.
fn patient_program(folder: &Path) -> PathBuf {
    let script = folder.join("patient");
    fs::write(&script, format!("#!/bin/sh\ntrap '' 25\nexec '{}' \"$@\"\n", tallyback().display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}

/// Fills the disk and frees it; what there is to tell about it.
async fn fill_and_free(mut frail: Frail, disk: Disk) -> String {
    let program = patient_program(frail.database.folder.path());
    let server = Process::serve(&program, &frail.database, &[]).await;
    let acme = Acme::set_up(server.agency(&frail.database).await).await;
    let click_id = acme.click().await;
    report(&acme, &click_id, MOST + 1).await.expect(201);
    if frail.database.is_postgres() {
        frail.begin(Outage::of(&frail.database)).await;
        until(&server.base_url, super::outages::is_away).await;
    }
    disk.become_full(&server).await;
    let (clicks, sales) = fill(&acme, &click_id).await;
    disk.have_room(&server).await;
    frail.end().await;
    let freed = Instant::now();
    until(&server.base_url, is_ok).await;
    let told = format!(
        "{clicks} clicks and {sales} sales were still recorded; well again after {:?}",
        freed.elapsed()
    );
    assert_recovered(&frail, &server, &acme, (clicks + 1, sales + 1)).await;
    server.kill().await;
    drop(disk);
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_and_needs_no_restart() {
    let told = fill_and_free(Frail::create().await, Disk::Limited).await;
    println!("files that may not grow: {told}");
    let frail = Frail::create().await;
    match Mounted::on(frail.database.folder.path()) {
        Some(mounted) => {
            println!("a small file system: {}", fill_and_free(frail, Disk::Small(mounted)).await);
        }
        None => println!("a small file system: cannot be mounted here; the other way was tested"),
    }
}
