//! Conversion goals: what counts, how often, when, and for how much money.

use actix_web::{HttpResponse, get, patch, post, web};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    goal_fields::{goal_changes, new_goal},
    goal_forms::{CreateGoal, GoalView, UpdateGoal},
    goal_rules::{check_sums, check_together, read_campaigns, read_overrides},
    named_in_path,
};
use crate::{
    db::{db_read, db_write, list::Listing, sql_types::Json},
    domain::{
        goal::GoalRules,
        ids::{AdvertiserId, Id},
        overrides::Override,
        setup::Status,
    },
    error::Result,
    http::{
        State,
        body::Body,
        caller::Caller,
        fields::{Fields, named, read},
        page::{ListName, Page, limit},
    },
};

/// The ids of campaigns by their names; all of them the goal's advertiser's, if it has one.
macro_rules! campaigns_of {
    ($queries:ident, $conn:ident, $caller:ident, $names:expr, $advertiser:expr) => {{
        let mut ids = Vec::new();
        for (index, name) in $names.iter().enumerate() {
            let found = $queries::campaigns::find($conn, &$caller.partner, name)?;
            let own =
                found.filter(|row| $advertiser.is_none_or(|advertiser| row.advertiser_id == advertiser));
            let id = named(own, &format!("/campaign_ids/{index}"))?.id;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }};
}

/// Overrides with their publishers.
macro_rules! overrides_of {
    ($queries:ident, $conn:ident, $caller:ident, $named:expr) => {{
        let mut overrides = Vec::new();
        for (index, one) in $named.iter().enumerate() {
            let publisher_id = match &one.publisher {
                Some(name) => {
                    let found = $queries::publishers::find($conn, &$caller.partner, name)?;
                    Some(named(found, &format!("/overrides/{index}/publisher_id"))?.id)
                }
                None => None,
            };
            overrides.push(Override { publisher_id, ..one.rule });
        }
        overrides
    }};
}

/// Which goals.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListGoals {
    /// How many, 1 to 100; 25 by default.
    #[param(minimum = 1, maximum = 100, default = 25)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those with this status; without it, all that are not archived.
    #[param(value_type = Option<Status>)]
    status: Option<String>,
    /// Only those of this advertiser: its id, or `ext:` and your own.
    advertiser_id: Option<String>,
}

/// Creates a goal.
#[utoipa::path(tag = "Goals", request_body = CreateGoal,
    responses((status = 201, description = "The new goal.", body = GoalView)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "external_id_taken", "unsupported_media_type", "payload_too_large", "not_found", "event_name_taken"]))))]
#[post("/goals")]
pub async fn create_goal(
    caller: Caller,
    Body(mut body): Body<CreateGoal>,
    state: web::Data<State>,
) -> Result<HttpResponse> {
    let mut fields = Fields::default();
    let advertiser =
        fields.optional("/advertiser_id", body.advertiser_id.take(), read::reference::<AdvertiserId>);
    let campaigns = read_campaigns(&mut fields, body.campaign_ids.take()).unwrap_or_default();
    let overrides = read_overrides(&mut fields, body.overrides.take()).unwrap_or_default();
    let row = new_goal(&mut fields, body, (caller.partner.id(), state.clock.new_id()), state.clock.now());
    let rules = overrides.iter().map(|one| one.rule).collect();
    check_sums(&mut fields, &GoalRules { overrides: rules, ..row.rules() });
    let mut row = fields.finish(|| Some(row))?;
    let row = db_write!(&state.store, |queries, conn| {
        if let Some(name) = &advertiser {
            let found = queries::advertisers::find(conn, &caller.partner, name)?;
            row.advertiser_id = Some(named(found, "/advertiser_id")?.id);
        }
        row.campaign_ids = Json(campaigns_of!(queries, conn, caller, campaigns, row.advertiser_id));
        row.overrides = Json(overrides_of!(queries, conn, caller, overrides));
        let mut fields = Fields::default();
        check_together(&mut fields, &row.rules());
        fields.finish(|| Some(()))?;
        queries::goals::insert(conn, &row).map(|()| row)
    })?;
    Ok(HttpResponse::Created().json(GoalView::from(row)))
}

