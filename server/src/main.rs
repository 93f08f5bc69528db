//! The binary: reads the command line, runs the command, says in one sentence what went wrong.

use std::process::ExitCode;

/// What a request allocates on a worker, a writer frees on another thread: this allocator is made for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tallyback_server::cli::main()
}
