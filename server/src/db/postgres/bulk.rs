//! Many rows in one round trip: one array per column, so that the statement is the same for any number of rows and
//! PostgreSQL prepares it once.

use diesel::{
    QueryResult, RunQueryDsl,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::Array,
};

use super::Conn;
use crate::db::bulk_tables::{bulk_tables, concat_columns, types::*};

/// Writes a function that inserts rows of one table and returns the ids of those that were not there yet.
macro_rules! insert_new {
    ($(#[$doc:meta])* $function:ident, $table:literal, $row:ty, $id:ty, [$($column:ident: $sql:ty = $rust:ty),* $(,)?]) => {
        $(#[$doc])*
        pub fn $function(conn: &mut Conn, rows: &[$row]) -> QueryResult<Vec<$id>> {
            struct Columns<'a> { $($column: Vec<&'a $rust>),* }

            impl QueryId for Columns<'_> {
                type QueryId = Columns<'static>;
            }

            impl QueryFragment<Pg> for Columns<'_> {
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
                    out.push_sql(") ON CONFLICT DO NOTHING RETURNING id");
                    Ok(())
                }
            }

            impl Query for Columns<'_> {
                type SqlType = Uid;
            }

            impl<C> RunQueryDsl<C> for Columns<'_> {}

            Columns { $($column: rows.iter().map(|row| &row.$column).collect()),* }.get_results(conn)
        }
    };
}

bulk_tables!(insert_new);
