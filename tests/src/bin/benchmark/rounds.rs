//! One round: the bare server, then clicks, then a postback for each of some of these clicks, singly and in batches; and
//! what was stored.

use std::collections::VecDeque;

use crate::{
    options::Options,
    sales::Sales,
    setting::{Setting, host},
    wrk::{Repeat, Run, Wrk},
};

/// Postbacks are prepared for so many times as many as the fastest round has sent: they must not run out.
const MARGIN: f64 = 1.5;
/// Length of the load that warms up, in seconds.
const WARM_UP_SECONDS: u64 = 2;

/// Sales in a batch.
pub const BATCH: usize = 1_000;
/// Batches in a round, if the time is long enough: there must be a click for each sale.
const MOST_BATCHES: usize = 200;
/// Connections that send batches.
pub const BATCH_CONNECTIONS: usize = 4;

/// Load on the server, and what it left behind.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The load.
    pub run: Run,
    /// Rows that a request stands for.
    pub rows_each: u64,
    /// Rows that it added to the database.
    pub stored: u64,
    /// Processor time of server and database, in milliseconds, with all that the load has caused.
    pub cpu_ms: u64,
}

impl Measured {
    /// True if every good answer has its row, each row has an answer, and nothing else came.
    pub fn is_sound(&self) -> bool {
        self.run.failures() == 0 && self.answered() == self.stored && self.stored > 0
    }

    /// Rows that were answered well.
    pub fn answered(&self) -> u64 {
        self.run.good() * self.rows_each
    }

    /// Rows a second.
    pub fn rate(&self) -> f64 {
        self.run.rate() * self.rows_each as f64
    }

    /// Processor time of one row.
    pub fn cpu_ms_each(&self) -> f64 {
        self.cpu_ms as f64 / self.stored as f64
    }
}

/// One round.
pub struct Round {
    /// The bare server.
    pub bare: Run,
    /// Clicks.
    pub clicks: Measured,
    /// Postbacks.
    pub postbacks: Measured,
    /// Postbacks in batches.
    pub batches: Measured,
}

/// Runs rounds.
pub struct Rounds {
    setting: Setting,
    wrk: Wrk,
    sales: Sales,
    /// Stored clicks of people that no sale was reported for.
    unsold: VecDeque<[u8; 16]>,
    /// The last click that is known here.
    newest: [u8; 16],
    /// Postbacks a second, of the fastest round.
    fastest: f64,
    seconds: u64,
    /// Everything that was measured outside of rounds: warming up, and clicks to be sold.
    pub beside: Vec<Measured>,
}

impl Rounds {
    /// Warms everything up.
    pub async fn start(setting: Setting, options: &Options) -> Self {
        let wrk = Wrk::new(setting.database.folder.path(), &options.load);
        let sales = Sales::of(&setting.acme, &setting.database);
        let (unsold, newest, seconds) = (VecDeque::new(), [0; 16], options.load.seconds);
        let mut rounds =
            Self { setting, wrk, sales, unsold, newest, fastest: 0.0, seconds, beside: Vec::new() };
        rounds
            .wrk
            .drive_for(WARM_UP_SECONDS, &rounds.setting.bare.base_url, &rounds.setting.clicks, Repeat::Cycle)
            .await;
        let clicks = rounds.clicks(WARM_UP_SECONDS).await;
        let postbacks = rounds.postbacks(WARM_UP_SECONDS).await;
        let batches = rounds.batches(WARM_UP_SECONDS).await;
        rounds.beside.extend([clicks, postbacks, batches]);
        rounds
    }

    /// Runs a round.
    pub async fn run(&mut self) -> Round {
        let bare = self.wrk.drive(&self.setting.bare.base_url, &self.setting.clicks, Repeat::Cycle).await;
        let clicks = self.clicks(self.seconds).await;
        while self.unsold.len() < self.wanted() {
            let more = self.clicks(self.seconds).await;
            self.beside.push(more);
        }
        let postbacks = self.postbacks(self.seconds).await;
        let batches = self.batches(self.seconds).await;
        Round { bare, clicks, postbacks, batches }
    }

    /// Ends the load; the setting goes on.
    pub fn end(self) -> Setting {
        self.setting
    }

    /// Clicks that a round may need.
    fn wanted(&self) -> usize {
        self.wanted_singly() + MOST_BATCHES * BATCH
    }

    /// Postbacks that a round may need.
    fn wanted_singly(&self) -> usize {
        (self.fastest * self.seconds as f64 * MARGIN) as usize
    }

    /// Postbacks to prepare: as many as a round may need, or all when no round has said yet how many that is.
    fn prepared(&self) -> usize {
        if self.fastest > 0.0 { self.unsold.len().min(self.wanted_singly()) } else { self.unsold.len() / 2 }
    }

    async fn clicks(&mut self, seconds: u64) -> Measured {
        let (setting, before) = (&self.setting, self.setting.count("clicks").await);
        let cpu_before = setting.processes.cpu_ms();
        let run = self.wrk.drive_for(seconds, &setting.server.base_url, &setting.clicks, Repeat::Cycle).await;
        setting.settle().await;
        let cpu_ms = setting.processes.cpu_ms() - cpu_before;
        let stored = setting.count("clicks").await - before;
        self.find_unsold().await;
        Measured { run, rows_each: 1, stored, cpu_ms }
    }

    async fn find_unsold(&mut self) {
        let after = self.setting.database.db_literal(&self.newest);
        let people = format!("SELECT id FROM clicks WHERE class = 'human' AND id > {after} ORDER BY id");
        let ids = self.setting.database.db_ids(&people).await;
        self.newest = ids.last().copied().unwrap_or(self.newest);
        self.unsold.extend(ids);
    }

    async fn postbacks(&mut self, seconds: u64) -> Measured {
        let setting = &self.setting;
        let before = setting.count("conversions").await;
        let (base_url, prepared) = (&setting.server.base_url, self.prepared());
        let clicks = self.unsold.iter().copied().take(prepared);
        let requests = self.sales.requests(host(base_url), clicks);
        let cpu_before = setting.processes.cpu_ms();
        let run = self.wrk.drive_for(seconds, base_url, &requests, Repeat::Never).await;
        setting.settle().await;
        let cpu_ms = setting.processes.cpu_ms() - cpu_before;
        let stored = setting.count("conversions").await - before;
        if run.sent as usize == prepared {
            println!("note: the postbacks ran out after {:.1} s; the rate is over that time", run.seconds);
        }
        self.unsold.drain(..run.sent as usize);
        self.fastest = self.fastest.max(run.rate());
        Measured { run, rows_each: 1, stored, cpu_ms }
    }

    async fn batches(&mut self, seconds: u64) -> Measured {
        let setting = &self.setting;
        let before = setting.count("conversions").await;
        let base_url = &setting.server.base_url;
        let whole = (self.unsold.len() / BATCH).min(MOST_BATCHES) * BATCH;
        let clicks: Vec<[u8; 16]> = self.unsold.iter().copied().take(whole).collect();
        let requests = self.sales.batches(host(base_url), &clicks, BATCH);
        let cpu_before = setting.processes.cpu_ms();
        let run = self.wrk.drive_over(BATCH_CONNECTIONS, seconds, base_url, &requests, Repeat::Never).await;
        setting.settle().await;
        let cpu_ms = setting.processes.cpu_ms() - cpu_before;
        let stored = setting.count("conversions").await - before;
        self.unsold.drain(..run.sent as usize * BATCH);
        Measured { run, rows_each: BATCH as u64, stored, cpu_ms }
    }
}