/// Returns a goal.
#[utoipa::path(tag = "Goals", params(("id" = String, Path, description = "The goal's id, or `ext:` and your own.")),
    responses((status = 200, description = "The goal.", body = GoalView)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[get("/goals/{id}")]
pub async fn get_goal(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<GoalView>> {
    let id = named_in_path(&id)?;
    let row = db_read!(&state.store, |queries, conn| queries::goals::get(conn, &caller.partner, &id))?;
    Ok(web::Json(row.into()))
}

/// Lists goals, newest first.
#[utoipa::path(tag = "Goals", params(ListGoals),
    responses((status = 200, description = "A page of goals.", body = Page<GoalView>)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "cursor_invalid", "not_found"]))))]
#[get("/goals")]
pub async fn list_goals(
    caller: Caller,
    query: web::Query<ListGoals>,
    state: web::Data<State>,
) -> Result<web::Json<Page<GoalView>>> {
    let query = query.into_inner();
    let list = ListName::new(&state, &caller.partner, "goals", &(&query.status, &query.advertiser_id));
    let mut fields = Fields::default();
    let limit = fields.optional("limit", Some(query.limit), limit);
    let status = fields.optional("status", query.status, read::word(Status::ALL, Status::parse));
    let advertiser = fields.optional("advertiser_id", query.advertiser_id, read::reference::<AdvertiserId>);
    let limit = fields.finish(|| limit)?;
    let mut listing =
        Listing { after: list.read(query.cursor.as_deref())?, limit, status, ..Listing::default() };
    let rows = db_read!(&state.store, |queries, conn| {
        listing.advertiser_id = filter!(queries, conn, caller, advertiser, advertisers, "advertiser_id");
        queries::goals::list(conn, &caller.partner, &listing)
    })?;
    Ok(web::Json(list.page(rows, limit, |row| *row.id.bytes(), GoalView::from)))
}

/// Changes a goal. What is left out stays as it is.
#[utoipa::path(tag = "Goals", params(("id" = String, Path, description = "The goal's id, or `ext:` and your own.")),
    request_body = UpdateGoal,
    responses((status = 200, description = "The goal as it is now.", body = GoalView)),
    extensions(("x-codes" = json!(["malformed", "not_found", "validation_failed", "external_id_taken", "event_name_taken", "unsupported_media_type", "payload_too_large"]))))]
#[patch("/goals/{id}")]
pub async fn update_goal(
    caller: Caller,
    id: web::Path<String>,
    Body(mut body): Body<UpdateGoal>,
    state: web::Data<State>,
) -> Result<web::Json<GoalView>> {
    let id = named_in_path(&id)?;
    let mut fields = Fields::default();
    let campaigns = read_campaigns(&mut fields, body.campaign_ids.take());
    let overrides = read_overrides(&mut fields, body.overrides.take());
    let changes = goal_changes(&mut fields, body, state.clock.now());
    let mut changes = fields.finish(|| Some(changes))?;
    let row = db_write!(&state.store, |queries, conn| {
        let found = queries::goals::get(conn, &caller.partner, &id)?;
        if let Some(names) = &campaigns {
            changes.campaign_ids =
                Some(Json(campaigns_of!(queries, conn, caller, names, found.advertiser_id)));
        }
        if let Some(named) = &overrides {
            changes.overrides = Some(Json(overrides_of!(queries, conn, caller, named)));
        }
        let changed = queries::goals::update(conn, &caller.partner, found.id, &changes)?;
        if changed.caps != found.caps || changed.currency != found.currency {
            queries::goal_counts::forget(conn, &caller.partner, found.id)?;
        }
        let mut fields = Fields::default();
        check_together(&mut fields, &changed.rules());
        fields.finish(|| Some(changed))
    })?;
    Ok(web::Json(row.into()))
}

/// Archives a goal. It takes no part any more and leaves the lists; nothing is deleted. Set `status` to
/// bring it back.
#[utoipa::path(tag = "Goals", params(("id" = String, Path, description = "The goal's id, or `ext:` and your own.")),
    responses((status = 200, description = "The archived goal.", body = GoalView)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[post("/goals/{id}/archive")]
pub async fn archive_goal(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<GoalView>> {
    let id = named_in_path(&id)?;
    let now = state.clock.now();
    let row =
        db_write!(&state.store, |queries, conn| queries::goals::archive(conn, &caller.partner, &id, now))?;
    Ok(web::Json(row.into()))
}
