//! Records one sale: `cargo run --example record -- BASE_URL KEY_ID SIGNING_SECRET CLICK_ID`.
//!
//! What is not an argument comes from `TALLYBACK_URL`, `TALLYBACK_KEY_ID`, `TALLYBACK_SIGNING_SECRET` and
//! `TALLYBACK_CLICK_ID`; the secret is better kept there, where no process list shows it. A file named by
//! `TALLYBACK_ROOT_CERTIFICATE` is trusted beside the system's authorities.
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

use std::error::Error;
use std::time::SystemTime;

use tallyback::{Client, Conversion};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut client = Client::builder(setting(1, "TALLYBACK_URL")?)
        .key_id(setting(2, "TALLYBACK_KEY_ID")?)
        .signing_secret(setting(3, "TALLYBACK_SIGNING_SECRET")?);
    if let Ok(path) = std::env::var("TALLYBACK_ROOT_CERTIFICATE") {
        client = client.root_certificate_pem(std::fs::read(path)?);
    }
    let sale = Conversion::new("purchase")
        .click_id(setting(4, "TALLYBACK_CLICK_ID")?)
        .order_id(format!("example-{}", std::process::id()))
        .amount("49.90", "EUR")
        .event_time(SystemTime::now());

    let recorded = client.build()?.record(&sale).await?;
    println!("{}: {}", recorded.outcome.code(), recorded.message);
    println!("conversion {}", recorded.conversion_id.as_deref().unwrap_or("(none)"));
    Ok(())
}

/// Takes an argument, or else the environment variable.
fn setting(position: usize, variable: &str) -> Result<String, String> {
    std::env::args()
        .nth(position)
        .or_else(|| std::env::var(variable).ok())
        .ok_or_else(|| format!("argument {position} or {variable} is missing"))
}
