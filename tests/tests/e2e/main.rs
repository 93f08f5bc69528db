//! The server through its public door, on SQLite or, with `TEST_DATABASE_URL`, on PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

use std::path::Path;

mod adjustment_batches;
mod adjustments;
mod altered_messages;
mod attribution;
mod away_at_start;
mod batches;
mod caps;
mod click_cases;
mod click_parameters;
mod clicks;
mod consent;
mod currency;
mod customers;
mod decisions;
mod explain;
mod geo;
mod geo_file;
mod goal_caps;
mod goal_money;
mod holds;
mod hostile_clicks;
mod hostile_reports;
mod https;
mod impressions;
mod journey;
mod keys;
mod life;
mod limits;
mod lists;
mod log;
mod macros;
mod master_keys;
mod metrics;
mod no_room;
mod outages;
mod outcome_codes;
mod outcome_rows;
mod outcomes_matching;
mod outcomes_order;
mod outcomes_table;
mod outcomes_transport;
mod overload;
mod partner;
mod postback_forms;
mod preview;
mod program;
mod proofs;
mod publishers_alone;
mod races;
mod random_walk;
mod replay;
mod report_parameters;
mod reruns;
mod restarts;
mod set_up;
mod signatures;
mod slow_clients;
mod spool_damage;
mod storms;
mod tables;
mod tail;
mod targeting;
mod tenants;
mod told_clicks;
mod verify;
mod view_through;

/// The server's program.
fn tallyback() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_tallyback-under-test"))
}
