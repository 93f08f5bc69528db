//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// The load benchmark. `tests/benchmark` builds and calls it.
#[derive(Parser)]
pub struct CommandLine {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Answer every request with 302 and do nothing else; print the address first
    Bare,
    /// Store one row for each request and do nothing else, on an empty database; print the address first
    Least {
        /// Where the database is, as `DATABASE_URL` would say
        database: String,
    },
    /// Measure
    Run(Options),
    /// Measure how near to the bare server one row for each request comes
    Floor(Load),
    /// Offer more clicks than the server can take
    Overload(OverloadOptions),
}

/// How to measure.
#[derive(Args)]
pub struct Options {
    /// The server's program
    #[arg(long)]
    pub server: PathBuf,
    /// How much load
    #[command(flatten)]
    pub load: Load,
}

/// How much load.
#[derive(Args)]
pub struct Load {
    /// Rounds; figures are medians over them
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub rounds: u64,
    /// Seconds of load, for each of the three in each round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,
    /// Connections that are open at once
    #[arg(long, default_value_t = 256)]
    pub connections: usize,
    /// Threads of the load generator
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
}

/// How to overload.
#[derive(Args)]
pub struct OverloadOptions {
    /// The server's program
    #[arg(long)]
    pub server: PathBuf,
    /// Seconds of each load
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..))]
    pub seconds: u64,
    /// Connections that are open at once; more than the server lets in (4,096 clicks)
    #[arg(long, default_value_t = 8_000)]
    pub connections: usize,
}
