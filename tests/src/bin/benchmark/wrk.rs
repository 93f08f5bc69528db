//! The load generator: wrk with a script, the same for everything that is measured.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use tokio::process::Command;

use crate::options::Load;

const SCRIPT: &str = include_str!("wrk.lua");
/// How long wrk waits for the last answers, in seconds.
const DRAIN_SECONDS: u64 = 3;

/// Whether requests may be sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// From the beginning, when all have been sent.
    Cycle,
    /// Each is sent once at most.
    Never,
}

/// How a run went.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Run {
    /// Requests that were sent.
    pub sent: u64,
    /// Answers that came, whatever they said.
    pub answered: u64,
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Half of the answers took no longer.
    pub p50_ms: f64,
    /// Of a hundred answers, 99 took no longer.
    pub p99_ms: f64,
    /// What went wrong.
    pub errors: Errors,
}

/// What went wrong.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Errors {
    /// Answers with a status of 400 or more.
    pub status: u64,
    connect: u64,
    read: u64,
    write: u64,
    timeout: u64,
}

impl Run {
    /// Answers that were no refusals.
    pub fn good(&self) -> u64 {
        self.answered - self.errors.status
    }

    /// Good answers in a second.
    pub fn rate(&self) -> f64 {
        self.good() as f64 / self.seconds
    }

    /// Everything that went wrong: refusals, faults of connections, requests without an answer.
    pub fn failures(&self) -> u64 {
        let Errors { status, connect, read, write, timeout } = self.errors;
        status + connect + read + write + timeout + self.sent.saturating_sub(self.answered)
    }
}

/// The generator, with its files.
pub struct Wrk {
    folder: PathBuf,
    seconds: u64,
    connections: usize,
    threads: usize,
}

impl Wrk {
    /// A generator that keeps its files in a folder.
    pub fn new(folder: &Path, load: &Load) -> Self {
        std::fs::write(folder.join("wrk.lua"), SCRIPT).unwrap();
        let Load { seconds, connections, threads, .. } = *load;
        Self { folder: folder.to_owned(), seconds, connections, threads }
    }

    /// Sends requests for the time of a round.
    pub async fn drive(&self, base_url: &str, requests: &[String], repeat: Repeat) -> Run {
        self.drive_for(self.seconds, base_url, requests, repeat).await
    }

    /// Sends requests for so many seconds.
    pub async fn drive_for(&self, seconds: u64, base_url: &str, requests: &[String], repeat: Repeat) -> Run {
        self.drive_over(self.connections, seconds, base_url, requests, repeat).await
    }

    /// Sends requests for so many seconds over so many connections.
    pub async fn drive_over(
        &self,
        connections: usize,
        seconds: u64,
        base_url: &str,
        requests: &[String],
        repeat: Repeat,
    ) -> Run {
        let file = self.folder.join("requests");
        write(&file, requests);
        let mut command = Command::new("wrk");
        command.args(["--threads", &self.threads.to_string(), "--connections", &connections.to_string()]);
        command.args(["--duration", &format!("{}s", seconds + DRAIN_SECONDS), "--timeout", "10s"]);
        command.arg("--script").arg(self.folder.join("wrk.lua")).arg(base_url);
        command.env("BENCHMARK_REQUESTS", &file).env("BENCHMARK_THREADS", self.threads.to_string());
        command.env("BENCHMARK_SECONDS", seconds.to_string());
        command.env("BENCHMARK_ONCE", if repeat == Repeat::Never { "1" } else { "0" });
        let output = command.kill_on_drop(true).output().await.expect("wrk can be started");
        let text = String::from_utf8_lossy(&output.stdout);
        let told = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
        told.unwrap_or_else(|| panic!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr)))
    }
}

fn write(path: &Path, requests: &[String]) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    for request in requests {
        write!(file, "{}\n{request}", request.len()).unwrap();
    }
    file.flush().unwrap();
}
