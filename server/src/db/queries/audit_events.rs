//! The audit log: who changed what about keys. It is only ever added to.

use diesel::prelude::*;

use super::{Conn, Db};
use crate::{
    db::{list::Listing, rows::accounts::AuditEvent, schema::audit_events, scope::PartnerScope},
    domain::ids::{AuditEventId, Id},
};

/// Adds an event, in the transaction of what it tells of.
pub fn insert(conn: &mut Conn, event: &AuditEvent) -> QueryResult<()> {
    diesel::insert_into(audit_events::table).values(event).execute(conn).map(drop)
}

/// A page, newest first.
pub fn list(conn: &mut Conn, scope: &PartnerScope, listing: &Listing) -> QueryResult<Vec<AuditEvent>> {
    let query = audit_events::table.filter(audit_events::partner_id.eq(scope.id())).into_boxed::<Db>();
    let query = match listing.after {
        Some(id) => query.filter(audit_events::id.lt(AuditEventId::from_bytes(id))),
        None => query,
    };
    query.order(audit_events::id.desc()).limit(listing.rows()).select(AuditEvent::as_select()).load(conn)
}
