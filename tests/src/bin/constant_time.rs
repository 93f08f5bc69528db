//! Whether the time of a refusal tells how much of a signature was right: Welch's t-test over signatures that are wrong in
//! their first or in their last byte, in a random order. No test of the suite: it needs a quiet machine.
//!
//! `cargo run --release -p tallyback-tests --bin constant_time`; |t| below 4.5 means that no difference was found.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "this is the command line")]

use std::{hint::black_box, process::ExitCode, time::Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use tallyback_server::{
    clock,
    domain::signature::{SigningSecret, sign_message, verify_message},
};

/// Measurements of each kind.
const SAMPLES: usize = 100_000;
/// Beyond it a difference is taken for real, as is usual for such tests.
const SUSPICIOUS: f64 = 4.5;
/// What is slower was interrupted.
const QUANTILE: f64 = 0.9;

fn main() -> ExitCode {
    let secret = SigningSecret::from_bytes(&clock::random::<32>()).expect("32 bytes are a secret");
    let body = vec![b'x'; 200];
    let good = sign_message(&secret, "msg_1", "1700000000", &body);
    let bytes = STANDARD.decode(&good[3..]).expect("a signature is base64");
    let wrong_at = |place: usize| {
        let mut altered = bytes.clone();
        altered[place] ^= 1;
        format!("v1,{}", STANDARD.encode(altered))
    };
    let headers = [wrong_at(0), wrong_at(bytes.len() - 1)];
    let mut times = [Vec::with_capacity(SAMPLES), Vec::with_capacity(SAMPLES)];
    while times.iter().any(|times| times.len() < SAMPLES) {
        for bit in clock::random::<64>() {
            let kind = usize::from(bit & 1);
            let began = Instant::now();
            black_box(verify_message(&secret, "msg_1", "1700000000", &body, black_box(&headers[kind])));
            times[kind].push(began.elapsed().as_nanos() as f64);
        }
    }
    let [first, last] = times.map(cut);
    let t = (mean(&first) - mean(&last))
        / (variance(&first) / count(&first) + variance(&last) / count(&last)).sqrt();
    println!("wrong in the first byte  {} samples, {:.1} ns", first.len(), mean(&first));
    println!("wrong in the last byte   {} samples, {:.1} ns", last.len(), mean(&last));
    println!("t                        {t:.2} (suspicious beyond {SUSPICIOUS})");
    if t.abs() < SUSPICIOUS { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Without what was interrupted.
fn cut(mut times: Vec<f64>) -> Vec<f64> {
    times.sort_by(f64::total_cmp);
    times.truncate((times.len() as f64 * QUANTILE) as usize);
    times
}

fn count(times: &[f64]) -> f64 {
    times.len() as f64
}

fn mean(times: &[f64]) -> f64 {
    times.iter().sum::<f64>() / count(times)
}

fn variance(times: &[f64]) -> f64 {
    let mean = mean(times);
    times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count(times) - 1.0)
}
