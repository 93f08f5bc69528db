//! Many rows, one by one through a prepared statement: in this process a statement costs no round trip.

use diesel::{QueryResult, prelude::*};

use super::Conn;
use crate::{
    db::{
        rows::records::{Click, Conversion, Postback},
        schema::{clicks, conversions, postbacks},
    },
    domain::{
        click_id::ClickId,
        ids::{ConversionId, PostbackId},
    },
};

/// Writes a function that inserts rows of one table and returns the ids of those that were not there yet.
macro_rules! insert_new {
    ($(#[$doc:meta])* $function:ident, $table:ident, $row:ty, $id:ty) => {
        $(#[$doc])*
        pub fn $function(conn: &mut Conn, rows: &[$row]) -> QueryResult<Vec<$id>> {
            let mut new = Vec::with_capacity(rows.len());
            for row in rows {
                let inserted = diesel::insert_into($table::table).values(row).on_conflict_do_nothing().execute(conn)?;
                new.extend((inserted == 1).then_some(row.id));
            }
            Ok(new)
        }
    };
}

insert_new!(
    /// Inserts clicks of any partners; returns the new ones.
    insert_clicks, clicks, Click, ClickId
);
insert_new!(
    /// Inserts lines of the log; returns the new ones.
    insert_postbacks, postbacks, Postback, PostbackId
);
insert_new!(
    /// Inserts conversions whose click or order is not counted yet; returns those.
    insert_conversions, conversions, Conversion, ConversionId
);
