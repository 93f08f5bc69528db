//! The client on the wire: what it sends, when it tries again, and what it makes of each answer.
//! Runs against a hand-written server on loopback, never against the product's.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod fake_server;
mod requests;
mod retries;
mod tls;

use std::time::Duration;

use tallyback::{Client, ClientBuilder, Conversion};

use fake_server::FakeServer;

const KEY_ID: &str = "key_1example";
const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn builder(base_url: &str) -> ClientBuilder {
    Client::builder(base_url).key_id(KEY_ID).signing_secret(SECRET).timeout(Duration::from_secs(5))
}

fn client(server: &FakeServer) -> Client {
    builder(&server.url()).build().unwrap()
}

fn sale() -> Conversion {
    Conversion::new("purchase").click_id("1abc").order_id("A-1001").amount("49.90", "EUR")
}
