//! The binary: reads the command line, runs the command, says in one sentence what went wrong.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    tallyback_server::cli::run().await
}
