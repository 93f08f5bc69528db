//! The audit log: who changed what about keys, and about what is asked of them; who ran postbacks again.

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::{
    db::{db_read, list::Listing, rows::accounts::AuditEvent, sql_types::Json},
    domain::{
        audit::AuditAction,
        ids::{ApiKeyId, AuditEventId, Id},
        time::Timestamp,
    },
    error::Result,
    http::{
        State,
        caller::Caller,
        fields::Fields,
        page::{ListName, Page, limit},
    },
};

/// An event of the audit log.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"id": "aud_01kayw5m8hfz2v6y0t3n7r9q4c", "created_at": "2026-11-22T10:00:00Z", "actor": "apk_01kayw5m8hfz2v6y0t3n7r9q4c", "action": "signing_key.rotated", "subject": "key_01kayw5m8hfz2v6y0t3n7r9q4c", "details": {"replaced_by": "key_01kayw5m8hfz2v6y0t3n7r9q4c", "expires_at": "2026-11-24T10:00:00Z"}})))]
pub struct AuditEventView {
    /// Its id.
    id: AuditEventId,
    /// When it was.
    created_at: Timestamp,
    /// The API key that did it.
    actor: ApiKeyId,
    /// What was done.
    action: AuditAction,
    /// The id of what it was done to.
    subject: String,
    /// What was set, by name. Never a secret.
    #[schema(value_type = Object)]
    details: Map<String, Value>,
}

impl From<AuditEvent> for AuditEventView {
    fn from(row: AuditEvent) -> Self {
        let AuditEvent { id, created_at, actor, action, subject, details, .. } = row;
        Self { id, created_at, actor, action, subject, details: details.0 }
    }
}

/// Which events.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListAuditEvents {
    /// How many, 1 to 100; 25 by default.
    #[param(minimum = 1, maximum = 100, default = 25)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists the audit log, newest first. It has every change of signing keys and tokens, and of what advertisers ask of
/// signatures, and every re-run of postbacks. It is written with the change, in one transaction, and never altered.
#[utoipa::path(tag = "Signing keys", params(ListAuditEvents),
    responses((status = 200, description = "A page of the audit log.", body = Page<AuditEventView>)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "cursor_invalid"]))))]
#[get("/audit-events")]
pub async fn list_audit_events(
    caller: Caller,
    query: web::Query<ListAuditEvents>,
    state: web::Data<State>,
) -> Result<web::Json<Page<AuditEventView>>> {
    let list = ListName::new(&state, &caller.partner, "audit_events", &());
    let mut fields = Fields::default();
    let limit = fields.optional("limit", Some(query.limit), limit);
    let limit = fields.finish(|| limit)?;
    let listing = Listing { after: list.read(query.cursor.as_deref())?, limit, ..Listing::default() };
    let rows =
        db_read!(&state.store, |queries, conn| queries::audit_events::list(conn, &caller.partner, &listing))?;
    Ok(web::Json(list.page(rows, limit, |row| *row.id.bytes(), AuditEventView::from)))
}

/// An event of now, to be written with what it tells of.
pub fn event(
    state: &State,
    caller: &Caller,
    action: AuditAction,
    subject: impl ToString,
    details: Value,
) -> AuditEvent {
    let details = match details {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    AuditEvent {
        partner_id: caller.partner.id(),
        id: state.clock.new_id(),
        actor: caller.key,
        action,
        subject: subject.to_string(),
        details: Json(details),
        created_at: state.clock.now(),
    }
}
