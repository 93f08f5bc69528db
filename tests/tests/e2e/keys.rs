//! Signing keys: rotation, ends, addresses, tests, tenants, and the audit log of all of it.

use serde_json::{Value, json};
use tallyback_server::{
    clock::{self, Clock},
    config::Config,
};
use tallyback_tests::{Acme, Answer, Signer, TestApp, client, now, signer};

fn sale(click_id: &str, order: impl std::fmt::Display) -> Value {
    json!({"goal": "purchase", "click_id": click_id, "order_id": order.to_string(), "amount": "1.00", "currency": "EUR"})
}

fn path(key: &Value, action: &str) -> String {
    format!("/v1/signing-keys/{}{action}", key["id"].as_str().unwrap())
}

fn with_key(acme: &Acme, key: &Value) -> Acme {
    Acme { key: key.clone(), ..acme.clone() }
}

async fn actions(acme: &Acme) -> Vec<String> {
    let events = acme.agency.all("/v1/audit-events").await;
    events.iter().rev().map(|event| event["action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_works_for_its_grace_and_not_longer() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let at = |seconds: i64| app.clock.now().seconds() + seconds;
    let old_id = acme.key["id"].clone();
    app.clock.advance(1);
    let rotated = acme.agency.post(&path(&acme.key, "/rotate"), json!({})).await.expect(201);
    assert!(rotated["secret"].as_str().unwrap().starts_with("whsec_") && rotated["id"] != old_id);
    for name in ["name", "scopes", "advertiser_ids", "kind", "test", "allowed_ips"] {
        assert_eq!(rotated[name], acme.key[name], "{name}");
    }
    assert_eq!((&rotated["replaced"]["id"], rotated["expires_at"].is_null()), (&old_id, true));
    assert!(!rotated["replaced"].to_string().contains("whsec_"));
    let new = with_key(&acme, &rotated);
    acme.report_at(at(0), sale(&click_id, 1)).await.expect(201);
    new.report_at(at(0), sale(&click_id, 2)).await.expect(201);

    app.clock.advance(172_800 - 1);
    acme.report_at(at(0), sale(&click_id, 3)).await.expect(201);
    app.clock.advance(1);
    acme.report_at(at(0), sale(&click_id, 4)).await.refused(401, "signature_invalid");
    new.report_at(at(0), sale(&click_id, 4)).await.expect(201);
    acme.agency.post(&path(&acme.key, "/rotate"), json!({})).await.refused(422, "validation_failed");

    let third = acme.agency.post(&path(&rotated, "/rotate"), json!({"grace_seconds": 0})).await.expect(201);
    new.report_at(at(0), sale(&click_id, 5)).await.refused(401, "signature_invalid");
    with_key(&acme, &third).report_at(at(0), sale(&click_id, 5)).await.expect(201);
    for wrong in [-1, 2_592_001] {
        let asked = acme.agency.post(&path(&third, "/rotate"), json!({"grace_seconds": wrong})).await;
        asked.refused(422, "validation_failed");
    }
    let wanted = ["signing_key.created", "signing_key.rotated", "signing_key.rotated"];
    assert_eq!(actions(&acme).await, wanted);
    let events = acme.agency.all("/v1/audit-events").await;
    assert_eq!((&events[1]["subject"], &events[1]["details"]["replaced_by"]), (&old_id, &rotated["id"]));
    assert!(events.iter().all(|event| event["actor"].as_str().unwrap().starts_with("apk_")));
    assert!(!json!(events).to_string().contains("whsec_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_a_key_is_rotated_under_load() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let now = app.clock.now().seconds();
    let next = tokio::sync::OnceCell::new();
    let sender = async |number: usize| {
        // Each sender changes over at a time of its own, or not at all.
        let changes_over_at = usize::from(clock::random::<1>()[0] % 30);
        let mut by_new = 0;
        for order in 0..25 {
            let rotated = next.get().filter(|_| order >= changes_over_at).map(|key| with_key(&acme, key));
            by_new += usize::from(rotated.is_some());
            let sender = rotated.as_ref().unwrap_or(&acme);
            sender.report_at(now, sale(&click_id, format!("{number}-{order}"))).await.expect(201);
        }
        by_new
    };
    let rotate = async {
        let rotated = acme.agency.post(&path(&acme.key, "/rotate"), json!({})).await.expect(201);
        next.set(rotated).unwrap();
    };
    let senders = futures_util::future::join_all((0..16).map(sender));
    let (by_new, ()) = tokio::join!(senders, rotate);
    let by_new: usize = by_new.iter().sum();
    assert!(0 < by_new && by_new < 16 * 25, "{by_new} came under the new key");
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 16 * 25, "none was refused");

    app.clock.advance(172_800);
    let new = with_key(&acme, next.get().unwrap());
    let later = app.clock.now().seconds();
    for order in 0..25 {
        let sale = sale(&click_id, format!("later-{order}"));
        acme.report_at(later, sale.clone()).await.refused(401, "signature_invalid");
        new.report_at(later, sale).await.expect(201);
    }
    // Both were made within the same millisecond of the test's clock, and have no order.
    let events = acme.agency.all("/v1/audit-events").await;
    let (rotated, others): (Vec<_>, Vec<_>) =
        events.iter().partition(|event| event["action"] == "signing_key.rotated");
    assert_eq!((rotated.len(), others.len()), (1, 1), "{events:#?}");
    let told = (&rotated[0]["subject"], &rotated[0]["details"]["replaced_by"]);
    assert_eq!(told, (&acme.key["id"], &new.key["id"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_on_the_same_database_knows_within_a_second() {
    let app = TestApp::start().await;
    if !app.database.is_postgres() {
        return;
    }
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let other = TestApp::on(app.database.shared(), Clock::System, |_| {}).await;
    let there = acme.at(&other.base_url);
    there.report(sale(&click_id, 0)).await.expect(201);
    let rotated =
        acme.agency.post(&path(&acme.key, "/rotate"), json!({"grace_seconds": 0})).await.expect(201);
    refused_within_a_second(&there, &click_id).await;
    let there = with_key(&there, &rotated);
    there.report(sale(&click_id, 1)).await.expect(201);
    acme.agency.post(&path(&rotated, "/revoke"), json!({})).await.expect(200);
    refused_within_a_second(&there, &click_id).await;
}

async fn refused_within_a_second(acme: &Acme, click_id: &str) {
    let began = std::time::Instant::now();
    while acme.report(sale(click_id, "again")).await.status != 401 {
        assert!(began.elapsed().as_secs() < 1, "the key still works");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_ends_when_it_was_said_to() {
    let app = TestApp::at(0).await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let end = app.clock.now().plus_seconds(60).to_string();
    let key = acme.agency.make("/v1/signing-keys", json!({"name": "Soon over", "expires_at": end})).await;
    let with = with_key(&acme, &key);
    with.report_at(app.clock.now().seconds(), sale(&click_id, 1)).await.expect(201);
    app.clock.advance(60);
    with.report_at(app.clock.now().seconds(), sale(&click_id, 2)).await.refused(401, "signature_invalid");
    let past = json!({"name": "Over", "expires_at": "2020-01-01T00:00:00Z"});
    acme.agency.post("/v1/signing-keys", past).await.refused(422, "validation_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_key_counts_nothing() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let key = acme.agency.make("/v1/signing-keys", json!({"name": "Staging", "test": true})).await;
    let tests = with_key(&acme, &key);
    for _ in 0..2 {
        let answer = tests.report(sale(&click_id, 1)).await.expect(200);
        assert_eq!((&answer["code"], &answer["would_be"]), (&json!("validated"), &json!("accepted")));
    }
    tests.report(sale("cut", 1)).await.refused(400, "click_id_malformed");
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 0);
    assert_eq!(acme.agency.all("/v1/postbacks").await.len(), 0, "the list of what is real");
    let lines = acme.agency.all("/v1/postbacks?test=true").await;
    assert!(lines.len() == 3 && lines.iter().all(|line| line["test"] == true), "{lines:#?}");
    acme.report(sale(&click_id, 1)).await.expect(201);
    assert_eq!(acme.agency.all("/v1/postbacks").await.len(), 1);
    acme.agency.report_until("", "/rows/0/conversions/total", json!(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_works_from_its_addresses_alone() {
    let behind_a_proxy = |config: &mut Config| config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let app = TestApp::with(Clock::System, behind_a_proxy).await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let key = json!({"name": "Shop", "allowed_ips": ["198.51.100.7", "2001:db8::1/32"]});
    let key = acme.agency.make("/v1/signing-keys", key).await;
    assert_eq!(key["allowed_ips"], json!(["198.51.100.7/32", "2001:db8::/32"]));
    let signer = signer(&key);
    let from = async |forwarded: &str, order: &str| {
        let body = sale(&click_id, order).to_string();
        let request = client()
            .post(format!("{}/v1/conversions", app.base_url))
            .header("content-type", "application/json")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-for", forwarded);
        Answer::to(signer.sign(request, "msg_1", now(), body.as_bytes())).await
    };
    from("198.51.100.7", "1").await.expect(201);
    from("203.0.113.9, 198.51.100.7", "2").await.expect(201);
    from("2001:db8:5::9", "3").await.expect(201);
    for other in ["198.51.100.8", "198.51.100.7, 203.0.113.9", "2001:db9::1", "::1"] {
        let problem = from(other, "4").await.refused(403, "source_ip_not_allowed");
        assert!(problem["postback_id"].is_string(), "{problem:#}");
    }
    let open = acme.agency.patch(&path(&key, ""), json!({"allowed_ips": [], "name": "Open"})).await;
    let open = open.expect(200);
    assert_eq!((&open["allowed_ips"], &open["name"]), (&json!([]), &json!("Open")));
    from("203.0.113.9", "4").await.expect(201);
    for wrong in [json!(["x"]), json!(["198.51.100.7/33"]), json!([""]), json!(vec!["192.0.2.1"; 101])] {
        let asked = acme.agency.patch(&path(&key, ""), json!({"allowed_ips": wrong})).await;
        asked.refused(422, "validation_failed");
    }
    assert_eq!(actions(&acme).await, ["signing_key.created", "signing_key.created", "signing_key.updated"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_says_when_it_was_last_used() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let get = async || acme.agency.get(&path(&acme.key, "")).await.expect(200);
    assert!(get().await["last_used_at"].is_null());
    let wrong = Acme {
        key: json!({"id": acme.key["id"], "secret": format!("whsec_{}=", "A".repeat(43))}),
        ..acme.clone()
    };
    wrong.report(sale("x", 1)).await.refused(401, "signature_invalid");
    assert!(get().await["last_used_at"].is_null(), "somebody else has tried to use it");
    acme.report(sale("x", 1)).await.refused(400, "click_id_malformed");
    assert!(get().await["last_used_at"].is_string());
    assert!(!get().await.to_string().contains("whsec_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_do_not_cross_advertisers() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let other = Acme::set_up(acme.agency.clone()).await;
    let click_id = acme.click().await;
    other.report(sale(&click_id, 1)).await.refused(404, "click_not_found");
    let mut named = sale(&click_id, 1);
    named["advertiser"] = acme.advertiser["id"].clone();
    other.report(named.clone()).await.refused(404, "not_found");
    let swapped = Signer { key_id: acme.signer().key_id, secret: other.signer().secret };
    let key = json!({"id": swapped.key_id, "secret": swapped.secret});
    with_key(&acme, &key).report(sale(&click_id, 1)).await.refused(401, "signature_invalid");
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 0);
    let lines = acme.agency.all("/v1/postbacks").await;
    let codes: Vec<_> = lines.iter().rev().map(|line| line["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["click_not_found", "not_found", "signature_invalid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_reaches_no_goal_and_no_order_of_others() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let sister = Acme::set_up(acme.agency.clone()).await;
    let stranger = app.acme().await;
    let names = [(&sister, "sisters_goal"), (&stranger, "strangers_goal")];
    for (other, name) in names {
        other
            .goal(json!({"event_name": name, "count": "per_order", "modes": ["transaction", "partner"]}))
            .await;
        let theirs = json!({"goal": name, "click_id": other.click().await, "order_id": "A-1"});
        other.report(theirs).await.expect(201);
    }
    let click_id = acme.click().await;
    for (other, name) in names {
        for click_id in [&click_id, &other.click().await] {
            let foreign = json!({"goal": name, "click_id": click_id, "order_id": "A-1"});
            let refused = acme.report(foreign).await.refused(422, "goal_mismatch");
            assert!(!refused["nearest"].to_string().contains(name), "{refused:#}");
        }
        let by_publisher = json!({"goal": name, "publisher_id": other.publisher["id"], "order_id": "A-1"});
        acme.report(by_publisher).await.refused(422, "goal_mismatch");
        let key = json!({"id": other.key["id"], "secret": acme.key["secret"]});
        let mixed = json!({"goal": name, "click_id": other.click().await, "order_id": "A-2"});
        with_key(&acme, &key).report(mixed).await.refused(401, "signature_invalid");
    }
    assert_eq!(stranger.agency.all("/v1/conversions").await.len(), 1);
    let conversions = acme.agency.all("/v1/conversions").await;
    assert!(
        conversions.len() == 1 && conversions[0]["advertiser_id"] == sister.advertiser["id"],
        "{conversions:#?}"
    );
    let lines = acme.agency.all("/v1/postbacks").await;
    let codes: Vec<_> = lines.iter().map(|line| line["code"].as_str().unwrap()).collect();
    let count = |code: &str| codes.iter().filter(|seen| **seen == code).count();
    assert_eq!(
        (count("goal_mismatch"), count("signature_invalid"), count("accepted")),
        (6, 1, 1),
        "{codes:?}"
    );
    let lines = stranger.agency.all("/v1/postbacks").await;
    let codes: Vec<_> = lines.iter().rev().map(|line| line["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["accepted", "signature_invalid"], "and the stranger sees who tried its key");
    // The same order of another advertiser is another order.
    acme.report(sale(&click_id, "A-1")).await.expect(201);
}
