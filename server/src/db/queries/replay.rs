//! Recording what had to wait. It may have been recorded before: by an attempt that was given up and carried out all
//! the same, or by one after which the server was killed.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use super::{Conn, record_postbacks};
use crate::{
    db::{received::Incoming, schema::postbacks, scope::PartnerScope},
    domain::ids::PostbackId,
    error::Result,
};

/// Records postbacks, but for those that have their line in the log; all in the transaction it is called in.
pub fn record(conn: &mut Conn, batch: Vec<Incoming>) -> Result<()> {
    let mut asked: HashMap<PartnerScope, Vec<PostbackId>> = HashMap::new();
    for received in batch.iter().map(|incoming| &incoming.received) {
        asked.entry(received.scope).or_default().push(received.postback_id);
    }
    let mut known = HashSet::new();
    for (scope, ids) in asked {
        known.extend(logged(conn, &scope, ids)?);
    }
    let new: Vec<_> =
        batch.into_iter().filter(|incoming| !known.contains(&incoming.received.postback_id)).collect();
    if !new.is_empty() {
        record_postbacks::record(conn, &new)?;
    }
    Ok(())
}

/// Those of the ids that are in the log.
fn logged(conn: &mut Conn, scope: &PartnerScope, ids: Vec<PostbackId>) -> QueryResult<Vec<PostbackId>> {
    let lines = postbacks::table.filter(postbacks::partner_id.eq(scope.id()).and(postbacks::id.eq_any(ids)));
    lines.select(postbacks::id).load(conn)
}
