//! The house is as ARCHITECTURE.md says: who may know whom, and where the clock, chance and the environment are read.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The server's sources: path below `server/src`, and the code without comments.
fn sources() -> Vec<(String, String)> {
    let (root, mut sources) = (project("server/src"), Vec::new());
    collect(&root, &root, &mut sources);
    assert!(sources.len() > 80, "the sources were not found");
    sources
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            sources.push((path.strip_prefix(root).unwrap().display().to_string(), code.join("\n")));
        }
    }
}

/// The files that contain one of some words and are not below one of some places.
fn strays(words: &[&str], places: &[&str]) -> BTreeSet<String> {
    let allowed = |path: &str| places.iter().any(|place| path.starts_with(place));
    let found = sources()
        .into_iter()
        .filter(|(path, code)| !allowed(path) && words.iter().any(|word| code.contains(word)));
    found.map(|(path, _)| path).collect()
}

/// The files below one of some places that contain one of some words.
fn intruders(words: &[&str], places: &[&str]) -> BTreeSet<String> {
    strays(words, &[]).into_iter().filter(|path| places.iter().any(|place| path.starts_with(place))).collect()
}

fn none() -> BTreeSet<String> {
    BTreeSet::new()
}

#[test]
fn only_the_database_layer_knows_diesel() {
    assert_eq!(
        strays(&["diesel", "tokio_postgres::", "libsqlite3"], &["db/", "config/database_url.rs"]),
        none()
    );
}

#[test]
fn only_the_web_layer_knows_actix() {
    assert_eq!(strays(&["actix_web", "utoipa_actix_web", "HttpResponse"], &["http/", "app.rs"]), none());
}

#[test]
fn arrows_point_down() {
    let above =
        |layers: &[&str]| -> Vec<String> { layers.iter().map(|layer| format!("crate::{layer}")).collect() };
    for (place, layers) in [
        (
            "domain/",
            &[
                "db", "cache", "http", "ingest", "jobs", "app", "cli", "config", "clock", "error", "geo",
                "tls", "operator", "demo",
            ][..],
        ),
        ("db/", &["http", "cache", "ingest", "jobs", "app", "cli", "geo", "tls", "operator", "demo"]),
        ("cache/", &["http", "ingest", "jobs", "app", "cli", "operator", "demo"]),
        ("ingest/", &["http", "jobs", "app", "cli", "operator", "demo"]),
        ("jobs", &["http", "app", "cli", "operator", "demo"]),
        ("http/", &["app", "cli", "jobs", "operator", "demo"]),
    ] {
        let layers = above(layers);
        for (path, code) in sources().iter().filter(|(path, _)| path.starts_with(place)) {
            for layer in &layers {
                assert!(!code.contains(&format!("{layer}::")), "{path} knows {layer}");
            }
            for name in code.split("use crate::{").skip(1).flat_map(imported_modules) {
                assert!(!layers.contains(&format!("crate::{name}")), "{path} knows {name}");
            }
        }
    }
}

/// The modules that a `use crate::{` names, without what it takes from each.
fn imported_modules(list: &str) -> Vec<String> {
    let (mut names, mut depth) = (vec![String::new()], 1);
    for character in list.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(String::new()),
            _ if depth == 1 => names.last_mut().unwrap().push(character),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names.iter().map(|name| name.trim().split("::").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn imports_are_read_in_one_line_and_in_several() {
    assert_eq!(imported_modules("error::Error, http::State};"), ["error", "http"]);
    assert_eq!(imported_modules("\n    db::{a, b},\n    http::{State, x::{y}},\n};")[..2], ["db", "http"]);
}

#[test]
fn the_domain_is_pure() {
    let outside = [
        "std::env",
        "std::fs",
        "std::net::Tcp",
        "SystemTime::now",
        "Instant::now",
        "tokio::",
        "tracing::",
        "reqwest::",
    ];
    assert_eq!(intruders(&outside, &["domain/"]), none());
}

#[test]
fn time_chance_and_environment_have_one_reader_each() {
    assert_eq!(strays(&["SystemTime::now", "Timestamp::now", "Zoned::now"], &["clock.rs"]), none());
    assert_eq!(strays(&["rand::fill", "SystemRandom", "getrandom", "Uuid::new_v4"], &["clock.rs"]), none());
    assert_eq!(strays(&["env::var", "env::vars", "std::env"], &["config/"]), none());
}

#[test]
fn a_partners_rows_are_opened_in_few_places() {
    let places = [
        // What was known before a start comes back with the partners that were established then.
        "cache/forms.rs",
        "db/queries/links.rs",
        "db/queries/partners.rs",
        "db/queries/record_capped_clicks.rs",
        "db/queries/record_clicks.rs",
        "db/queries/record_postbacks.rs",
        "db/queries/record_postbacks/caps.rs",
        "db/queries/record_postbacks/ledger.rs",
        "db/queries/record_postbacks/people.rs",
        "db/queries/record_postbacks/quick.rs",
        "db/queries/record_sightings.rs",
        "db/queries/signing_keys.rs",
        // What was authenticated before it had to wait comes back with the partner that was established then.
        "db/spool/payload.rs",
        "http/caller.rs",
    ];
    let makers: BTreeSet<_> = sources()
        .into_iter()
        .filter(|(_, code)| code.contains("PartnerScope::established("))
        .map(|(path, _)| path)
        .collect();
    assert!(makers.iter().all(|path| places.contains(&path.as_str())), "{makers:?}");
    let deserialised =
        sources().into_iter().any(|(path, code)| path == "db/scope.rs" && code.contains("Deserialize"));
    assert!(!deserialised, "a scope cannot come from outside");
}

#[test]
fn secrets_are_not_printed_by_accident() {
    for (path, name) in [
        ("domain/master_key.rs", "MasterKey"),
        ("domain/signing_secret.rs", "SigningSecret"),
        ("domain/api_key.rs", "SecretText"),
    ] {
        let (_, code) = sources().into_iter().find(|(source, _)| source == path).unwrap();
        let (before, _) = code.split_once(&format!("pub struct {name}")).unwrap();
        let derives = before.rsplit("#[derive(").next().unwrap();
        assert!(!derives.contains("Debug") && !derives.contains("Serialize"), "{name} derives {derives}");
    }
}

#[test]
fn the_two_databases_have_the_same_migrations() {
    let names = |database: &str| -> BTreeSet<_> {
        let folder = fs::read_dir(project("migrations").join(database)).unwrap();
        folder.map(|entry| entry.unwrap().file_name()).collect()
    };
    assert!(!names("sqlite").is_empty());
    assert_eq!(names("sqlite"), names("postgres"));
}

#[test]
fn the_sdk_does_not_know_the_server() {
    let manifest = fs::read_to_string(project("sdk/Cargo.toml")).unwrap();
    assert!(!manifest.contains("tallyback-server"), "{manifest}");
}
