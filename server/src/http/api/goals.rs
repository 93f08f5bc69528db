//! Conversion goals: what counts, how often, when, and for how much money.

use actix_web::{HttpResponse, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    goal_money::{GoalMoney, read_money},
    named_in_path,
};
use crate::{
    db::{
        db_read, db_write,
        list::Listing,
        rows::setup::{Goal, GoalChanges},
    },
    domain::{
        currency::Currency,
        goal::{Counting, DefaultStatus, HoldEnd, MoneyRule},
        ids::{AdvertiserId, GoalId, Id},
        money::Micros,
        setup::Status,
        text::EventName,
        time::Timestamp,
    },
    error::Result,
    http::{
        State,
        body::Body,
        caller::Caller,
        fields::{Fields, named, not_null, present, read},
        page::{ListName, Page, limit},
    },
};

const CLICK_WINDOW_SECONDS: i64 = 30 * 86_400;
const REPORTING_DELAY_SECONDS: i64 = 120 * 86_400;
const HOLD_SECONDS: i64 = 0;

/// A new goal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"event_name": "purchase", "advertiser_id": "adv_01kayw5m8hfz2v6y0t3n7r9q4c", "count": "per_order", "payout": {"type": "percent", "percent": "10"}, "revenue": {"type": "percent", "percent": "12.5"}, "hold_seconds": 1209600})))]
pub struct CreateGoal {
    /// The name that postbacks send, byte for byte: 1 to 100 bytes.
    #[schema(required, value_type = String)]
    event_name: Option<String>,
    /// A name for people; the event name by default.
    name: Option<String>,
    /// Your own id, unique among your goals; use it as `ext:...` wherever its id is taken.
    external_id: Option<String>,
    /// The advertiser it is for: its id, or `ext:` and your own. Without one it serves all of your advertisers.
    advertiser_id: Option<String>,
    /// How often a click converts; `once` by default.
    #[schema(value_type = Option<Counting>)]
    count: Option<String>,
    /// What a conversion starts as; `approved` by default.
    #[schema(value_type = Option<DefaultStatus>)]
    default_status: Option<String>,
    /// What the publisher earns; nothing by default.
    payout: Option<GoalMoney>,
    /// What you earn; nothing by default.
    revenue: Option<GoalMoney>,
    /// The currency of fixed sums, and the only one that amounts may be in. Without it, amounts may be in any currency.
    #[schema(value_type = Option<Currency>)]
    currency: Option<String>,
    /// Longest time from click to event, in seconds; 30 days (2592000) by default.
    #[schema(minimum = 1, maximum = 315360000)]
    click_window_seconds: Option<i64>,
    /// Longest time from impression to event, in seconds; usual are 24 hours (86400). 0, the default: impressions are
    /// credited with nothing.
    #[schema(minimum = 0, maximum = 315360000)]
    view_window_seconds: Option<i64>,
    /// Longest time from event to postback, in seconds; 120 days (10368000) by default.
    #[schema(minimum = 1, maximum = 315360000)]
    reporting_delay_seconds: Option<i64>,
    /// Refund period from the event on, in seconds; 0 by default.
    #[schema(minimum = 0, maximum = 315360000)]
    hold_seconds: Option<i64>,
    /// What the end of the hold means; `approve` by default.
    #[schema(value_type = Option<HoldEnd>)]
    hold_end: Option<String>,
}

/// What to change about a goal; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"status": "paused"})))]
pub struct UpdateGoal {
    /// The name that postbacks send.
    #[serde(default, deserialize_with = "not_null")]
    event_name: Option<String>,
    /// A name for people.
    #[serde(default, deserialize_with = "not_null")]
    name: Option<String>,
    /// Your own id; null clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    external_id: Option<Option<String>>,
    /// Whether it takes part.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<Status>)]
    status: Option<String>,
    /// How often a click converts.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<Counting>)]
    count: Option<String>,
    /// What a conversion starts as.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<DefaultStatus>)]
    default_status: Option<String>,
    /// What the publisher earns.
    #[serde(default, deserialize_with = "not_null")]
    payout: Option<GoalMoney>,
    /// What you earn.
    #[serde(default, deserialize_with = "not_null")]
    revenue: Option<GoalMoney>,
    /// The currency; null: any.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Currency>)]
    currency: Option<Option<String>>,
    /// Longest time from click to event, in seconds.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(minimum = 1, maximum = 315360000)]
    click_window_seconds: Option<i64>,
    /// Longest time from impression to event, in seconds; 0: impressions are credited with nothing.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(minimum = 0, maximum = 315360000)]
    view_window_seconds: Option<i64>,
    /// Longest time from event to postback, in seconds.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(minimum = 1, maximum = 315360000)]
    reporting_delay_seconds: Option<i64>,
    /// Refund period, in seconds.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(minimum = 0, maximum = 315360000)]
    hold_seconds: Option<i64>,
    /// What the end of the hold means.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<HoldEnd>)]
    hold_end: Option<String>,
}

