//! Many rows, one by one through a prepared statement: in this process a statement costs no round trip.

use diesel::{
    QueryResult, RunQueryDsl,
    query_builder::{AstPass, QueryFragment, QueryId},
    sqlite::Sqlite,
};

use super::Conn;
use crate::db::bulk_tables::{bulk_tables, bulk_visits, concat_columns, types::*};

/// A row that can be inserted. There is no clause: a row that is there already is an error.
trait Insert {
    /// Inserts it.
    fn insert(&self, conn: &mut Conn) -> QueryResult<()>;
}

/// Writes a type that inserts a row of one table. The text of the statement is fixed, and neither made nor parsed again
/// for each row.
macro_rules! values {
    ($name:ident, $table:literal, $row:ty, [$($column:ident: $sql:ty = $rust:ty),* $(,)?], $clause:literal) => {
        struct $name<'a>(&'a $row);

        impl QueryId for $name<'_> {
            type QueryId = $name<'static>;
        }

        impl QueryFragment<Sqlite> for $name<'_> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                out.push_sql(concat!("INSERT INTO ", $table, " ("));
                out.push_sql(concat_columns!($($column),*));
                out.push_sql(") VALUES (");
                let mut separator = "";
                $(
                    out.push_sql(separator);
                    out.push_bind_param::<$sql, $rust>(&self.0.$column)?;
                    separator = ", ";
                )*
                let _ = separator;
                out.push_sql(concat!(") ", $clause));
                Ok(())
            }
        }

        impl<C> RunQueryDsl<C> for $name<'_> {}
    };
}

/// Writes a function that inserts rows of one table, and returns the ids of those that were not there yet or does what
/// the clause says.
macro_rules! insert_new {
    ($(#[$doc:meta])* $function:ident, $table:literal, $row:ty, $columns:tt, $clause:literal) => {
        $(#[$doc])*
        pub fn $function(conn: &mut Conn, rows: &[$row]) -> QueryResult<()> {
            values!(Values, $table, $row, $columns, $clause);
            rows.iter().try_for_each(|row| Values(row).execute(conn).map(drop))
        }
        insert!($table, $row, $columns);
    };
    ($(#[$doc:meta])* $function:ident, $table:literal, $row:ty, $id:ty, $columns:tt) => {
        $(#[$doc])*
        pub fn $function(conn: &mut Conn, rows: &[$row]) -> QueryResult<Vec<$id>> {
            values!(Values, $table, $row, $columns, "ON CONFLICT DO NOTHING");
            let mut new = Vec::with_capacity(rows.len());
            for row in rows {
                new.extend((Values(row).execute(conn)? == 1).then_some(row.id));
            }
            Ok(new)
        }
        insert!($table, $row, $columns);
    };
}

/// Writes how a row of one table is inserted that is not there yet.
macro_rules! insert {
    ($table:literal, $row:ty, $columns:tt) => {
        const _: () = {
            values!(Values, $table, $row, $columns, "");

            impl Insert for $row {
                fn insert(&self, conn: &mut Conn) -> QueryResult<()> {
                    Values(self).execute(conn).map(drop)
                }
            }
        };
    };
}

bulk_tables!(insert_new);

/// Inserts rows, none of which is there yet.
fn insert_all(conn: &mut Conn, rows: &[impl Insert]) -> QueryResult<()> {
    rows.iter().try_for_each(|row| row.insert(conn))
}

/// Commits clicks, none of which is there yet, with what they add to the totals.
pub fn commit_clicks(conn: &mut Conn, clicks: &[Click], deltas: &[TotalDelta]) -> QueryResult<()> {
    conn.immediate_transaction(|conn| {
        insert_all(conn, clicks)?;
        insert_all(conn, deltas)
    })
}

/// Commits conversions, none of which is counted yet, with their lines of the log and what they add to the totals.
pub fn commit_postbacks(
    conn: &mut Conn,
    conversions: &[Conversion],
    lines: &[Postback],
    deltas: &[TotalDelta],
) -> QueryResult<()> {
    conn.immediate_transaction(|conn| {
        insert_all(conn, conversions)?;
        insert_all(conn, lines)?;
        insert_all(conn, deltas)
    })
}
