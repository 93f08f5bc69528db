//! The whole way of a conversion, through the public door: set-up over REST, a click over HTTP, the sale through the
//! SDK. Each step is printed with what came back.
#![expect(clippy::print_stdout, reason = "this is a command that shows something")]

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use clap::Args;
use serde_json::{Value, json};
use tallyback::Conversion;

mod api;
mod table;

use api::Api;

use crate::{
    app::{self, Notice},
    cli::stop_signal,
    clock::Clock,
    config::{ConfigError, ServeArgs},
    domain::text::Name,
    operator,
};

/// Settings of the demo.
#[derive(Args)]
pub struct DemoArgs {
    /// The server's settings; the database is a fresh one unless one is named.
    #[command(flatten)]
    serve: ServeArgs,
    /// Stop when everything has been shown, instead of serving
    #[arg(long)]
    exit: bool,
    /// Print one JSON line instead of the story
    #[arg(long)]
    json: bool,
}

type Failure = Box<dyn std::error::Error>;

/// Runs the demo.
pub async fn run(args: DemoArgs) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("tallyback-demo-").tempdir()?;
    let mut serve = args.serve;
    serve.database = serve.database.with_environment();
    let names_database = serve.database.database_url.is_some();
    if !names_database {
        serve.database.data_dir = folder.path().join("data");
    }
    serve.spool.spool.get_or_insert_with(|| folder.path().join("spool.db"));
    let mut config = serve.config()?;
    if let (None, Some(address)) =
        (&config.public_url, config.listen.filter(|address| address.ip().is_unspecified()))
    {
        config.public_url = Some(format!("http://{}", reachable(address)));
    }
    let app = app::build(config, Clock::System).await?;
    let address = app
        .http
        .ok_or_else(|| ConfigError::new("TALLYBACK_LISTEN (--listen)", "the demo needs plain HTTP"))?;
    let name = Name::parse("Demo agency").map_err(|problem| ConfigError::new("name", problem))?;
    let partner = operator::create_partner(&app.store, &Clock::System, &name).await?;

    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(app.run(async move {
        drop(stopped.await);
        Notice::default()
    }));
    let base_url = format!("http://{}", reachable(address));
    let api = Api::new(&base_url, partner.api_key.reveal())?;
    let story = Story { is_told: !args.json };
    let facts = tell(&story, &api, &partner.id.to_string()).await?;
    if args.json {
        println!("{facts}");
    }
    if !args.exit {
        story.say("\nThe server keeps running. Press Ctrl-C to stop it.");
        stop_signal()?.await;
    }
    stop.send(()).map_err(|()| "the server has stopped by itself")?;
    tokio::time::timeout(Duration::from_secs(30), server).await???;
    Ok(())
}

/// What is printed for people.
struct Story {
    is_told: bool,
}

impl Story {
    fn say(&self, text: &str) {
        if self.is_told {
            println!("{text}");
        }
    }

    fn step(&self, what: &str, came_back: &str) {
        self.say(&format!("  {what:<34} {came_back}"));
    }
}

