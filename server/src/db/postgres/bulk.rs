//! Many rows in one round trip: one array per column, so that the statement is the same for any number of rows and
//! PostgreSQL prepares it once.

use diesel::{
    QueryResult, RunQueryDsl,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::Array,
};

use super::Conn;
use crate::db::bulk_tables::{bulk_tables, bulk_visits, concat_columns, types::*};

/// Writes a type that inserts rows of one table: its columns, and the clause that follows the rows.
macro_rules! columns {
    ($name:ident, $table:literal, $row:ty, [$($column:ident: $sql:ty = $rust:ty),* $(,)?], $clause:literal) => {
        struct $name<'a> { $($column: Vec<&'a $rust>),* }

        impl<'a> $name<'a> {
            fn of(rows: &'a [$row]) -> Self {
                Self { $($column: rows.iter().map(|row| &row.$column).collect()),* }
            }
        }

        impl QueryId for $name<'_> {
            type QueryId = $name<'static>;
        }

        impl QueryFragment<Pg> for $name<'_> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                out.push_sql(concat!("INSERT INTO ", $table, " ("));
                out.push_sql(concat_columns!($($column),*));
                out.push_sql(") SELECT * FROM unnest(");
                let mut separator = "";
                $(
                    out.push_sql(separator);
                    out.push_bind_param::<Array<$sql>, _>(&self.$column)?;
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
            columns!(Columns, $table, $row, $columns, $clause);
            Columns::of(rows).execute(conn).map(drop)
        }
    };
    ($(#[$doc:meta])* $function:ident, $table:literal, $row:ty, $id:ty, $columns:tt) => {
        $(#[$doc])*
        pub fn $function(conn: &mut Conn, rows: &[$row]) -> QueryResult<Vec<$id>> {
            columns!(Columns, $table, $row, $columns, "ON CONFLICT DO NOTHING RETURNING id");

            impl Query for Columns<'_> {
                type SqlType = Uid;
            }

            Columns::of(rows).get_results(conn)
        }
    };
}

bulk_tables!(insert_new);
