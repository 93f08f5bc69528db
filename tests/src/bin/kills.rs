//! Kill -9 under load, as often as one likes. `tests/kills` builds and calls it; the test suite has a few rounds of its
//! own. Exit code 1 means that something was lost or counted twice, or that a total is wrong.
#![expect(clippy::print_stdout, reason = "this is the command line")]

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use tallyback_tests::{TestDatabase, kill_under_load, run};

/// Kills the server under load and compares what it has answered with what it has. `tests/kills` builds and calls it.
#[derive(Parser)]
struct Options {
    /// The server's program
    #[arg(long)]
    server: PathBuf,
    /// How often it is killed
    #[arg(long, default_value_t = 100)]
    rounds: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let database = TestDatabase::create().await;
    let tally = kill_under_load(&options.server, &database, options.rounds).await;
    println!("kills                    {}", options.rounds);
    println!("acknowledged             {} clicks, {} conversions", tally.clicks, tally.conversions);
    println!("sent again               {}", tally.sent_again);
    println!("missing                  {}", tally.missing);
    println!("duplicated               {}", tally.duplicated);
    println!("counted, and never told  {}", tally.unexplained);
    println!("rows                     {}", tally.rows.join(", "));
    println!("report                   {}", tally.report.join(", "));
    let verified = run(&options.server, &["verify"], &[("DATABASE_URL", &database.url)]).await;
    println!("tallyback verify         {}", verified.stdout.lines().last().unwrap_or(&verified.stderr));
    if tally.is_sound() && verified.code == Some(0) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
