//! One decision about many conversions, chosen by a filter.

use actix_web::{post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::adjustments::make;
use crate::{
    db::{
        db_read,
        list::ConversionFilter,
        received::{Asked, Hand, Target},
    },
    domain::{
        adjustment::Change,
        adjustment_report::check_note,
        conversion::{AdjustmentKind, ConversionStatus, Reason},
        ids::{AdvertiserId, CampaignId, ConversionId, GoalId, PublisherId, Reference},
        postback::Intent,
        time::Timestamp,
    },
    error::Result,
    http::{
        State,
        body::Body,
        caller::Recorder,
        fields::{Fields, named, read},
    },
};

/// How many are decided about in one transaction.
const AT_ONCE: i64 = 200;

/// A decision about many conversions.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"kind": "approve", "filter": {"status": "pending", "event_to": "2026-11-01T00:00:00Z"}, "dry_run": true})))]
pub struct DecideInBulk {
    /// `approve` or `reject`.
    #[schema(value_type = AdjustmentKind)]
    kind: Option<String>,
    /// Why; `order_update` by default.
    #[schema(value_type = Option<Reason>)]
    reason: Option<String>,
    /// A remark for people, at most 500 bytes, without e-mail addresses and phone numbers.
    #[schema(max_length = 500)]
    note: Option<String>,
    /// About which conversions. `{}` are all that wait.
    #[schema(value_type = BulkFilter)]
    filter: Option<BulkFilter>,
    /// true: only say how many there are. false by default.
    #[serde(default)]
    dry_run: bool,
}

/// Which conversions are decided about: those that fit all that is given.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkFilter {
    /// `pending` (the default) or `on_hold`.
    #[schema(value_type = Option<ConversionStatus>)]
    status: Option<String>,
    /// Those of this advertiser: its id, or `ext:` and your own.
    advertiser_id: Option<String>,
    /// Those of this campaign: its id, or `ext:` and your own.
    campaign_id: Option<String>,
    /// Those of this publisher: its id, or `ext:` and your own.
    publisher_id: Option<String>,
    /// Those of this goal: its id, or `ext:` and your own.
    goal_id: Option<String>,
    /// Those whose event happened at this time or later: RFC 3339.
    #[schema(value_type = Option<Timestamp>)]
    event_from: Option<String>,
    /// Those whose event happened before: RFC 3339.
    #[schema(value_type = Option<Timestamp>)]
    event_to: Option<String>,
    /// Those with this flag, such as `bot_click`.
    flag: Option<String>,
}

/// What a bulk decision came to.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"matched": 1204, "changed": 1204, "dry_run": false})))]
pub struct BulkOutcome {
    /// How many conversions the filter took in when it began.
    matched: i64,
    /// How many this request has changed. Those that somebody else was faster with are not among them.
    changed: i64,
    /// Whether nothing was to be changed.
    dry_run: bool,
}

/// Approves or rejects all conversions that a filter takes in, those counted before this request. It works through them
/// in transactions of 200 and answers when it is done; each conversion has its own line of history. Two at once change
/// each conversion once. With `dry_run` it only counts.
#[utoipa::path(tag = "Conversions", request_body = DecideInBulk,
    responses((status = 200, description = "How many were changed.", body = BulkOutcome)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "not_found", "unsupported_media_type", "payload_too_large"]))))]
#[post("/conversions/bulk")]
pub async fn decide_in_bulk(
    caller: Recorder,
    Body(body): Body<DecideInBulk>,
    state: web::Data<State>,
) -> Result<web::Json<BulkOutcome>> {
    let dry_run = body.dry_run;
    let (change, filter) = body.read(&caller, &state).await?;
    let scope = caller.partner;
    let counted = filter.clone();
    let matched =
        db_read!(&state.store, |queries, conn| queries::conversions::count(conn, &scope, &counted))?;
    let changed = if dry_run { 0 } else { work_through(&state, &caller, filter, change).await? };
    Ok(web::Json(BulkOutcome { matched, changed, dry_run }))
}

