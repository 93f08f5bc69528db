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

/// The columns of rows of one table, as a statement that inserts them. It has no clause: a row that is there already
/// fails it.
trait Insert: Sized {
    /// The statement.
    type Columns<'a>: QueryFragment<Pg> + QueryId
    where
        Self: 'a;

    /// The columns of these rows.
    fn columns(rows: &[Self]) -> Self::Columns<'_>;
}

/// Writes a type that inserts rows of one table: its columns, and the clause that follows the rows.
macro_rules! columns {
    ($name:ident, $table:literal, $row:ty, [$($column:ident: $sql:ty = $rust:ty),* $(,)?],
     [$($seldom:ident: $seldom_sql:ty = $seldom_rust:ty),* $(,)?], $clause:literal) => {
        columns!($name, $table, $row,
                 [$($column: $sql = $rust,)* $($seldom: $seldom_sql = $seldom_rust,)*], $clause);
    };
    ($name:ident, $table:literal, $row:ty, [$($column:ident: $sql:ty = $rust:ty),* $(,)?], $clause:literal) => {
        pub struct $name<'a> { $($column: Vec<&'a $rust>),* }

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
                let mut before = ") SELECT unnest(";
                $(
                    out.push_sql(before);
                    out.push_bind_param::<Array<$sql>, _>(&self.$column)?;
                    before = "), unnest(";
                )*
                let _ = before;
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
        insert!($table, $row, $columns, []);
    };
    ($(#[$doc:meta])* $function:ident, $table:literal, $row:ty, $id:ty, $columns:tt, $seldom:tt) => {
        $(#[$doc])*
        pub fn $function(conn: &mut Conn, rows: &[$row]) -> QueryResult<Vec<$id>> {
            columns!(Columns, $table, $row, $columns, $seldom, "ON CONFLICT DO NOTHING RETURNING id");

            impl Query for Columns<'_> {
                type SqlType = Uid;
            }

            Columns::of(rows).get_results(conn)
        }
        insert!($table, $row, $columns, $seldom);
    };
}

/// Writes how rows of one table are inserted that are not there yet.
macro_rules! insert {
    ($table:literal, $row:ty, $columns:tt, $seldom:tt) => {
        const _: () = {
            columns!(Columns, $table, $row, $columns, $seldom, "");

            impl Insert for $row {
                type Columns<'a> = Columns<'a>;

                fn columns(rows: &[Self]) -> Columns<'_> {
                    Columns::of(rows)
                }
            }
        };
    };
}

bulk_tables!(insert_new);

/// Two inserts as one statement, which is a transaction of its own.
#[derive(QueryId)]
struct Two<A, B>(A, B);

impl<A: QueryFragment<Pg>, B: QueryFragment<Pg>> QueryFragment<Pg> for Two<A, B> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH first AS (");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(") ");
        self.1.walk_ast(out)
    }
}

impl<A, B, C> RunQueryDsl<C> for Two<A, B> {}

/// Three inserts as one statement.
#[derive(QueryId)]
struct Three<A, B, C>(A, B, C);

impl<A: QueryFragment<Pg>, B: QueryFragment<Pg>, C: QueryFragment<Pg>> QueryFragment<Pg> for Three<A, B, C> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH first AS (");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql("), second AS (");
        self.1.walk_ast(out.reborrow())?;
        out.push_sql(") ");
        self.2.walk_ast(out)
    }
}

impl<A, B, C, D> RunQueryDsl<D> for Three<A, B, C> {}

/// Commits clicks, none of which is there yet, with what they add to the totals: in one round trip.
pub fn commit_clicks(conn: &mut Conn, clicks: &[Click], deltas: &[TotalDelta]) -> QueryResult<()> {
    Two(Click::columns(clicks), TotalDelta::columns(deltas)).execute(conn).map(drop)
}

/// Commits conversions, none of which is counted yet, with their lines of the log and what they add to the totals: in
/// one round trip.
pub fn commit_postbacks(
    conn: &mut Conn,
    conversions: &[Conversion],
    lines: &[Postback],
    deltas: &[TotalDelta],
) -> QueryResult<()> {
    let (conversions, lines) = (Conversion::columns(conversions), Postback::columns(lines));
    Three(conversions, lines, TotalDelta::columns(deltas)).execute(conn).map(drop)
}