/// A goal.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"id": "gol_01kayw5m8hfz2v6y0t3n7r9q4c", "advertiser_id": "adv_01kayw5m8hfz2v6y0t3n7r9q4c", "external_id": null, "event_name": "purchase", "name": "purchase", "status": "active", "count": "per_order", "default_status": "approved", "payout": {"type": "percent", "percent": "10"}, "revenue": {"type": "percent", "percent": "12.5"}, "currency": null, "click_window_seconds": 2592000, "view_window_seconds": 0, "reporting_delay_seconds": 10368000, "hold_seconds": 1209600, "hold_end": "approve", "created_at": "2026-11-22T10:00:00Z", "updated_at": "2026-11-22T10:00:00Z"})))]
pub struct GoalView {
    /// Its id.
    id: GoalId,
    /// The advertiser it is for; null: all of yours.
    advertiser_id: Option<AdvertiserId>,
    /// Your own id.
    external_id: Option<String>,
    /// The name that postbacks send, byte for byte.
    event_name: String,
    /// A name for people.
    name: String,
    /// Whether it takes part.
    status: Status,
    /// How often a click converts.
    count: Counting,
    /// What a conversion starts as.
    default_status: DefaultStatus,
    /// What the publisher earns.
    payout: GoalMoney,
    /// What you earn.
    revenue: GoalMoney,
    /// The currency of fixed sums and of amounts; null: any.
    currency: Option<Currency>,
    /// Longest time from click to event, in seconds.
    click_window_seconds: i64,
    /// Longest time from impression to event, in seconds; 0: impressions are credited with nothing.
    view_window_seconds: i64,
    /// Longest time from event to postback, in seconds.
    reporting_delay_seconds: i64,
    /// Refund period from the event on, in seconds.
    hold_seconds: i64,
    /// What the end of the hold means.
    hold_end: HoldEnd,
    /// When it was made.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
}

impl From<Goal> for GoalView {
    fn from(row: Goal) -> Self {
        let rules = row.rules();
        Self {
            payout: GoalMoney::of(rules.payout, row.currency),
            revenue: GoalMoney::of(rules.revenue, row.currency),
            id: row.id,
            advertiser_id: row.advertiser_id,
            external_id: row.external_id,
            event_name: row.event_name,
            name: row.name,
            status: row.status,
            default_status: row.default_status,
            currency: row.currency,
            click_window_seconds: row.click_window_seconds,
            view_window_seconds: row.view_window_seconds,
            reporting_delay_seconds: row.reporting_delay_seconds,
            hold_seconds: row.hold_seconds,
            hold_end: row.hold_end,
            created_at: row.created_at,
            updated_at: row.updated_at,
            count: row.counting,
        }
    }
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
    Body(body): Body<CreateGoal>,
    state: web::Data<State>,
) -> Result<HttpResponse> {
    let mut fields = Fields::default();
    let event_name = fields.required("/event_name", body.event_name, event_name);
    let name = fields.optional("/name", body.name.or_else(|| event_name.clone()), read::name);
    let external_id = fields.optional("/external_id", body.external_id, read::external_id);
    let advertiser = fields.optional("/advertiser_id", body.advertiser_id, read::reference::<AdvertiserId>);
    let count = body.count.unwrap_or_else(|| Counting::Once.to_string());
    let counting = fields.optional("/count", Some(count), read::word(Counting::ALL, Counting::parse));
    let default_status = body.default_status.unwrap_or_else(|| DefaultStatus::Approved.to_string());
    let default_status = fields.optional(
        "/default_status",
        Some(default_status),
        read::word(DefaultStatus::ALL, DefaultStatus::parse),
    );
    let payout = fields.optional("/payout", Some(body.payout.unwrap_or_default()), read_money);
    let revenue = fields.optional("/revenue", Some(body.revenue.unwrap_or_default()), read_money);
    let currency = fields.optional("/currency", body.currency, read::currency);
    check_currency(&mut fields, [payout, revenue], currency);
    let click_window_seconds = fields.optional(
        "/click_window_seconds",
        Some(body.click_window_seconds.unwrap_or(CLICK_WINDOW_SECONDS)),
        read::seconds(1),
    );
    let view_window_seconds =
        fields.optional("/view_window_seconds", body.view_window_seconds, read::seconds(0));
    let reporting_delay_seconds = fields.optional(
        "/reporting_delay_seconds",
        Some(body.reporting_delay_seconds.unwrap_or(REPORTING_DELAY_SECONDS)),
        read::seconds(1),
    );
    let hold_seconds =
        fields.optional("/hold_seconds", Some(body.hold_seconds.unwrap_or(HOLD_SECONDS)), read::seconds(0));
    let hold_end = body.hold_end.unwrap_or_else(|| HoldEnd::Approve.to_string());
    let hold_end = fields.optional("/hold_end", Some(hold_end), read::word(HoldEnd::ALL, HoldEnd::parse));
    let now = state.clock.now();
    let mut row = fields.finish(|| {
        let (payout, revenue) = (payout?, revenue?);
        Some(Goal {
            partner_id: caller.partner.id(),
            id: state.clock.new_id(),
            advertiser_id: None,
            external_id,
            event_name: event_name?,
            name: name?,
            status: Status::Active,
            counting: counting?,
            default_status: default_status?,
            payout_kind: payout.kind(),
            payout_micros: payout.micros(),
            revenue_kind: revenue.kind(),
            revenue_micros: revenue.micros(),
            currency,
            click_window_seconds: click_window_seconds?,
            reporting_delay_seconds: reporting_delay_seconds?,
            hold_seconds: hold_seconds?,
            hold_end: hold_end?,
            created_at: now,
            updated_at: now,
            view_window_seconds: view_window_seconds.unwrap_or_default(),
        })
    })?;
    let row = db_write!(&state.store, |queries, conn| {
        if let Some(name) = &advertiser {
            let found = queries::advertisers::find(conn, &caller.partner, name)?;
            row.advertiser_id = Some(named(found, "/advertiser_id")?.id);
        }
        queries::goals::insert(conn, &row).map(|()| row)
    })?;
    Ok(HttpResponse::Created().json(GoalView::from(row)))
}

