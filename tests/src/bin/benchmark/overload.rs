//! More clicks than the server can take: how many are stored all the same, how the others are turned away, and how
//! soon everything is as before.

use std::{process::ExitCode, time::Duration};

use serde_json::json;

use crate::{
    open_loop::{Outcome, Rate, Took, drive, p99_ms},
    options::OverloadOptions,
    setting::{Setting, host},
};

/// Of the peak, what has to be left at the heaviest load.
const LEAST_SHARE: f64 = 0.8;
/// Loads beside the peak, in peaks.
const LOADS: [f64; 3] = [1.0, 2.0, 5.0];
/// The load of a quiet day, in peaks.
const QUIET: f64 = 0.5;
/// Connections that find the peak.
const AT_PEAK: usize = 256;
/// Recovered means: p99 of a second is so many times that of a quiet day, and some milliseconds, at most.
const RECOVERED: (f64, f64) = (2.0, 10.0);

struct Overload<'a> {
    setting: Setting,
    options: &'a OverloadOptions,
    answered: u64,
    failed: u64,
}

/// Measures, prints, and says whether the server bears it.
pub async fn measure(options: &OverloadOptions) -> ExitCode {
    let setting = Setting::start(&options.server).await;
    let mut overload = Overload { setting, options, answered: 0, failed: 0 };
    overload.run(Rate::AsFastAsAnswered, AT_PEAK, 2).await;
    let peak = overload.run(Rate::AsFastAsAnswered, AT_PEAK, options.seconds).await.goodput();
    println!("peak: {peak:.0} clicks a second, over {AT_PEAK} connections\n");
    println!(" load  offered/s  stored/s  of peak  p99 ms   503 %  p99 of 503 ms  not sent  failed");
    let quiet = overload.at(QUIET, peak).await;
    let normal = p99_ms(&quiet.good);
    let (mut share, mut drain) = (0.0, 0.0);
    for load in LOADS {
        let outcome = overload.at(load, peak).await;
        (share, drain) = (outcome.goodput() / peak, outcome.drain_seconds);
    }
    let after = overload.at(QUIET, peak).await;
    let recovered = recovery(&after.good, normal, options.seconds).map(|second| drain + second as f64);
    overload.conclude(peak, share, recovered).await
}

impl Overload<'_> {
    async fn run(&mut self, rate: Rate, connections: usize, seconds: u64) -> Outcome {
        let address = host(&self.setting.server.base_url);
        let length = Duration::from_secs(seconds);
        let outcome = drive(address, &self.setting.clicks, rate, connections, length).await;
        self.answered += outcome.good.len() as u64;
        self.failed += outcome.failed;
        outcome
    }

    async fn at(&mut self, load: f64, peak: f64) -> Outcome {
        let offered = load * peak;
        let rate = Rate::PerSecond(offered);
        let outcome = self.run(rate, self.options.connections, self.options.seconds).await;
        let (goodput, share) = (outcome.goodput(), outcome.goodput() / peak);
        let (p99, p99_shed) = (p99_ms(&outcome.good), p99_ms(&outcome.shed));
        let (shed, unsent, failed) = (100.0 * outcome.shed_share(), outcome.unsent, outcome.failed);
        println!(
            "{load:>4}x {offered:>10.0} {goodput:>9.0} {share:>8.2} {p99:>7.1} {shed:>7.1} {p99_shed:>14.1} {unsent:>9} {failed:>7}"
        );
        outcome
    }

    async fn conclude(self, peak: f64, share: f64, recovered: Option<f64>) -> ExitCode {
        self.setting.settle().await;
        let stored = self.setting.count("clicks").await;
        match recovered {
            Some(seconds) => println!("\nback to normal after: {seconds:.1} s"),
            None => println!("\nback to normal after: not at all"),
        }
        println!("answered, and stored: {} and {stored}; failed: {}", self.answered, self.failed);
        let all_stored = stored == self.answered && self.failed == 0;
        let verified = self.setting.stop(&self.options.server).await;
        let is_borne = share >= LEAST_SHARE && all_stored && recovered.is_some() && verified.is_ok();
        println!(
            "{}",
            json!({"peak_rps": peak.round(), "share_of_peak": (share * 1e3).round() / 1e3, "recovered_seconds": recovered,
                   "answered": self.answered, "stored": stored, "failed": self.failed, "is_borne": is_borne})
        );
        if is_borne { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// The first second from which on all seconds were as on a quiet day.
fn recovery(answers: &[Took], normal: f64, seconds: u64) -> Option<u64> {
    let of_second = |second: u64| -> Vec<Took> {
        answers.iter().filter(|took| took.sent as u64 == second).copied().collect()
    };
    let most = normal * RECOVERED.0 + RECOVERED.1;
    let last_bad = (0..seconds).rev().find(|second| p99_ms(&of_second(*second)) > most);
    match last_bad {
        None => Some(0),
        Some(last) if last + 1 < seconds => Some(last + 1),
        Some(_) => None,
    }
}