async fn tell(story: &Story, api: &Api, partner_id: &str) -> Result<Value, Failure> {
    story.say("An agency sets up an advertiser, over the REST API:");
    story.step("partner", partner_id);
    let set_up = set_up(story, api).await?;

    story.say("\nA visitor clicks the tracking link:");
    let click_url = text(&set_up.link, "click_url");
    let location = api.click(&click_url).await?;
    story.step(&format!("GET {click_url}"), &format!("302 to {location}"));
    let click_id = api::parameter(&location, "kcid").ok_or("the landing URL has no click id")?;

    story.say("\nThe advertiser's back end reports the sale, through the SDK:");
    let (key_id, secret) = (text(&set_up.key, "id"), text(&set_up.key, "secret"));
    let client = tallyback::Client::builder(&api.base_url).key_id(&key_id).signing_secret(&secret).build()?;
    let sale = Conversion::new("purchase").click_id(&click_id).order_id("A-1001").amount("49.90", "EUR");
    let first = client.record(&sale).await?;
    let conversion_id = first.conversion_id.clone().ok_or("the sale was not counted")?;
    story.step("the sale", &format!("{}: {conversion_id}", first.outcome.code()));
    let again = client.record(&sale).await?;
    story.step(
        "the same sale again",
        &format!("{}: {}", again.outcome.code(), again.conversion_id.unwrap_or_default()),
    );
    story.step("a sale with a forged signature", &forged(api, &key_id, &sale).await?);

    story.say("\nThe report of today, by campaign and publisher:\n");
    let report = api.get("/v1/reports?dimensions=day,campaign,publisher").await?;
    story.say(&table::of(&report));
    let facts = json!({
        "base_url": api.base_url, "api_key": api.key, "key_id": key_id, "signing_secret": secret,
        "partner_id": partner_id, "advertiser_id": text(&set_up.advertiser, "id"),
        "campaign_id": text(&set_up.campaign, "id"), "publisher_id": text(&set_up.publisher, "id"),
        "goal": "purchase", "link_id": text(&set_up.link, "id"), "click_url": click_url, "click_id": click_id,
        "conversion_id": conversion_id, "docs_url": format!("{}/docs", api.base_url),
    });
    story.say("Go on from here:");
    for name in ["base_url", "docs_url", "click_url", "api_key", "key_id", "signing_secret"] {
        story.step(name, facts[name].as_str().unwrap_or_default());
    }
    story.say(&format!("\n  curl -H 'Authorization: Bearer {}' {}/v1/conversions", api.key, api.base_url));
    Ok(facts)
}

struct SetUp {
    advertiser: Value,
    campaign: Value,
    publisher: Value,
    link: Value,
    key: Value,
}

async fn set_up(story: &Story, api: &Api) -> Result<SetUp, Failure> {
    let advertiser = step(story, api, "/v1/advertisers", json!({"name": "Acme Shoes"})).await?;
    let goal = json!({
        "event_name": "purchase", "advertiser_id": advertiser["id"], "count": "per_order", "currency": "EUR",
        "payout": {"type": "percent", "percent": "10"}, "revenue": {"type": "percent", "percent": "12.5"},
    });
    step(story, api, "/v1/goals", goal).await?;
    let campaign = json!({
        "advertiser_id": advertiser["id"], "name": "Autumn sale", "landing_url": "https://shop.example/sale",
    });
    let campaign = step(story, api, "/v1/campaigns", campaign).await?;
    let publisher = step(story, api, "/v1/publishers", json!({"name": "Shoe blog"})).await?;
    let link = json!({"campaign_id": campaign["id"], "publisher_id": publisher["id"], "name": "Sidebar"});
    let link = step(story, api, "/v1/links", link).await?;
    let key = json!({"name": "Shop back end", "advertiser_ids": [advertiser["id"]]});
    let key = step(story, api, "/v1/signing-keys", key).await?;
    Ok(SetUp { advertiser, campaign, publisher, link, key })
}

async fn step(story: &Story, api: &Api, path: &str, body: Value) -> Result<Value, Failure> {
    let made = api.post(path, body).await?;
    story.step(&format!("POST {path}"), &format!("201 {}", text(&made, "id")));
    Ok(made)
}

/// Signs with a secret that is not the key's.
async fn forged(api: &Api, key_id: &str, sale: &Conversion) -> Result<String, Failure> {
    const SOMEBODY_ELSES: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let forger =
        tallyback::Client::builder(&api.base_url).key_id(key_id).signing_secret(SOMEBODY_ELSES).build()?;
    match forger.record(sale).await {
        Err(tallyback::Error::Refused(refusal)) => Ok(format!("{} {}", refusal.status, refusal.code)),
        Ok(_) => Err("a forged report was counted".into()),
        Err(error) => Err(error.into()),
    }
}

/// Where the demo itself reaches a server that listens on an address: on loopback, if it listens everywhere.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}
