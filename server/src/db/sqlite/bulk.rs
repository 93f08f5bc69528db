//! Many rows, through prepared statements: in this process a statement costs no round trip.

use std::array;

use diesel::{
    QueryResult, RunQueryDsl,
    query_builder::{AstPass, QueryFragment, QueryId},
    sqlite::Sqlite,
};

use super::Conn;
use crate::db::bulk_tables::{bulk_tables, bulk_visits, concat_columns, types::*};

/// Rows that one statement inserts where there are so many: to begin and to end it costs as much as a row.
const MANY: usize = 32;
/// The same for what is left of them.
const SOME: usize = 8;

/// A row that can be inserted. There is no clause: a row that is there already is an error.
trait Insert: Sized {
    /// Inserts some. Where none has anything in the columns that seldom hold anything, these are not mentioned: to bind
    /// its parameters is a third of what an insert costs.
    fn insert<const N: usize>(rows: &[Self; N], conn: &mut Conn) -> QueryResult<()>;
}

/// Writes a type that inserts rows of one table. The text of the statement is fixed, and neither made nor parsed again
/// each time.
macro_rules! values {
    ($name:ident, $insert:literal, $table:literal, $row:ty,
     [$($column:ident: $sql:ty = $rust:ty),* $(,)?],
     [$($seldom:ident: $seldom_sql:ty = $seldom_rust:ty),* $(,)?], $clause:literal) => {
        struct $name<'a, const N: usize, const WHOLE: bool>(&'a [$row; N]);

        impl<const N: usize, const WHOLE: bool> QueryId for $name<'_, N, WHOLE> {
            type QueryId = $name<'static, N, WHOLE>;
        }

        impl<const N: usize, const WHOLE: bool> QueryFragment<Sqlite> for $name<'_, N, WHOLE> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                out.push_sql(concat!($insert, " INTO ", $table, " ("));
                out.push_sql(concat_columns!($($column),*));
                if WHOLE {
                    $(out.push_sql(concat!(", ", stringify!($seldom)));)*
                }
                let mut before = ") VALUES (";
                for row in self.0 {
                    $(
                        out.push_sql(before);
                        out.push_bind_param::<$sql, $rust>(&row.$column)?;
                        before = ", ";
                    )*
                    if WHOLE {
                        $(
                            out.push_sql(before);
                            out.push_bind_param::<$seldom_sql, $seldom_rust>(&row.$seldom)?;
                        )*
                    }
                    let _ = before;
                    before = "), (";
                }
                out.push_sql(concat!(") ", $clause));
                Ok(())
            }
        }

        impl<C, const N: usize, const WHOLE: bool> RunQueryDsl<C> for $name<'_, N, WHOLE> {}
    };
}

/// Says of rows whether all of them have nothing in some columns.
macro_rules! are_without {
    ($rows:expr, [$($seldom:ident: $sql:ty = $rust:ty),* $(,)?]) => {
        $rows.iter().all(|_row| true $(&& _row.$seldom.is_none())*)
    };
}

/// Writes a function that inserts rows of one table: one by one, and returns the ids of those that were not there yet, or
/// some at once, and does what the clause says.
macro_rules! insert_new {
    ($(#[$doc:meta])* $function:ident, $table:literal, $row:ty, $columns:tt, $clause:literal) => {
        $(#[$doc])*
        pub fn $function(conn: &mut Conn, rows: &[$row]) -> QueryResult<()> {
            values!(Values, "INSERT", $table, $row, $columns, [], $clause);
            let (some, few) = rows.as_chunks::<SOME>();
            some.iter().try_for_each(|rows| Values::<_, true>(rows).execute(conn).map(drop))?;
            few.iter().try_for_each(|row| Values::<_, true>(array::from_ref(row)).execute(conn).map(drop))
        }
        insert!($table, $row, $columns, []);
    };
    ($(#[$doc:meta])* $function:ident, $table:literal, $row:ty, $id:ty, $columns:tt, $seldom:tt) => {
        $(#[$doc])*
        pub fn $function(conn: &mut Conn, rows: &[$row]) -> QueryResult<Vec<$id>> {
            values!(Values, "INSERT", $table, $row, $columns, $seldom, "ON CONFLICT DO NOTHING");
            let mut new = Vec::with_capacity(rows.len());
            for row in rows {
                let values = Values::<_, true>(array::from_ref(row));
                new.extend((values.execute(conn)? == 1).then_some(row.id));
            }
            Ok(new)
        }
        insert!($table, $row, $columns, $seldom);
    };
}

/// Writes how rows of one table are inserted that are not there yet. A statement that fails leaves what it has written
/// to whoever rolls the transaction back: to undo it itself, it would have to copy each page that it changes.
macro_rules! insert {
    ($table:literal, $row:ty, $columns:tt, $seldom:tt) => {
        const _: () = {
            values!(Values, "INSERT OR FAIL", $table, $row, $columns, $seldom, "");

            impl Insert for $row {
                fn insert<const N: usize>(rows: &[Self; N], conn: &mut Conn) -> QueryResult<()> {
                    let inserted = if are_without!(rows, $seldom) {
                        Values::<N, false>(rows).execute(conn)
                    } else {
                        Values::<N, true>(rows).execute(conn)
                    };
                    inserted.map(drop)
                }
            }
        };
    };
}

bulk_tables!(insert_new);

/// Inserts rows, none of which is there yet, in a transaction that ends where this fails.
fn insert_all(conn: &mut Conn, rows: &[impl Insert]) -> QueryResult<()> {
    let (many, rest) = rows.as_chunks::<MANY>();
    let (some, few) = rest.as_chunks::<SOME>();
    many.iter().try_for_each(|rows| Insert::insert(rows, conn))?;
    some.iter().try_for_each(|rows| Insert::insert(rows, conn))?;
    few.iter().try_for_each(|row| Insert::insert(array::from_ref(row), conn))
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
