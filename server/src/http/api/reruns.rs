//! Running a refused postback again, once the set-up is mended.

use actix_web::{post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{
    id_in_path,
    rerun_intake::{Again, again},
};
use crate::{
    db::{
        db_read, db_write,
        received::{By, Incoming},
        rows::records::{Postback, Rerun},
    },
    domain::{
        answer::Answer,
        code::Code,
        ids::{ApiKeyId, ConversionId, PostbackId},
        postback::Intent,
        refusal::Refusal,
        rerun::{self, WhyNot},
        time::Timestamp,
    },
    error::{Error, Result},
    http::{State, body::OptionalBody, caller::Recorder, schemas::PostbackAnswer},
};

/// How often a transaction is tried again that another one was in the way of.
const MOST_CONTENDED: usize = 5;

/// How a postback is run again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"dry_run": true})))]
pub struct RerunOne {
    /// true: only say what it would come to. false by default.
    #[serde(default)]
    dry_run: bool,
}

/// What came of running a postback again.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"position": 1, "created_at": "2026-11-23T09:00:00Z", "api_key_id": "apk_01kayw5m8hfz2v6y0t3n7r9q4c", "code": "accepted", "message": "Counted.", "conversion_id": "cnv_01kayw5m8hfz2v6y0t3n7r9q4c"})))]
pub struct RerunView {
    /// Its place among the re-runs of this postback, from 1.
    #[schema(minimum = 1)]
    position: i64,
    /// When.
    created_at: Timestamp,
    /// The API key that asked for it.
    api_key_id: ApiKeyId,
    /// The outcome.
    code: String,
    /// The outcome in a sentence.
    message: String,
    /// The conversion: the new one, or the one that had been counted meanwhile; null if it was refused again.
    conversion_id: Option<ConversionId>,
}

impl From<Rerun> for RerunView {
    fn from(row: Rerun) -> Self {
        let Rerun { position, created_at, api_key_id, code, message, conversion_id, .. } = row;
        Self { position, created_at, api_key_id, code, message, conversion_id }
    }
}

/// Why a line of the log cannot be run again; none if it can.
pub fn why_not(line: &Postback, reruns: &[Rerun]) -> Option<WhyNot> {
    let by_content =
        rerun::check(line.about, line.test, Code::named(&line.code), || line.request.members()).err();
    let is_settled = reruns.iter().any(|rerun| rerun.conversion_id.is_some());
    by_content
        .or_else(|| (!line.rerunnable).then_some(WhyNot::LoggedByEarlierVersion))
        .or_else(|| is_settled.then_some(WhyNot::RerunCounted))
}

/// Runs a refused postback again, after the set-up was mended. It is judged with today's set-up as it came: with its
/// parameters, and with the time at which it came for windows, delays and the default of its event's time. What was
/// refused for `goal_mismatch`, `goal_inactive`, `goal_not_in_campaign`, `mode_not_allowed`, `customer_not_found`,
/// `publisher_not_permitted`, `click_expired` or `currency_invalid` can be run again, and for `unresolved_macro` where the
/// placeholder stood in a parameter that is only stored, such as `coupon` (it is left out), until it counts: once, whatever races and whatever is sent again meanwhile. 200 says that the
/// outcome is recorded, in the line's `reruns`, and in the audit log; `result` and `code` say whether it counts. One that
/// has a conversion since is answered `duplicate` with it. With `dry_run` nothing is changed. The body may be left out.
#[utoipa::path(tag = "Postbacks", params(("id" = String, Path, description = "The postback's id.")),
    request_body = Option<RerunOne>,
    responses((status = 200, description = "What the postback would be answered now.", body = PostbackAnswer)),
    extensions(("x-codes" = json!(["not_found", "not_rerunnable", "malformed", "unsupported_media_type", "payload_too_large"]))))]
#[post("/postbacks/{id}/rerun")]
pub async fn rerun_postback(
    caller: Recorder,
    id: web::Path<String>,
    OptionalBody(RerunOne { dry_run }): OptionalBody<RerunOne>,
    state: web::Data<State>,
) -> Result<web::Json<Map<String, Value>>> {
    let id: PostbackId = id_in_path(&id)?;
    let scope = caller.partner;
    let line = db_read!(&state.store, |queries, conn| queries::postbacks::get(conn, &scope, id))?;
    if let Some(why) = why_not(&line, &[]) {
        let refusal = Refusal::new(Code::NotRerunnable, why.sentence());
        return Err(refusal.fact("why_not", why.as_str()).into());
    }
    let intent = if dry_run { Intent::Validate } else { Intent::Count };
    let batch = vec![again(&state, scope, line, intent).await?];
    let mut answers =
        if dry_run { rehearse(&state, batch).await? } else { run(&state, caller, batch).await? };
    let answer = answers.pop().ok_or_else(|| Error::Internal("a re-run has no answer".into()))?;
    Ok(web::Json(answer.body()))
}

/// Runs some again together, or, where that fails for a reason of one of them, each for itself.
pub async fn run_each(state: &State, caller: Recorder, batch: Vec<Again>) -> Result<Vec<Answer>> {
    let why = match run(state, caller, batch.clone()).await {
        Err(Error::Internal(why)) => why,
        outcome => return outcome,
    };
    tracing::warn!(why, "postbacks could not be run again together");
    let mut answers = Vec::with_capacity(batch.len());
    for one in batch {
        let id = one.incoming.received.postback_id;
        match run(state, caller, vec![one]).await {
            Ok(alone) => answers.extend(alone),
            Err(Error::Internal(why)) => {
                tracing::error!(why, postback_id = %id, "a postback could not be run again");
                let failed = Answer::refused(Refusal::of(Code::Internal));
                answers.push(Answer { postback_id: Some(id), ..failed });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(answers)
}

/// Runs some again in one transaction.
async fn run(state: &State, caller: Recorder, batch: Vec<Again>) -> Result<Vec<Answer>> {
    let Recorder { partner: scope, key } = caller;
    let (batch, left_out) = parts(batch);
    let mut tries = 0;
    loop {
        let (batch, clock) = (batch.clone(), state.clock.clone());
        let answers = db_write!(&state.store, |queries, conn| {
            let by = By { key, now: clock.now(), event_id: clock.new_id() };
            queries::rerun::run(conn, &scope, &batch, &by)
        });
        tries += 1;
        match answers {
            Err(Error::Contended(_)) if tries < MOST_CONTENDED => {}
            answers => return Ok(told(answers?, left_out)),
        }
    }
}

/// What would come of running some again.
pub async fn rehearse(state: &State, batch: Vec<Again>) -> Result<Vec<Answer>> {
    let (batch, left_out) = parts(batch);
    let answers = db_write!(&state.store, |queries, conn| queries::rerun::rehearse(conn, &batch))?;
    Ok(told(answers, left_out))
}

fn parts(batch: Vec<Again>) -> (Vec<Incoming>, Vec<Vec<String>>) {
    batch.into_iter().map(|again| (again.incoming, again.left_out)).unzip()
}

/// The answers, each with what the report was judged without.
fn told(answers: Vec<Answer>, left_out: Vec<Vec<String>>) -> Vec<Answer> {
    let tell = |(answer, names): (Answer, Vec<String>)| {
        if names.is_empty() { answer } else { answer.with("left_out", json!(names)) }
    };
    answers.into_iter().zip(left_out).map(tell).collect()
}
