//! Judging refused postbacks again, after the set-up was mended: as they came, with today's set-up. The lines of the log
//! stay as they are; what comes of it is written beside them, with all that follows, in the transaction it is called in.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;
use serde_json::{Map, Value, json};

use super::{Conn, audit_events, conversions, lock_postbacks, record_postbacks, reruns};
use crate::{
    db::{
        received::{By, Incoming},
        rows::{accounts::AuditEvent, records::Rerun},
        schema,
        scope::PartnerScope,
        sql_types::Json,
    },
    domain::{
        answer::Answer,
        audit::AuditAction,
        ids::{ConversionId, PostbackId},
        time::Timestamp,
    },
    error::{Error, Result},
};

/// Judges postbacks again, and says what to answer to each. One that has a conversion since is answered with it,
/// whoever was faster.
pub fn run(conn: &mut Conn, scope: &PartnerScope, batch: &[Incoming], by: &By) -> Result<Vec<Answer>> {
    let ids: Vec<PostbackId> = batch.iter().map(|incoming| incoming.received.postback_id).collect();
    lock_postbacks(conn, scope, &ids)?;
    let earlier = reruns::of(conn, scope, &ids)?;
    let mut settled = settled(conn, scope, &earlier)?;
    let open: Vec<Incoming> = batch
        .iter()
        .filter(|incoming| !settled.contains_key(&incoming.received.postback_id))
        .cloned()
        .collect();
    if !open.is_empty() {
        let answers = record_postbacks::count(conn, &open)?;
        write(conn, scope, &answers, &earlier, by)?;
        settled.extend(answers.into_iter().filter_map(|answer| Some((answer.postback_id?, answer))));
    }
    let answers = ids.iter().map(|id| settled.get(id).cloned());
    let answers: Option<Vec<Answer>> = answers.collect();
    answers.ok_or_else(|| Error::Internal("a re-run has no answer".into()))
}

/// What would come of judging postbacks again. Nothing is written.
pub fn rehearse(conn: &mut Conn, batch: &[Incoming]) -> Result<Vec<Answer>> {
    record_postbacks::count(conn, batch)
}

/// The answers for those that have a conversion since.
fn settled(
    conn: &mut Conn,
    scope: &PartnerScope,
    earlier: &HashMap<PostbackId, Vec<Rerun>>,
) -> Result<HashMap<PostbackId, Answer>> {
    let mut answers = HashMap::new();
    for (id, conversion) in
        earlier.values().flatten().filter_map(|row| Some((row.postback_id, row.conversion_id?)))
    {
        let previous = conversions::get(conn, scope, conversion)?.previous();
        answers.insert(id, Answer { postback_id: Some(id), ..Answer::again(&previous) });
    }
    Ok(answers)
}

fn write(
    conn: &mut Conn,
    scope: &PartnerScope,
    answers: &[Answer],
    earlier: &HashMap<PostbackId, Vec<Rerun>>,
    by: &By,
) -> Result<()> {
    let rows = answers.iter().filter_map(|answer| row(scope, answer, earlier, by));
    let rows: Vec<Rerun> = rows.collect();
    reruns::append(conn, &rows)?;
    let counted: Vec<ConversionId> = rows.iter().filter_map(|row| row.conversion_id).collect();
    note_change(conn, scope, &counted, &rows, by.now)?;
    audit_events::insert(conn, &event(scope, &rows, by))?;
    Ok(())
}

fn row(
    scope: &PartnerScope,
    answer: &Answer,
    earlier: &HashMap<PostbackId, Vec<Rerun>>,
    by: &By,
) -> Option<Rerun> {
    let postback_id = answer.postback_id?;
    let position = earlier.get(&postback_id).map_or(0, Vec::len);
    Some(Rerun {
        partner_id: scope.id(),
        postback_id,
        position: i64::try_from(position).unwrap_or(i64::MAX).saturating_add(1),
        api_key_id: by.key,
        code: answer.code.as_str().to_owned(),
        message: answer.message.to_string(),
        conversion_id: answer.conversion_id,
        created_at: by.now,
    })
}

/// A conversion that is new came long ago; that it was written is of today.
fn note_change(
    conn: &mut Conn,
    scope: &PartnerScope,
    conversions: &[ConversionId],
    rows: &[Rerun],
    now: Timestamp,
) -> QueryResult<()> {
    use schema::conversions as table;
    let postbacks: Vec<PostbackId> = rows.iter().map(|row| row.postback_id).collect();
    let new = table::table
        .filter(table::partner_id.eq(scope.id()).and(table::id.eq_any(conversions)))
        .filter(table::postback_id.eq_any(postbacks));
    diesel::update(new).set(table::updated_at.eq(now)).execute(conn).map(drop)
}

fn event(scope: &PartnerScope, rows: &[Rerun], by: &By) -> AuditEvent {
    let subject = match rows {
        [one] => one.postback_id.to_string(),
        _ => "postbacks".to_owned(),
    };
    let mut by_code: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *by_code.entry(&row.code).or_default() += 1;
    }
    let postbacks: Vec<String> = rows.iter().map(|row| row.postback_id.to_string()).collect();
    let details: Map<String, Value> =
        Map::from_iter([("postbacks".to_owned(), json!(postbacks)), ("by_code".to_owned(), json!(by_code))]);
    AuditEvent {
        partner_id: scope.id(),
        id: by.event_id,
        actor: by.key,
        action: AuditAction::PostbackRerun,
        subject,
        details: Json(details),
        created_at: by.now,
    }
}
