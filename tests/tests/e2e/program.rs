//! The program: its commands, its settings, what it says about wrong ones.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::Value;
use tallyback_tests::{Acme, Agency, Ended, Process, TestDatabase, client, run};

use super::tallyback;

async fn with_database(database: &TestDatabase, args: &[&str]) -> Ended {
    let folder = database.folder.path().join("data").display().to_string();
    run(tallyback(), args, &[("DATABASE_URL", &database.url), ("TALLYBACK_DATA_DIR", &folder)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_the_whole_way() {
    let database = TestDatabase::create().await;
    let told = with_database(&database, &["demo", "--exit", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    for wanted in [
        "POST /v1/advertisers",
        "302 to https://",
        "accepted: cnv_",
        "duplicate: cnv_",
        "401 signature_invalid",
        "EUR",
        "docs_url",
        "api_key",
    ] {
        assert!(told.stdout.contains(wanted), "{wanted}: {}", told.stdout);
    }
    let facts = with_database(&database, &["demo", "--exit", "--json", "--listen", "127.0.0.1:0"]).await;
    assert_eq!((facts.code, facts.stdout.lines().count()), (Some(0), 1), "{} {}", facts.stdout, facts.stderr);
    let facts: Value = serde_json::from_str(&facts.stdout).unwrap();
    for name in [
        "base_url",
        "api_key",
        "key_id",
        "signing_secret",
        "partner_id",
        "advertiser_id",
        "campaign_id",
        "publisher_id",
        "goal",
        "link_id",
        "click_url",
        "click_id",
        "conversion_id",
        "docs_url",
    ] {
        assert!(facts[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {facts:#}");
    }

    let server = Process::serve(tallyback(), &database, &[]).await;
    let agency = Agency::new(
        &server.base_url,
        facts["partner_id"].as_str().unwrap(),
        facts["api_key"].as_str().unwrap(),
    );
    let kept = agency
        .get(&format!("/v1/conversions/{}", facts["conversion_id"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(kept["click_id"], facts["click_id"]);
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_directory_is_the_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("deep/data");
    let text = data.display().to_string();
    let made =
        run(tallyback(), &["partner", "create", "--name", "Agency"], &[("TALLYBACK_DATA_DIR", &text)]).await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(made.stdout.contains("prt_") && made.stdout.contains("tbk_"), "{}", made.stdout);
    let mode = |name: &str| fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("master.key")), (0o700, 0o600));
    assert!(data.join("tallyback.db").is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_says_what_it_did() {
    let database = TestDatabase::create().await;
    let first = with_database(&database, &["migrate"]).await;
    assert!(first.code == Some(0) && first.stdout.contains("core"), "{first:?}");
    let again = with_database(&database, &["migrate"]).await;
    assert!(again.code == Some(0) && again.stdout.contains("0 applied"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_may_start_on_an_empty_database_at_once() {
    let database = TestDatabase::create().await;
    let spool = database.folder.path().join("another-spool.db").display().to_string();
    let args = ["--spool", spool.as_str()];
    let (one, two) = tokio::join!(
        Process::serve(tallyback(), &database, &[]),
        Process::serve(tallyback(), &database, &args)
    );
    for server in [one, two] {
        assert!(
            client().get(format!("{}/readyz", server.base_url)).send().await.unwrap().status().is_success()
        );
        server.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthcheck_tells_by_its_exit_code() {
    let database = TestDatabase::create().await;
    let server = Process::serve(tallyback(), &database, &[]).await;
    let url = format!("{}/livez", server.base_url);
    assert_eq!(run(tallyback(), &["healthcheck", "--url", &url], &[]).await.code, Some(0));
    server.kill().await;
    let dead = run(tallyback(), &["healthcheck", "--url", &url], &[]).await;
    assert!(dead.code == Some(1) && dead.stderr.lines().count() == 1, "{dead:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_command_prints_what_the_server_serves() {
    let database = TestDatabase::create().await;
    let printed = run(tallyback(), &["openapi"], &[]).await;
    let server = Process::serve(tallyback(), &database, &[]).await;
    let served =
        client().get(format!("{}/openapi.json", server.base_url)).send().await.unwrap().text().await.unwrap();
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(parse(&printed.stdout), parse(&served));
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_setting_is_one_sentence_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let used = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let used = used.local_addr().unwrap().to_string();
    for (name, value) in [
        ("DATABASE_URL", "mysql://localhost/x"),
        ("DATABASE_URL", "postgres://user:geheim@localhost:notaport/x"),
        ("DATABASE_URL", "sqlite::memory:"),
        ("TALLYBACK_LISTEN", "localhost"),
        ("TALLYBACK_LISTEN", "127.0.0.1:99999"),
        ("TALLYBACK_LISTEN", &used),
        ("TALLYBACK_LISTEN", "off"),
        ("TALLYBACK_TLS_LISTEN", "127.0.0.1:0"),
        ("TALLYBACK_TLS_CERT", "/nowhere/cert.pem"),
        ("TALLYBACK_PUBLIC_URL", "track.example.com"),
        ("TALLYBACK_PUBLIC_URL", "https://track.example.com/path"),
        ("TALLYBACK_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("TALLYBACK_GEO_DATABASE", "/nowhere/geo.mmdb"),
        ("TALLYBACK_METRICS", "9100"),
        ("TALLYBACK_METRICS", &used),
        ("TALLYBACK_SPOOL", "/nowhere/spool.db"),
        ("TALLYBACK_SPOOL_LIMIT", "1KiB"),
        ("TALLYBACK_SPOOL_LIMIT", "256"),
        ("TALLYBACK_WORKERS", "0"),
        ("TALLYBACK_WORKERS", "many"),
        ("TALLYBACK_MASTER_KEY", "short"),
        ("TALLYBACK_MASTER_KEY_FILE", "/nowhere/master.key"),
        ("TALLYBACK_POSTGRES_CA", "/nowhere/ca.pem"),
        ("TALLYBACK_LISTNE", "127.0.0.1:0"),
        ("TALLYBACK_LOG", "loud"),
        ("DATABASE_URL", "sqlite:/nowhere/x.db"),
        ("DATABASE_URL", "postgres://user:geheim@/x"),
    ] {
        let mut variables = vec![("TALLYBACK_DATA_DIR", data.as_str()), (name, value)];
        if name == "TALLYBACK_POSTGRES_CA" {
            variables.push(("DATABASE_URL", "postgres://localhost/x"));
        }
        let ended = run(tallyback(), &["serve"], &variables).await;
        assert_eq!(ended.code, Some(2), "{name}={value}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{name}={value}: {}", ended.stderr);
        let named = if name == "TALLYBACK_TLS_CERT" { "TALLYBACK_TLS_LISTEN" } else { name };
        assert!(
            ended.stderr.contains(named) && !ended.stderr.contains("geheim"),
            "{name}={value}: {}",
            ended.stderr
        );
    }
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("data").display().to_string();
    let ended = run(tallyback(), &["serve"], &[("TALLYBACK_DATA_DIR", &below)]).await;
    assert!(ended.code == Some(2) && ended.stderr.contains("TALLYBACK_DATA_DIR"), "{ended:?}");
    let flag = run(tallyback(), &["serve", "--shoe"], &[]).await;
    assert!(
        flag.code == Some(2) && flag.stderr.contains("--shoe") && flag.stderr.lines().count() == 1,
        "{flag:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_master_key_is_refused() {
    let database = TestDatabase::create().await;
    assert_eq!(with_database(&database, &["partner", "create", "--name", "Agency"]).await.code, Some(0));
    fs::remove_file(database.folder.path().join("data/master.key")).unwrap();
    let ended = with_database(&database, &["serve", "--listen", "127.0.0.1:0"]).await;
    assert!(ended.code == Some(2) && ended.stderr.contains("TALLYBACK_MASTER_KEY"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_come_before_the_environment() {
    let database = TestDatabase::create().await;
    let data = database.folder.path().join("data").display().to_string();
    let variables = [("DATABASE_URL", "mysql://wrong"), ("TALLYBACK_DATA_DIR", data.as_str())];
    let made = run(
        tallyback(),
        &["partner", "create", "--name", "Agency", "--database-url", &database.url],
        &variables,
    )
    .await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_stay_out_of_the_log() {
    let database = TestDatabase::create().await;
    let server = Process::serve_with(tallyback(), &database, &[], &[("TALLYBACK_LOG", "trace")]).await;
    let acme = Acme::set_up(server.agency(&database).await).await;
    let click_id = acme.click().await;
    acme.sdk().record(&Acme::sale(&click_id, "A-1")).await.unwrap();
    acme.report(serde_json::json!({"goal": "nonsense", "adv_sub1": "jane@example.com"})).await;
    acme.report_by_url(&format!("goal=purchase&click_id={click_id}&adv_sub1=jane%40example.com")).await;
    server.signal("TERM").await;
    let (_, log) = server.end().await;
    assert!(log.contains("TRACE") && log.contains("listening on") && log.contains("stopping"), "{log}");
    let master = fs::read_to_string(database.folder.path().join("data/master.key")).unwrap();
    for secret in [&acme.agency.api_key, acme.key["secret"].as_str().unwrap(), master.trim(), "jane"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
