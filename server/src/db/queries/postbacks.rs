//! The log of postbacks.

use diesel::{
    BoxableExpression,
    dsl::{not, sql},
    expression::SqlLiteral,
    prelude::*,
    sql_types::{Bool, Nullable},
};

use super::{Conn, Db, reruns::is_rerunnable};
use crate::{
    db::{
        list::{PostbackFilter, narrow},
        rows::records::Postback,
        schema::{conversions, postbacks},
        scope::PartnerScope,
    },
    domain::{
        answer::Outcome,
        code::Code,
        ids::{AdvertiserId, Id, KeyId, PostbackId},
        time::Timestamp,
    },
};

/// The line with this id.
pub fn get(conn: &mut Conn, scope: &PartnerScope, id: PostbackId) -> QueryResult<Postback> {
    postbacks::table
        .filter(postbacks::partner_id.eq(scope.id()).and(postbacks::id.eq(id)))
        .select(Postback::as_select())
        .get_result(conn)
}

/// What enforcing would have answered, if it would have refused; the key that was named; how many lines.
type NotEnforced = (Option<String>, Option<KeyId>, i64);

/// An advertiser's lines from an id on, counted by what enforcing the signature would have answered, and by key.
pub fn count_not_enforced(
    conn: &mut Conn,
    scope: &PartnerScope,
    advertiser: AdvertiserId,
    first: PostbackId,
) -> QueryResult<Vec<NotEnforced>> {
    let own = postbacks::partner_id.eq(scope.id()).and(postbacks::id.ge(first));
    postbacks::table
        .filter(own.and(postbacks::advertiser_id.eq(advertiser)).and(postbacks::test.eq(false)))
        .group_by((postbacks::not_enforced, postbacks::key_id))
        .select((postbacks::not_enforced, postbacks::key_id, diesel::dsl::count_star()))
        .load(conn)
}

/// How much later than its postback an id may have been made: what can be found by its id need not be searched for.
const LATEST_ID_SECONDS: i64 = 3_600;

/// A page, newest first.
pub fn list(
    conn: &mut Conn,
    scope: &PartnerScope,
    filter: &PostbackFilter,
    (before, rows): (Option<PostbackId>, i64),
) -> QueryResult<Vec<Postback>> {
    let mut query = filtered(conn, scope, filter)?;
    if let Some(id) = before {
        query = query.filter(postbacks::id.lt(id));
    }
    query.order(postbacks::id.desc()).limit(rows).select(Postback::as_select()).load(conn)
}

/// The lines after one of them and before a time, oldest first.
pub fn following(
    conn: &mut Conn,
    scope: &PartnerScope,
    filter: &PostbackFilter,
    (after, before, rows): (PostbackId, Timestamp, i64),
) -> QueryResult<Vec<Postback>> {
    filtered(conn, scope, filter)?
        .filter(postbacks::id.gt(after).and(postbacks::id.lt(first_id(before))))
        .order(postbacks::id)
        .limit(rows)
        .select(Postback::as_select())
        .load(conn)
}

type Filtered = postbacks::BoxedQuery<'static, Db>;

fn filtered(conn: &mut Conn, scope: &PartnerScope, filter: &PostbackFilter) -> QueryResult<Filtered> {
    let own = postbacks::partner_id.eq(scope.id()).and(postbacks::test.eq(filter.test));
    let mut query = of_outcome(postbacks::table.filter(own).into_boxed::<Db>(), filter);
    if let Some(from) = filter.received_from {
        query = query.filter(postbacks::received_at.ge(from).and(postbacks::id.ge(first_id(from))));
    }
    if let Some(to) = filter.received_to {
        let latest = first_id(to.plus_seconds(LATEST_ID_SECONDS));
        query = query.filter(postbacks::received_at.lt(to).and(postbacks::id.lt(latest)));
    }
    query = match filter.rerunnable {
        Some(true) => query.filter(is_rerunnable()),
        Some(false) => query.filter(not(is_rerunnable())),
        None => query,
    };
    if let Some(order) = &filter.order_id {
        let counted = conversions::order_id.eq(order);
        let counted = counting(conn, scope, Box::new(counted))?;
        query = query.filter(found_by(scope, Box::new(postbacks::order_id.eq(order.clone())), counted));
    }
    if let Some(click) = filter.click_id {
        let counted = conversions::click_id.eq(click).and(conversions::view_through.eq(false));
        let counted = counting(conn, scope, Box::new(counted))?;
        query = query.filter(found_by(scope, Box::new(postbacks::click_id.eq(click)), counted));
    }
    Ok(narrow!(
        query,
        filter.advertiser_id => postbacks::advertiser_id,
        filter.goal_id => postbacks::goal_id,
    ))
}

type Condition = Box<dyn BoxableExpression<postbacks::table, Db, SqlType = Nullable<Bool>>>;
type Counted<'a> = Box<dyn BoxableExpression<conversions::table, Db, SqlType = Nullable<Bool>> + 'a>;

/// The lines that conversions were counted by.
fn counting(conn: &mut Conn, scope: &PartnerScope, which: Counted) -> QueryResult<Vec<PostbackId>> {
    conversions::table
        .filter(conversions::partner_id.eq(scope.id()).and(which))
        .select(conversions::postback_id)
        .load(conn)
}

/// Lines of a click or of an order: those out of the common have an index, and the others are those of the conversions.
/// Each of the two ways names all that its index needs.
fn found_by(scope: &PartnerScope, is_named: Condition, counted: Vec<PostbackId>) -> Condition {
    let own = || postbacks::partner_id.eq(scope.id());
    let uncommon = own().and(is_named).and(is_uncommon());
    let counted = own().and(postbacks::id.eq_any(counted)).nullable();
    Box::new(uncommon.or(counted))
}

/// What is refused or otherwise out of the common has its own indexes, under conditions that are repeated here to the
/// letter: a value that is bound is none that an index can be chosen by.
fn is_uncommon() -> SqlLiteral<Bool> {
    sql("code <> 'accepted' AND code <> 'accepted_pending' AND code <> 'accepted_on_hold'")
}

fn of_outcome(mut query: Filtered, filter: &PostbackFilter) -> Filtered {
    let common = [Code::Accepted, Code::AcceptedPending, Code::AcceptedOnHold];
    if !filter.codes.is_empty() {
        let words: Vec<&str> = filter.codes.iter().map(|code| code.as_str()).collect();
        query = query.filter(postbacks::code.eq_any(words));
        if !filter.codes.iter().any(|code| common.contains(code)) {
            query = query.filter(is_uncommon());
        }
    }
    match filter.result {
        Some(Outcome::Rejected) => query.filter(sql::<Bool>("http_status >= 300")),
        Some(Outcome::Accepted) => query.filter(sql::<Bool>("http_status < 300")),
        None => query,
    }
}

/// The least id that is made at a time.
fn first_id(time: Timestamp) -> PostbackId {
    PostbackId::new(time, [0; 10])
}
