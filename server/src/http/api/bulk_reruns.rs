//! Running refused postbacks again that a filter takes in, some at a time.

use std::collections::BTreeMap;

use actix_web::{post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    rerun_intake::again,
    reruns::{rehearse, run_each},
};
use crate::{
    db::{db_read, list::RerunFilter},
    domain::{
        answer::Answer,
        code::Code,
        ids::{AdvertiserId, GoalId, Id, PostbackId},
        postback::Intent,
        rerun,
        time::Timestamp,
    },
    error::{Error, Result},
    http::{
        State,
        body::Body,
        caller::Recorder,
        fields::{Fields, named, read},
        schemas::PostbackAnswer,
    },
};

/// How many are run again in one request, and one transaction.
const AT_ONCE: i64 = 100;

/// Which postbacks are run again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"filter": {"codes": ["goal_mismatch"], "goal": "Purchase", "received_from": "2026-11-20T00:00:00Z"}, "dry_run": true})))]
pub struct RerunMany {
    /// Those that fit all that is given, of those that can be run again.
    #[serde(default)]
    filter: RerunChoice,
    /// Only those after this one: `next_after` of the answer before.
    #[schema(value_type = Option<PostbackId>)]
    after: Option<String>,
    /// How many at most, 1 to 100; 100 by default.
    #[schema(minimum = 1, maximum = 100, default = 100)]
    limit: Option<i64>,
    /// true: only say which there are, and what each would come to. false by default.
    #[serde(default)]
    dry_run: bool,
}

/// Which postbacks are run again: those that fit all that is given.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunChoice {
    /// Those with one of these outcomes; any by default.
    codes: Option<Vec<String>>,
    /// Those of this advertiser: its id, or `ext:` and your own.
    advertiser_id: Option<String>,
    /// Those that named this goal: its id, or `ext:` and your own. What was refused as `goal_mismatch` has named none.
    goal_id: Option<String>,
    /// Those that named the goal so, byte for byte, whether there was one of that name or not.
    goal: Option<String>,
    /// Those that came at this time or later: RFC 3339.
    #[schema(value_type = Option<Timestamp>)]
    received_from: Option<String>,
    /// Those that came before: RFC 3339.
    #[schema(value_type = Option<Timestamp>)]
    received_to: Option<String>,
}

/// What came of running postbacks again.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"matched": 1, "tried": 1, "counted": 1, "by_code": {"accepted": 1}, "dry_run": false, "more": false, "next_after": null, "results": [{"result": "accepted", "code": "accepted", "message": "Counted.", "postback_id": "pbk_01kayw5m8hfz2v6y0t3n7r9q4c", "conversion_id": "cnv_01kayw5m8hfz2v6y0t3n7r9q4c", "status": "approved", "hold_until": null, "retry": "no", "hint": null, "flags": []}]})))]
pub struct RerunOutcome {
    /// How many the filter took in when this request began, those of this request included.
    #[schema(minimum = 0)]
    matched: i64,
    /// How many this request has run again, or, in a dry run, looked at: the oldest ones.
    #[schema(minimum = 0)]
    tried: usize,
    /// How many of them count now and did not before; none in a dry run.
    #[schema(minimum = 0)]
    counted: usize,
    /// How many came to which code.
    by_code: BTreeMap<&'static str, usize>,
    /// Whether nothing was to be changed.
    dry_run: bool,
    /// Whether there are more: ask again with `next_after` as `after`.
    more: bool,
    /// The last one of this request, if there are more.
    next_after: Option<PostbackId>,
    /// What each would be answered now, the oldest first, by `postback_id`.
    #[schema(value_type = Vec<PostbackAnswer>)]
    results: Vec<Map<String, Value>>,
}

/// Runs refused postbacks again that a filter takes in. The oldest come first, at most 100 in a request: `more` says
/// whether there are others. Each is judged like a single one, and recorded like it; one that is refused again keeps no
/// other from counting, and can be run again. With `dry_run` nothing is changed: `results` tells which they are, and
/// what each would come to.
#[utoipa::path(tag = "Postbacks", request_body = RerunMany,
    responses((status = 200, description = "What came of each.", body = RerunOutcome)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "not_found", "unsupported_media_type", "payload_too_large"]))))]