/// Decides about all that a filter takes in, and says how many were changed.
async fn work_through(
    state: &State,
    caller: &Recorder,
    filter: ConversionFilter,
    change: Change,
) -> Result<i64> {
    let scope = caller.partner;
    let (mut changed, mut after) = (0, None);
    loop {
        let filter = filter.clone();
        let status = filter.status;
        let ids = db_read!(&state.store, |queries, conn| {
            queries::conversions::selected(conn, &scope, &filter, after, AT_ONCE)
        })?;
        let Some(last) = ids.last() else { return Ok(changed) };
        after = Some(*last);
        let asked = ids.into_iter().map(|id| asked(id, status, &change)).collect();
        let made = make(state, scope, asked, Hand::partner(caller.key)).await?;
        changed += made.iter().filter(|made| made.is_ok()).count() as i64;
    }
}

fn asked(id: ConversionId, status: ConversionStatus, change: &Change) -> Asked {
    Asked {
        target: Target::Conversion(id),
        change: change.clone(),
        adjustment_id: None,
        only_from: Some(status),
        only_of: None,
        postback_id: None,
        intent: Intent::Count,
    }
}

impl DecideInBulk {
    async fn read(self, caller: &Recorder, state: &State) -> Result<(Change, ConversionFilter)> {
        const DECISIONS: &[AdjustmentKind] = &[AdjustmentKind::Approve, AdjustmentKind::Reject];
        const UNDECIDED: &[ConversionStatus] = &[ConversionStatus::Pending, ConversionStatus::OnHold];
        let decision = |text: &str| AdjustmentKind::parse(text).filter(|kind| DECISIONS.contains(kind));
        let undecided =
            |text: &str| ConversionStatus::parse(text).filter(|status| UNDECIDED.contains(status));
        let mut fields = Fields::default();
        // Who forgets it does not mean everything.
        let filter = fields.required("/filter", self.filter, Ok).unwrap_or_default();
        let kind = fields.required("/kind", self.kind, read::word(DECISIONS, decision));
        let reason = fields.optional("/reason", self.reason, read::word(Reason::ALL, Reason::parse));
        let note = fields.optional("/note", self.note, |text| check_note(&text).map(|()| text));
        let status = fields.optional("/filter/status", filter.status, read::word(UNDECIDED, undecided));
        let advertiser =
            fields.optional("/filter/advertiser_id", filter.advertiser_id, read::reference::<AdvertiserId>);
        let campaign =
            fields.optional("/filter/campaign_id", filter.campaign_id, read::reference::<CampaignId>);
        let publisher =
            fields.optional("/filter/publisher_id", filter.publisher_id, read::reference::<PublisherId>);
        let goal: Option<Reference<GoalId>> =
            fields.optional("/filter/goal_id", filter.goal_id, read::reference::<GoalId>);
        let event_from = fields.optional("/filter/event_from", filter.event_from, read::time);
        let event_to = fields.optional("/filter/event_to", filter.event_to, read::time);
        let flag = fields.optional("/filter/flag", filter.flag, read::flag);
        let kind = fields.finish(|| kind)?;
        let mut filter = ConversionFilter {
            status: status.unwrap_or(ConversionStatus::Pending),
            counted_before: state.clock.now().plus_seconds(1),
            event_from,
            event_to,
            flag,
            advertiser_id: None,
            campaign_id: None,
            publisher_id: None,
            goal_id: None,
        };
        let caller = *caller;
        let filter = db_read!(&state.store, |queries, conn| {
            filter.advertiser_id =
                filter!(queries, conn, caller, advertiser, advertisers, "/filter/advertiser_id");
            filter.campaign_id = filter!(queries, conn, caller, campaign, campaigns, "/filter/campaign_id");
            filter.publisher_id =
                filter!(queries, conn, caller, publisher, publishers, "/filter/publisher_id");
            filter.goal_id = filter!(queries, conn, caller, goal, goals, "/filter/goal_id");
            Ok::<_, crate::error::Error>(filter)
        })?;
        Ok((Change { kind, reason: reason.or(Some(Reason::OrderUpdate)), amount: None, note }, filter))
    }
}
