//! Secrets at rest: bound to their row, sealed under a version of the master key that can be changed.

use serde_json::{Value, json};
use tallyback_server::{
    clock::{self, Clock},
    domain::{
        ids::{Id, KeyId, PartnerId},
        master_key::MasterKey,
    },
    operator::{self, Resealed},
};
use tallyback_tests::{Acme, TestApp};

fn sale(click_id: &str, order: &str) -> Value {
    json!({"goal": "purchase", "click_id": click_id, "order_id": order, "amount": "1.00", "currency": "EUR"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_copied_into_another_row_opens_nothing() {
    let app = TestApp::start().await;
    let (acme, stranger) = (app.acme().await, app.acme().await);
    let click_id = acme.click().await;
    let column = "secret_sealed";
    let of = |partner: &Acme| {
        let (id, key) =
            (PartnerId::parse(&partner.agency.id), KeyId::parse(partner.key["id"].as_str().unwrap()));
        (app.database.db_literal(id.unwrap().bytes()), app.database.db_literal(key.unwrap().bytes()))
    };
    let ((own, key), (other, others_key)) = (of(&acme), of(&stranger));
    let statement = format!(
        "UPDATE signing_keys SET {column} = (SELECT {column} FROM signing_keys WHERE partner_id = {other} AND id = {others_key}) \
         WHERE partner_id = {own} AND id = {key}"
    );
    app.database.db_execute(&statement).await;
    acme.report(sale(&click_id, "1")).await.refused(401, "signature_invalid");
    let swapped =
        Acme { key: json!({"id": acme.key["id"], "secret": stranger.key["secret"]}), ..acme.clone() };
    swapped.report(sale(&click_id, "1")).await.refused(401, "signature_invalid");
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 0);
    stranger.report(sale(&stranger.click().await, "1")).await.expect(201);

    app.database
        .db_execute(&format!("UPDATE signing_keys SET {column} = {} WHERE partner_id = {other}", empty(&app)))
        .await;
    let database = app.stop().await;
    let app = TestApp::on(database, Clock::System, |_| {}).await;
    let stranger = stranger.at(&app.base_url);
    stranger.report(sale("x", "2")).await.refused(401, "signature_invalid");
}

fn empty(app: &TestApp) -> &'static str {
    if app.database.is_postgres() { "''::bytea" } else { "X''" }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_of_the_master_key_seals_from_now_on_and_what_was_before_anew() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    let first = tallyback_tests::master_key();
    let second = MasterKey::from_bytes(clock::random()).to_text();
    let both = MasterKey::parse_versions(&format!("1:{}\n2:{second}", first.to_text())).unwrap();
    let database = app.stop().await;

    let app = TestApp::on(database, Clock::System, |config| config.master_key = both.clone().into()).await;
    let acme = acme.at(&app.base_url);
    acme.report(sale(&click_id, "1")).await.expect(201);
    let key = json!({"name": "Sealed under the second", "advertiser_ids": [acme.advertiser["id"]]});
    let newer = Acme { key: acme.agency.make("/v1/signing-keys", key).await, ..acme.clone() };
    newer.report(sale(&click_id, "2")).await.expect(201);
    let page = acme.agency.get("/v1/conversions?limit=1").await.expect(200);
    let next = page["next_cursor"].as_str().unwrap();

    let counts = |resealed, current, unreadable| Resealed { resealed, current, unreadable };
    assert_eq!(
        operator::reseal(&app.store, &first).await.unwrap(),
        counts(0, 1, 1),
        "the second is not there"
    );
    assert_eq!(operator::reseal(&app.store, &both).await.unwrap(), counts(1, 1, 0));
    assert_eq!(operator::reseal(&app.store, &both).await.unwrap(), counts(0, 2, 0));
    for acme in [&acme, &newer] {
        assert_eq!(acme.report(sale(&click_id, "1")).await.expect(200)["code"], "duplicate");
    }
    let rest = acme.agency.get(&format!("/v1/conversions?limit=1&cursor={next}")).await.expect(200);
    assert_eq!(
        rest["data"].as_array().unwrap().len(),
        1,
        "cursors and click ids are derived from the first version"
    );

    let database = app.stop().await;
    let app = TestApp::on(database, Clock::System, |_| {}).await;
    let acme = acme.at(&app.base_url);
    acme.report(sale(&click_id, "3")).await.refused(401, "signature_invalid");
}
