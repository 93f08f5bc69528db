//! Whether the database answers.

use diesel::connection::SimpleConnection;

use super::Conn;
use crate::error::Result;

/// Asks the database for nothing.
pub fn ping(conn: &mut Conn) -> Result<()> {
    Ok(conn.batch_execute("SELECT 1")?)
}