#[post("/postbacks/rerun")]
pub async fn rerun_postbacks(
    caller: Recorder,
    Body(body): Body<RerunMany>,
    state: web::Data<State>,
) -> Result<web::Json<RerunOutcome>> {
    let dry_run = body.dry_run;
    let (filter, limit) = body.read(&caller, &state).await?;
    let scope = caller.partner;
    let (matched, lines) = db_read!(&state.store, |queries, conn| {
        let matched = queries::reruns::count(conn, &scope, &filter)?;
        Ok::<_, Error>((matched, queries::reruns::selected(conn, &scope, &filter, limit)?))
    })?;
    let tried = lines.len();
    let more = matched > i64::try_from(tried).unwrap_or(i64::MAX);
    let last = lines.last().map(|line| line.id);
    let mut batch = Vec::with_capacity(tried);
    let intent = if dry_run { Intent::Validate } else { Intent::Count };
    for line in lines {
        batch.push(again(&state, scope, line, intent).await?);
    }
    let answers = match batch.is_empty() {
        true => Vec::new(),
        false if dry_run => rehearse(&state, batch).await?,
        false => run_each(&state, caller, batch).await?,
    };
    Ok(web::Json(outcome(answers, matched, dry_run, last.filter(|_| more))))
}

fn outcome(
    answers: Vec<Answer>,
    matched: i64,
    dry_run: bool,
    next_after: Option<PostbackId>,
) -> RerunOutcome {
    let mut by_code = BTreeMap::new();
    for answer in &answers {
        *by_code.entry(answer.code.as_str()).or_default() += 1;
    }
    let is_new = |answer: &&Answer| {
        matches!(answer.code, Code::Accepted | Code::AcceptedPending | Code::AcceptedOnHold)
    };
    RerunOutcome {
        matched,
        tried: answers.len(),
        counted: answers.iter().filter(is_new).count(),
        by_code,
        dry_run,
        more: next_after.is_some(),
        next_after,
        results: answers.iter().map(Answer::body).collect(),
    }
}

impl RerunMany {
    async fn read(self, caller: &Recorder, state: &State) -> Result<(RerunFilter, i64)> {
        let (mut fields, filter) = (Fields::default(), self.filter);
        let codes = fields.optional("/filter/codes", filter.codes, mendable);
        let advertiser =
            fields.optional("/filter/advertiser_id", filter.advertiser_id, read::reference::<AdvertiserId>);
        let goal = fields.optional("/filter/goal_id", filter.goal_id, read::reference::<GoalId>);
        let received_from = fields.optional("/filter/received_from", filter.received_from, read::time);
        let received_to = fields.optional("/filter/received_to", filter.received_to, read::time);
        let sent_as = fields.optional("/filter/goal", filter.goal, read::event_name_as_sent);
        let after = fields.optional("/after", self.after, |text| {
            PostbackId::parse(&text).ok_or_else(|| "is not a postback's id".to_owned())
        });
        let limit = fields.optional("/limit", Some(self.limit.unwrap_or(AT_ONCE)), |limit| {
            let fits = (1..=AT_ONCE).contains(&limit);
            if fits { Ok(limit) } else { Err(format!("must be a number from 1 to {AT_ONCE}")) }
        });
        let limit = fields.finish(|| limit)?;
        let mut filter = RerunFilter {
            codes: codes.unwrap_or_default(),
            advertiser_id: None,
            goal_id: None,
            goal: sent_as,
            received_from,
            received_to,
            after,
        };
        let caller = *caller;
        let filter = db_read!(&state.store, |queries, conn| {
            filter.advertiser_id =
                filter!(queries, conn, caller, advertiser, advertisers, "/filter/advertiser_id");
            filter.goal_id = filter!(queries, conn, caller, goal, goals, "/filter/goal_id");
            Ok::<_, Error>(filter)
        })?;
        Ok((filter, limit))
    }
}

fn mendable(codes: Vec<String>) -> Result<Vec<String>, String> {
    let words: Vec<&str> = rerun::MENDABLE.iter().map(|code| code.as_str()).collect();
    match codes.iter().find(|code| !words.contains(&code.as_str())) {
        Some(other) => Err(format!("`{other}` is not one of {}", words.join(", "))),
        None => Ok(codes),
    }
}
