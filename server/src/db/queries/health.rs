//! Whether the database answers.

use diesel::{connection::SimpleConnection, prelude::*};

use super::Conn;
use crate::{db::schema::installation, error::Result};

/// Asks the database for nothing.
pub fn ping(conn: &mut Conn) -> Result<()> {
    Ok(conn.batch_execute("SELECT 1")?)
}

/// Writes what is there already: works if and only if the database can be written.
pub fn try_to_write(conn: &mut Conn) -> QueryResult<()> {
    diesel::update(installation::table)
        .set(installation::value.eq(installation::value))
        .execute(conn)
        .map(drop)
}
