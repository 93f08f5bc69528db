//! The load benchmark: a bare server, clicks and postbacks in turn, and the rows that are really stored afterwards.
//! `tests/benchmark` builds and calls it; no test does. Exit code 1 means that something went wrong, 0 that the
//! figures can be believed.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop there")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the command line")]

use std::process::ExitCode;

use clap::Parser;

mod bare;
mod figures;
mod floor;
mod least;
mod machine;
mod open_loop;
mod options;
mod overload;
mod rounds;
mod sales;
mod setting;
mod visitors;
mod wrk;

use figures::Figures;
use options::{Command, CommandLine, Options};
use rounds::Rounds;
use setting::Setting;

#[tokio::main]
async fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::Bare => bare::serve().await.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        Command::Least { database } => {
            least::serve(&database).await.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
        }
        Command::Run(options) => measure(&options).await,
        Command::Floor(load) => floor::measure(&load).await,
        Command::Overload(options) => overload::measure(&options).await,
    }
}

async fn measure(options: &Options) -> ExitCode {
    let setting = Setting::start(&options.server).await;
    let database = if setting.database.is_postgres() { "postgres" } else { "sqlite" };
    let mut rounds = Rounds::start(setting, options).await;
    let mut measured = Vec::new();
    figures::print_heading(&options.load);
    for number in 1..=options.load.rounds {
        measured.push(rounds.run().await);
        figures::print_round(number, &measured[measured.len() - 1]);
    }
    let beside = std::mem::take(&mut rounds.beside);
    let setting = rounds.end();
    let peak_memory_mb = setting.processes.peak_memory_mb();
    let figures = Figures { rounds: &measured, beside: &beside, peak_memory_mb };
    figures.print();
    let verified = setting.stop(&options.server).await;
    let outcome = conclude(&figures, verified);
    println!("{}", figures.to_json(&options.load, database));
    outcome
}

fn conclude(figures: &Figures<'_>, verified: Result<(), String>) -> ExitCode {
    if let Err(problem) = &verified {
        eprintln!("FAILED: {problem}");
    }
    if !figures.are_sound() {
        eprintln!("FAILED: there were errors, or what was answered is not what is stored");
    }
    if verified.is_ok() && figures.are_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
