//! The server through its public door, on SQLite or, with `TEST_DATABASE_URL`, on PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

use std::path::Path;

mod attribution;
mod away_at_start;
mod clicks;
mod geo_file;
mod https;
mod journey;
mod lists;
mod no_room;
mod outages;
mod postback_forms;
mod program;
mod restarts;
mod set_up;
mod signatures;
mod spool_damage;
mod storms;
mod tables;
mod tenants;
mod verify;

/// The server's program.
fn tallyback() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_tallyback-under-test"))
}
