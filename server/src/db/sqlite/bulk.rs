//! Many rows, one by one through a prepared statement: in this process a statement costs no round trip.

use diesel::{
    QueryResult, RunQueryDsl,
    query_builder::{AstPass, QueryFragment, QueryId},
    sqlite::Sqlite,
};

use super::Conn;
use crate::db::bulk_tables::{bulk_tables, concat_columns, types::*};

/// Writes a function that inserts rows of one table and returns the ids of those that were not there yet. The text of
/// the statement is fixed, and neither made nor parsed again for each row.
macro_rules! insert_new {
    ($(#[$doc:meta])* $function:ident, $table:literal, $row:ty, $id:ty, [$($column:ident: $sql:ty = $rust:ty),* $(,)?]) => {
        $(#[$doc])*
        pub fn $function(conn: &mut Conn, rows: &[$row]) -> QueryResult<Vec<$id>> {
            struct Values<'a>(&'a $row);

            impl QueryId for Values<'_> {
                type QueryId = Values<'static>;
            }

            impl QueryFragment<Sqlite> for Values<'_> {
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
                    out.push_sql(") ON CONFLICT DO NOTHING");
                    Ok(())
                }
            }

            impl<C> RunQueryDsl<C> for Values<'_> {}

            let mut new = Vec::with_capacity(rows.len());
            for row in rows {
                new.extend((Values(row).execute(conn)? == 1).then_some(row.id));
            }
            Ok(new)
        }
    };
}

bulk_tables!(insert_new);
