//! Why a postback was answered as it was.

use actix_web::{get, web};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::id_in_path;
use crate::{
    db::{db_read, rows::records::Postback},
    domain::{
        code::Code,
        explanation::{self, Finding, Line, Passed},
        ids::PostbackId,
        trace::Check,
    },
    error::Result,
    http::{State, caller::Caller},
};

/// Why a postback was answered as it was.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"postback_id": "pbk_01kayw5m8hfz2v6y0t3n7r9q4c", "code": "click_expired", "http_status": 410, "message": "The click was 3542400 s old, the goal's window is 2592000 s.", "hint": "The partner may widen the goal's `click_window_seconds`.", "retry": "no", "checks": [{"check": "windows", "outcome": "failed", "rule": "window 30 d, reported within 120 d of the event", "found": "age 41 d, reported 2 s after the event"}], "signed_content": null})))]
pub struct Explanation {
    /// The line of the log.
    postback_id: PostbackId,
    /// The outcome.
    code: String,
    /// The HTTP status it was answered with.
    http_status: i32,
    /// The outcome in a sentence.
    message: Option<String>,
    /// What to do.
    hint: Option<String>,
    /// Whether to send it again: `no`, `yes`, `after_fix` or `re_sign`.
    retry: Option<String>,
    /// Every check, in the order in which they are made, as the decision knew it then. An adjustment has checks of its
    /// own: `target`, `transition`, `amount`. None for lines that an earlier version wrote.
    checks: Vec<CheckView>,
    /// What the signature should be of, if it does not hold: `GET`, path and query in a line each, or
    /// `webhook-id.webhook-timestamp.body`; its beginning, with secrets and personal data taken out. Compare it with what
    /// the sender signs. In a batch it stands in the line of the first item.
    signed_content: Option<String>,
}

/// One check.
#[derive(Serialize, ToSchema)]
pub struct CheckView {
    /// Which one.
    check: Check,
    /// How it ended.
    outcome: Passed,
    /// What it asks for.
    rule: String,
    /// What was found; null where it was not reached, or there is nothing to say.
    found: Option<String>,
}

impl From<Finding> for CheckView {
    fn from(Finding { check, outcome, rule, found }: Finding) -> Self {
        Self { check, outcome, rule, found }
    }
}

impl From<Postback> for Explanation {
    fn from(row: Postback) -> Self {
        let (request, answer) = (row.request.members(), row.told());
        let trace = row.trace().unwrap_or_default();
        let line = Line {
            about: row.about,
            form: row.form,
            in_batch: row.is_of_batch(),
            received_at: row.received_at,
            key_id: row.key_id,
            advertiser_id: row.advertiser_id,
            conversion_id: row.conversion_id,
            not_enforced: row.not_enforced.as_deref(),
            code: &row.code,
            request: &request,
            answer: &answer,
            trace: &trace,
        };
        let checks = explanation::explain(&line).into_iter().map(CheckView::from).collect();
        let signed_content = trace.origin.signed.clone();
        let said = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        let known = Code::ALL.iter().find(|code| code.as_str() == row.code);
        Self {
            postback_id: row.id,
            http_status: row.http_status,
            message: said("message"),
            hint: said("hint"),
            retry: known.map(|code| code.retry().as_str().to_owned()),
            checks,
            signed_content,
            code: row.code,
        }
    }
}

/// Explains why a report or an adjustment was answered as it was: each check in its order, its rule, and what was found.
#[utoipa::path(tag = "Postbacks", params(("id" = String, Path, description = "The postback's id.")),
    responses((status = 200, description = "The explanation.", body = Explanation)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[get("/postbacks/{id}/explain")]
pub async fn explain_postback(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<Explanation>> {
    let id = id_in_path(&id)?;
    let row = db_read!(&state.store, |queries, conn| queries::postbacks::get(conn, &caller.partner, id))?;
    Ok(web::Json(row.into()))
}
