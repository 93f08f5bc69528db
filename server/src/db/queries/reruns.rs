//! Which lines of the log can be judged again, and what came of it each time.

use std::collections::HashMap;

use diesel::{
    BoxableExpression,
    dsl::{exists, not},
    prelude::*,
    sql_types::Bool,
};

use super::{Conn, Db, names_goal};
use crate::{
    db::{
        list::{RerunFilter, narrow},
        rows::records::{Postback, Rerun},
        schema::{postbacks, reruns},
        scope::PartnerScope,
    },
    domain::ids::PostbackId,
};

/// What came of judging these again, each time in order.
pub fn of(
    conn: &mut Conn,
    scope: &PartnerScope,
    ids: &[PostbackId],
) -> QueryResult<HashMap<PostbackId, Vec<Rerun>>> {
    let rows: Vec<Rerun> = reruns::table
        .filter(reruns::partner_id.eq(scope.id()).and(reruns::postback_id.eq_any(ids)))
        .order((reruns::postback_id, reruns::position))
        .select(Rerun::as_select())
        .load(conn)?;
    let mut by_postback: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        by_postback.entry(row.postback_id).or_default().push(row);
    }
    Ok(by_postback)
}

/// Appends what came of judging some again.
pub fn append(conn: &mut Conn, rows: &[Rerun]) -> QueryResult<()> {
    diesel::insert_into(reruns::table).values(rows).execute(conn).map(drop)
}

type Condition = Box<dyn BoxableExpression<postbacks::table, Db, SqlType = Bool>>;

/// Whether a line can be judged again: it was refused for what the set-up can mend, and has no conversion since.
pub fn is_rerunnable() -> Condition {
    let settled = reruns::table
        .filter(reruns::partner_id.eq(postbacks::partner_id).and(reruns::postback_id.eq(postbacks::id)))
        .filter(reruns::conversion_id.is_not_null());
    Box::new(postbacks::rerunnable.and(not(exists(settled))))
}

/// The oldest lines that a filter takes in, of those that can be judged again.
pub fn selected(
    conn: &mut Conn,
    scope: &PartnerScope,
    filter: &RerunFilter,
    limit: i64,
) -> QueryResult<Vec<Postback>> {
    filtered(scope, filter).order(postbacks::id).limit(limit).select(Postback::as_select()).load(conn)
}

/// How many lines a filter takes in, of those that can be judged again.
pub fn count(conn: &mut Conn, scope: &PartnerScope, filter: &RerunFilter) -> QueryResult<i64> {
    filtered(scope, filter).count().get_result(conn)
}

fn filtered(scope: &PartnerScope, filter: &RerunFilter) -> postbacks::BoxedQuery<'static, Db> {
    let query = postbacks::table.filter(postbacks::partner_id.eq(scope.id())).into_boxed::<Db>();
    let mut query = query.filter(is_rerunnable());
    if !filter.codes.is_empty() {
        query = query.filter(postbacks::code.eq_any(filter.codes.clone()));
    }
    if let Some(goal) = &filter.goal {
        query = query.filter(names_goal(goal));
    }
    if let Some(from) = filter.received_from {
        query = query.filter(postbacks::received_at.ge(from));
    }
    if let Some(to) = filter.received_to {
        query = query.filter(postbacks::received_at.lt(to));
    }
    if let Some(after) = filter.after {
        query = query.filter(postbacks::id.gt(after));
    }
    narrow!(
        query,
        filter.advertiser_id => postbacks::advertiser_id,
        filter.goal_id => postbacks::goal_id,
    )
}