fn event_name(text: String) -> Result<String, String> {
    EventName::parse(&text).map(|_| text)
}

/// A fixed sum without a currency is no money.
fn check_currency(fields: &mut Fields, sums: [Option<MoneyRule>; 2], currency: Option<Currency>) {
    let is_fixed_sum = |rule: &MoneyRule| matches!(rule, MoneyRule::Fixed(sum) if *sum != Micros(0));
    if currency.is_none() && sums.iter().flatten().any(is_fixed_sum) {
        fields.error("/currency", "is needed, because payout or revenue is a fixed sum");
    }
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
    Body(body): Body<UpdateGoal>,
    state: web::Data<State>,
) -> Result<web::Json<GoalView>> {
    let id = named_in_path(&id)?;
    let mut fields = Fields::default();
    let payout = fields.optional("/payout", body.payout, read_money);
    let revenue = fields.optional("/revenue", body.revenue, read_money);
    let changes = GoalChanges {
        external_id: fields.change("/external_id", body.external_id, read::external_id),
        event_name: fields.optional("/event_name", body.event_name, event_name),
        name: fields.optional("/name", body.name, read::name),
        status: fields.optional("/status", body.status, read::word(Status::ALL, Status::parse)),
        counting: fields.optional("/count", body.count, read::word(Counting::ALL, Counting::parse)),
        default_status: fields.optional(
            "/default_status",
            body.default_status,
            read::word(DefaultStatus::ALL, DefaultStatus::parse),
        ),
        payout_kind: payout.map(MoneyRule::kind),
        payout_micros: payout.map(MoneyRule::micros),
        revenue_kind: revenue.map(MoneyRule::kind),
        revenue_micros: revenue.map(MoneyRule::micros),
        currency: fields.change("/currency", body.currency, read::currency),
        click_window_seconds: fields.optional(
            "/click_window_seconds",
            body.click_window_seconds,
            read::seconds(1),
        ),
        view_window_seconds: fields.optional(
            "/view_window_seconds",
            body.view_window_seconds,
            read::seconds(0),
        ),
        reporting_delay_seconds: fields.optional(
            "/reporting_delay_seconds",
            body.reporting_delay_seconds,
            read::seconds(1),
        ),
        hold_seconds: fields.optional("/hold_seconds", body.hold_seconds, read::seconds(0)),
        hold_end: fields.optional("/hold_end", body.hold_end, read::word(HoldEnd::ALL, HoldEnd::parse)),
        updated_at: state.clock.now(),
    };
    let changes = fields.finish(|| Some(changes))?;
    let row = db_write!(&state.store, |queries, conn| {
        let found = queries::goals::get(conn, &caller.partner, &id)?;
        let changed = queries::goals::update(conn, &caller.partner, found.id, &changes)?;
        let (rules, mut fields) = (changed.rules(), Fields::default());
        check_currency(&mut fields, [Some(rules.payout), Some(rules.revenue)], rules.currency);
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
