//! The server's program, built beside the tests, which start and kill it.

use std::process::ExitCode;

fn main() -> ExitCode {
    tallyback_server::cli::main()
}
