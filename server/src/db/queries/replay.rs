//! Recording what had to wait. It may have been recorded before: by an attempt that was given up and carried out all
//! the same, or by one after which the server was killed.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use super::{Conn, record_postbacks, signing_keys};
use crate::{
    db::{received::Incoming, schema::postbacks, scope::PartnerScope},
    domain::{
        code::Code,
        ids::{KeyId, PostbackId},
        refusal::Refusal,
        trace::Check,
    },
    error::Result,
};

/// Records postbacks, but for those that have their line in the log; all in the transaction it is called in. A key that
/// was known to work while the database was away may have been revoked meanwhile.
pub fn record(conn: &mut Conn, batch: Vec<Incoming>) -> Result<()> {
    let mut asked: HashMap<PartnerScope, Vec<PostbackId>> = HashMap::new();
    for received in batch.iter().map(|incoming| &incoming.received) {
        asked.entry(received.scope).or_default().push(received.postback_id);
    }
    let mut known = HashSet::new();
    for (scope, ids) in asked {
        known.extend(logged(conn, &scope, ids)?);
    }
    let mut new: Vec<_> =
        batch.into_iter().filter(|incoming| !known.contains(&incoming.received.postback_id)).collect();
    if !new.is_empty() {
        refuse_what_came_too_late(conn, &mut new)?;
        record_postbacks::record(conn, &new)?;
    }
    Ok(())
}

/// Refuses what came when its key did not work any more, as far as is known by now.
fn refuse_what_came_too_late(conn: &mut Conn, batch: &mut [Incoming]) -> QueryResult<()> {
    let mut asked: HashMap<PartnerScope, Vec<KeyId>> = HashMap::new();
    for received in batch.iter().map(|incoming| &incoming.received) {
        asked.entry(received.scope).or_default().extend(received.key_id);
    }
    let mut keys = HashMap::new();
    for (scope, ids) in asked {
        keys.extend(signing_keys::named(conn, &scope, ids)?.into_iter().map(|key| (key.id, key)));
    }
    for Incoming { received, .. } in batch.iter_mut().filter(|incoming| incoming.received.report.is_ok()) {
        let key = received.key_id.and_then(|id| keys.get(&id));
        if key.is_some_and(|key| !key.worked_at(received.received_at)) {
            let detail =
                "The key had been revoked, or its time was over, when this came; the database was away.";
            received.report = Err(Refusal::new(Code::SignatureInvalid, detail));
            received.origin.refused_at = Some(Check::Authenticate);
        }
    }
    Ok(())
}

/// Those of the ids that are in the log.
fn logged(conn: &mut Conn, scope: &PartnerScope, ids: Vec<PostbackId>) -> QueryResult<Vec<PostbackId>> {
    let lines = postbacks::table.filter(postbacks::partner_id.eq(scope.id()).and(postbacks::id.eq_any(ids)));
    lines.select(postbacks::id).load(conn)
}
