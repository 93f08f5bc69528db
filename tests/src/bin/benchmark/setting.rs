//! Everything that is measured: a fresh database, the server, the bare server, an advertiser with many links.

use std::path::Path;

use serde_json::{Value, json};
use tallyback_tests::{Acme, Process, TestDatabase, client, run};

use crate::{bare::Bare, machine::Processes, visitors};

const CAMPAIGNS: usize = 10;
const PUBLISHERS: usize = 24;
const LANDING_URLS: [&str; 2] = [
    "https://shop.example/sale",
    "https://shop.example/{campaign_id}/new?utm_source={publisher_id}&utm_content={sub1}&click={click_id}",
];
/// How long folding what a round has left may take, in quarters of a second.
const MOST_WAITS: usize = 240;

/// What is measured.
pub struct Setting {
    /// The comparison.
    pub bare: Bare,
    /// The server.
    pub server: Process,
    /// The server's database.
    pub database: TestDatabase,
    /// Who uses the processors.
    pub processes: Processes,
    /// The advertiser.
    pub acme: Acme,
    /// Clicks on its links, as requests.
    pub clicks: Vec<String>,
}

impl Setting {
    /// Starts and sets up everything.
    pub async fn start(program: &Path) -> Self {
        let bare = Bare::start(&std::env::current_exe().unwrap()).await;
        let database = TestDatabase::create().await;
        let server = Process::serve(program, &database, &["--trusted-proxies", "127.0.0.1"]).await;
        let acme = Acme::set_up(server.agency(&database).await).await;
        let codes = links(&acme).await;
        let clicks = visitors::requests(host(&server.base_url), &codes);
        let postmaster = postmaster(&database).await;
        let processes = Processes { server: server.id().parse().unwrap(), postmaster };
        Self { bare, server, database, processes, acme, clicks }
    }

    /// The rows of a table.
    pub async fn count(&self, table: &str) -> u64 {
        let count = self.database.db_number(&format!("SELECT count(*) FROM {table}")).await;
        count.try_into().expect("a count")
    }

    /// Waits until nothing is left to do from the last load: nothing waits in the spool, all totals are folded.
    pub async fn settle(&self) {
        for _ in 0..MOST_WAITS {
            if self.spooled().await == 0 && self.count("total_deltas").await == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        }
        panic!("{} entries wait in the spool, or the totals are not folded", self.spooled().await);
    }

    /// How many clicks and postbacks wait for the database.
    async fn spooled(&self) -> u64 {
        let asked = client().get(format!("{}/readyz", self.server.base_url)).send().await.unwrap();
        let health: Value = asked.json().await.unwrap();
        health["spooled"].as_u64().unwrap_or_default()
    }

    /// Stops the server as an operator would, and says whether the totals are what the rows add up to.
    pub async fn stop(self, program: &Path) -> Result<(), String> {
        self.server.signal("TERM").await;
        let (status, log) = self.server.end().await;
        if !status.success() {
            return Err(format!("the server ended with {status}: {log}"));
        }
        let verified = run(program, &["verify"], &[("DATABASE_URL", &self.database.url)]).await;
        println!("\ntallyback verify: {}", verified.stdout.lines().last().unwrap_or(&verified.stderr));
        if verified.code == Some(0) { Ok(()) } else { Err(verified.stdout + &verified.stderr) }
    }
}

/// `127.0.0.1:8080` of a URL.
pub fn host(base_url: &str) -> &str {
    base_url.trim_start_matches("http://")
}

/// A link for each campaign and publisher, every other one with a creative; their short codes.
async fn links(acme: &Acme) -> Vec<String> {
    let (agency, advertiser) = (&acme.agency, &acme.advertiser["id"]);
    let creative = json!({"advertiser_id": advertiser, "name": "Banner"});
    let creative = agency.make("/v1/creatives", creative).await;
    let (mut campaigns, mut publishers, mut codes) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..CAMPAIGNS {
        let landing_url = LANDING_URLS[number % LANDING_URLS.len()];
        let name = format!("Campaign {number}");
        let campaign = json!({"advertiser_id": advertiser, "name": name, "landing_url": landing_url});
        campaigns.push(agency.make("/v1/campaigns", campaign).await);
    }
    for number in 0..PUBLISHERS {
        publishers.push(agency.make("/v1/publishers", json!({"name": format!("Publisher {number}")})).await);
    }
    for (campaign, publisher) in campaigns.iter().flat_map(|c| publishers.iter().map(move |p| (c, p))) {
        let creative = if codes.len().is_multiple_of(2) { &creative["id"] } else { &Value::Null };
        let link = json!({
            "campaign_id": campaign["id"], "publisher_id": publisher["id"], "creative_id": creative, "name": "Link",
        });
        codes.push(code(&agency.make("/v1/links", link).await));
    }
    codes
}

fn code(link: &Value) -> String {
    let url = link["click_url"].as_str().expect("a link has its URL");
    url.rsplit_once('/').expect("a URL has a path").1.to_owned()
}

/// The first process of PostgreSQL, which writes its id into a file of its own.
async fn postmaster(database: &TestDatabase) -> Option<u32> {
    if !database.is_postgres() {
        return None;
    }
    let query = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::bigint";
    Some(database.db_number(query).await.try_into().expect("a process id"))
}
