//! Monthly partitions of what grows, by the milliseconds that lead each row's id.
//! Rows outside every month go to the default partition: nothing is ever refused for want of one.

use diesel::connection::SimpleConnection;

use super::{Conn, MIGRATION_LOCK, transaction};
use crate::{
    db::lift,
    domain::{month::Month, time::Timestamp},
    error::Result,
};

/// Partitioned tables.
const TABLES: [&str; 3] = ["clicks", "impressions", "postbacks"];
/// How many months are made ahead of the current one.
const MONTHS_AHEAD: usize = 2;

/// Makes this month's partitions and those of the months to come, where they are missing. Several processes at once
/// wait for each other.
pub fn ensure(conn: &mut Conn, now: Timestamp) -> Result<()> {
    transaction(conn, |conn| {
        let wait = "SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock";
        lift(conn.batch_execute(&format!("{wait}({MIGRATION_LOCK})")))?;
        make_missing(conn, now)
    })
}

fn make_missing(conn: &mut Conn, now: Timestamp) -> Result<()> {
    let mut month = Month::of(now);
    for _ in 0..=MONTHS_AHEAD {
        for table in TABLES {
            lift(conn.batch_execute(&statement(table, month)))?;
        }
        month = month.next();
    }
    Ok(())
}

fn statement(table: &str, month: Month) -> String {
    let (from, to) = (first_id(month.start()), first_id(month.next().start()));
    format!(
        "CREATE TABLE IF NOT EXISTS {table}_{month} PARTITION OF {table} FOR VALUES FROM ('{from}') TO ('{to}')"
    )
}

/// The smallest id of a row that is made at `time`.
fn first_id(time: Timestamp) -> uuid::Uuid {
    let millis = u128::try_from(time.millis()).unwrap_or(0);
    uuid::Uuid::from_u128(millis << 80)
}
