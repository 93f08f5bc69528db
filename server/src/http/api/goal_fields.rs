//! The fields of a goal, read one by one: what is wrong is said all at once.

use super::{
    goal_forms::{CreateGoal, UpdateGoal},
    goal_money::read_money,
    goal_rules::{max_rebills, read_caps, read_modes},
};
use crate::{
    db::{
        rows::setup::{Goal, GoalChanges},
        sql_types::Json,
    },
    domain::{
        goal::{Counting, DefaultStatus, HoldEnd, MoneyRule, USUAL_MODES},
        ids::{GoalId, PartnerId},
        money::Micros,
        setup::Status,
        text::EventName,
        time::Timestamp,
    },
    http::fields::{Fields, read},
};

const CLICK_WINDOW_SECONDS: i64 = 30 * 86_400;
const REBILL_WINDOW_SECONDS: i64 = 365 * 86_400;
const REPORTING_DELAY_SECONDS: i64 = 120 * 86_400;
const HOLD_SECONDS: i64 = 0;

/// The row of a new goal, but for what has to be looked up. Where a field is wrong, something stands in its place, and the errors say so.
pub fn new_goal(
    fields: &mut Fields,
    body: CreateGoal,
    (partner_id, id): (PartnerId, GoalId),
    now: Timestamp,
) -> Goal {
    let event_name = fields.required("/event_name", body.event_name, event_name);
    let name = fields.optional("/name", body.name.or_else(|| event_name.clone()), read::name);
    let external_id = fields.optional("/external_id", body.external_id, read::external_id);
    let counting = fields.optional("/count", body.count, read::word(Counting::ALL, Counting::parse));
    let default_status = fields.optional(
        "/default_status",
        body.default_status,
        read::word(DefaultStatus::ALL, DefaultStatus::parse),
    );
    let payout = fields.optional("/payout", Some(body.payout.unwrap_or_default()), read_money);
    let revenue = fields.optional("/revenue", Some(body.revenue.unwrap_or_default()), read_money);
    let currency = fields.optional("/currency", body.currency, read::currency);
    let hold_end = fields.optional("/hold_end", body.hold_end, read::word(HoldEnd::ALL, HoldEnd::parse));
    let modes = read_modes(fields, body.modes);
    let caps = read_caps(fields, body.caps.unwrap_or_default());
    let max_rebills = fields.optional("/max_rebills", body.max_rebills, max_rebills);
    let mut seconds = |name: &str, value: Option<i64>, least: i64, usual: i64| {
        fields.optional(&format!("/{name}"), value, read::seconds(least)).unwrap_or(usual)
    };
    let nothing = MoneyRule::Fixed(Micros(0));
    let (payout, revenue) = (payout.unwrap_or(nothing), revenue.unwrap_or(nothing));
    Goal {
        partner_id,
        id,
        advertiser_id: None,
        external_id,
        event_name: event_name.unwrap_or_default(),
        name: name.unwrap_or_default(),
        status: Status::Active,
        counting: counting.unwrap_or(Counting::Once),
        default_status: default_status.unwrap_or(DefaultStatus::Approved),
        payout_kind: payout.kind(),
        payout_micros: payout.micros(),
        revenue_kind: revenue.kind(),
        revenue_micros: revenue.micros(),
        currency,
        click_window_seconds: seconds(
            "click_window_seconds",
            body.click_window_seconds,
            1,
            CLICK_WINDOW_SECONDS,
        ),
        reporting_delay_seconds: seconds(
            "reporting_delay_seconds",
            body.reporting_delay_seconds,
            1,
            REPORTING_DELAY_SECONDS,
        ),
        hold_seconds: seconds("hold_seconds", body.hold_seconds, 0, HOLD_SECONDS),
        hold_end: hold_end.unwrap_or(HoldEnd::Approve),
        created_at: now,
        updated_at: now,
        view_window_seconds: seconds("view_window_seconds", body.view_window_seconds, 0, 0),
        modes: Json(modes.unwrap_or_else(|| USUAL_MODES.to_vec())),
        campaign_ids: Json::default(),
        overrides: Json::default(),
        caps: Json(caps),
        rebill_window_seconds: seconds(
            "rebill_window_seconds",
            body.rebill_window_seconds,
            1,
            REBILL_WINDOW_SECONDS,
        ),
        max_rebills,
        minimum_click_to_conversion_seconds: seconds(
            "minimum_click_to_conversion_seconds",
            body.minimum_click_to_conversion_seconds,
            0,
            0,
        ),
    }
}

fn event_name(text: String) -> Result<String, String> {
    EventName::parse(&text).map(|_| text)
}

/// What an update changes, but for what has to be looked up.
pub fn goal_changes(fields: &mut Fields, body: UpdateGoal, now: Timestamp) -> GoalChanges {
    let payout = fields.optional("/payout", body.payout, read_money);
    let revenue = fields.optional("/revenue", body.revenue, read_money);
    let caps = body.caps.map(|caps| read_caps(fields, caps.unwrap_or_default()));
    GoalChanges {
        modes: read_modes(fields, body.modes).map(Json),
        campaign_ids: None,
        overrides: None,
        caps: caps.map(Json),
        rebill_window_seconds: fields.optional(
            "/rebill_window_seconds",
            body.rebill_window_seconds,
            read::seconds(1),
        ),
        max_rebills: fields.change("/max_rebills", body.max_rebills, max_rebills),
        minimum_click_to_conversion_seconds: fields.optional(
            "/minimum_click_to_conversion_seconds",
            body.minimum_click_to_conversion_seconds,
            read::seconds(0),
        ),
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
        updated_at: now,
    }
}
