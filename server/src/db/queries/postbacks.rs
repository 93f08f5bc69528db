//! The log of postbacks.

use diesel::{
    dsl::{not, sql},
    prelude::*,
    sql_types::Bool,
};

use super::{Conn, Db, reruns::is_rerunnable};
use crate::{
    db::{
        list::{PostbackFilter, narrow},
        rows::records::Postback,
        schema::postbacks,
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
        .first(conn)
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
    let mut query = filtered(scope, filter);
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
    filtered(scope, filter)
        .filter(postbacks::id.gt(after).and(postbacks::id.lt(first_id(before))))
        .order(postbacks::id)
        .limit(rows)
        .select(Postback::as_select())
        .load(conn)
}

type Filtered = postbacks::BoxedQuery<'static, Db>;

fn filtered(scope: &PartnerScope, filter: &PostbackFilter) -> Filtered {
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
    narrow!(
        query,
        filter.advertiser_id => postbacks::advertiser_id,
        filter.goal_id => postbacks::goal_id,
        filter.click_id => postbacks::click_id,
        filter.order_id.clone() => postbacks::order_id,
    )
}

/// What is refused or otherwise out of the common has its own indexes, under conditions that are repeated here to the
/// letter: a value that is bound is none that an index can be chosen by.
fn of_outcome(mut query: Filtered, filter: &PostbackFilter) -> Filtered {
    let common = [Code::Accepted, Code::AcceptedPending, Code::AcceptedOnHold];
    if !filter.codes.is_empty() {
        let words: Vec<&str> = filter.codes.iter().map(|code| code.as_str()).collect();
        query = query.filter(postbacks::code.eq_any(words));
        if !filter.codes.iter().any(|code| common.contains(code)) {
            let is_uncommon = "code NOT IN ('accepted', 'accepted_pending', 'accepted_on_hold')";
            query = query.filter(sql::<Bool>(is_uncommon));
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
