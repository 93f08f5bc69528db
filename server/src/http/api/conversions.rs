//! Conversions: the ledger.

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::id_in_path;
use crate::{
    db::{db_read, list::Listing, rows::records::Conversion},
    domain::{
        answer::GOALS_OWN,
        click_id::{ClickId, ClickIdKey, Touch},
        conversion::{ConversionStatus, MatchMode},
        currency::Currency,
        ids::{
            AdvertiserId, CampaignId, ConversionId, CreativeId, GoalId, Id, LinkId, PostbackId, PublisherId,
        },
        money::Micros,
        rate::Rate,
        time::Timestamp,
    },
    error::Result,
    http::{
        State,
        caller::Caller,
        fields::{Fields, named, read},
        page::{ListName, Page, limit},
    },
};

/// A conversion.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"id": "cnv_01kayw5m8hfz2v6y0t3n7r9q4c", "advertiser_id": "adv_01kayw5m8hfz2v6y0t3n7r9q4c", "goal_id": "gol_01kayw5m8hfz2v6y0t3n7r9q4c", "status": "approved", "flags": [], "match_mode": "transaction", "rebill": false, "view_through": false, "click_id": "101m2k3n4p5q6r7s8t9v0w1x2y3z4a5b6c7", "link_id": "lnk_01kayw5m8hfz2v6y0t3n7r9q4c", "campaign_id": "cmp_01kayw5m8hfz2v6y0t3n7r9q4c", "creative_id": null, "publisher_id": "pub_01kayw5m8hfz2v6y0t3n7r9q4c", "order_id": "A-1001", "customer_id": null, "amount": "49.90", "currency": "EUR", "original_amount": null, "original_currency": null, "exchange_rate": null, "payout": "4.99", "payout_rule": "goal", "revenue": "6.2375", "revenue_rule": "goal", "clicked_at": "2026-11-22T10:00:00Z", "event_time": "2026-11-22T10:05:00Z", "received_at": "2026-11-22T10:05:01Z", "hold_until": null, "postback_id": "pbk_01kayw5m8hfz2v6y0t3n7r9q4c", "parameters": {"coupon": "AUTUMN"}, "updated_at": "2026-11-22T10:05:01Z"})))]
pub struct ConversionView {
    /// Its id.
    id: ConversionId,
    /// Whose conversion.
    advertiser_id: AdvertiserId,
    /// What it counts for.
    goal_id: GoalId,
    /// Where it stands.
    status: ConversionStatus,
    /// Why it waits, and what else is noteworthy.
    flags: Vec<String>,
    /// What tied the report to a publisher.
    match_mode: MatchMode,
    /// Whether a customer came again: matched by `customer_id` alone. Reports count it under `rebills`.
    rebill: bool,
    /// Whether it is credited to an impression, and not to a click.
    view_through: bool,
    /// The click, or the impression.
    #[schema(value_type = Option<ClickId>)]
    click_id: Option<String>,
    /// The link that was clicked.
    link_id: Option<LinkId>,
    /// Its campaign.
    campaign_id: Option<CampaignId>,
    /// Its creative.
    creative_id: Option<CreativeId>,
    /// Who earns the payout.
    publisher_id: Option<PublisherId>,
    /// The advertiser's id of the sale.
    order_id: Option<String>,
    /// The advertiser's id of the customer.
    customer_id: Option<String>,
    /// What was reported: a decimal string.
    amount: Option<String>,
    /// The currency of amount, payout and revenue; null when there is no money in it.
    currency: Option<Currency>,
    /// The amount as it was reported, where it came in another currency than the advertiser's: a decimal string.
    original_amount: Option<String>,
    /// The currency of that.
    original_currency: Option<Currency>,
    /// What one unit of it was worth in `currency` on the day of the event: a decimal string.
    exchange_rate: Option<String>,
    /// What the publisher earns: a decimal string.
    payout: String,
    /// Where the payout comes from: `goal`, or the goal's override `publisher:pub_...`, `country:DE`, or both with a `+`.
    payout_rule: String,
    /// What you earn: a decimal string.
    revenue: String,
    /// Where the revenue comes from, likewise.
    revenue_rule: String,
    /// When the click or the impression happened.
    clicked_at: Option<Timestamp>,
    /// When the event happened.
    event_time: Timestamp,
    /// When the postback came.
    received_at: Timestamp,
    /// When its hold ends.
    hold_until: Option<Timestamp>,
    /// The line of the log that made it.
    postback_id: PostbackId,
    /// What else was reported: `adv_sub1`.., `coupon`, `lead_id`, `email_sha256`, `metadata`.
    #[schema(value_type = Object)]
    parameters: Map<String, Value>,
    /// When it was last changed.
    updated_at: Timestamp,
}

impl ConversionView {
    /// A conversion as callers see it.
    pub fn new(row: Conversion, key: &ClickIdKey) -> Self {
        let touch = if row.view_through { Touch::Impression } else { Touch::Click };
        let decimal = |sum: Micros| row.currency.map_or("0".to_owned(), |currency| sum.to_decimal(currency));
        Self {
            amount: row.amount_micros.map(decimal),
            original_amount: row
                .original_amount_micros
                .zip(row.original_currency)
                .map(|(sum, currency)| sum.to_decimal(currency)),
            original_currency: row.original_currency,
            exchange_rate: row.exchange_rate.map(Rate::to_decimal),
            payout: decimal(row.payout_micros),
            payout_rule: row.payout_rule.unwrap_or_else(|| GOALS_OWN.to_owned()),
            revenue: decimal(row.revenue_micros),
            revenue_rule: row.revenue_rule.unwrap_or_else(|| GOALS_OWN.to_owned()),
            rebill: row.match_mode == MatchMode::Customer,
            click_id: row.click_id.map(|id| key.text_of(touch, &id)),
            view_through: row.view_through,
            id: row.id,
            advertiser_id: row.advertiser_id,
            goal_id: row.goal_id,
            status: row.status,
            flags: row.flags.0,
            match_mode: row.match_mode,
            link_id: row.link_id,
            campaign_id: row.campaign_id,
            creative_id: row.creative_id,
            publisher_id: row.publisher_id,
            order_id: row.order_id,
            customer_id: row.customer_id,
            currency: row.currency,
            clicked_at: row.clicked_at,
            event_time: row.event_time,
            received_at: row.received_at,
            hold_until: row.hold_until,
            postback_id: row.postback_id,
            parameters: row.parameters.0,
            updated_at: row.updated_at,
        }
    }
}

/// Which conversions.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListConversions {
    /// How many, 1 to 100; 25 by default.
    #[param(minimum = 1, maximum = 100, default = 25)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those with this status.
    #[param(value_type = Option<ConversionStatus>)]
    status: Option<String>,
    /// Only those of this order.
    order_id: Option<String>,
    /// Only those of this advertiser: its id, or `ext:` and your own.
    advertiser_id: Option<String>,
    /// Only those of this campaign: its id, or `ext:` and your own.
    campaign_id: Option<String>,
    /// Only those of this link: its id, or `ext:` and your own.
    link_id: Option<String>,
    /// Only those of this publisher: its id, or `ext:` and your own.
    publisher_id: Option<String>,
    /// Only those of this goal: its id, or `ext:` and your own.
    goal_id: Option<String>,
}

/// Returns a conversion.
#[utoipa::path(tag = "Conversions", params(("id" = String, Path, description = "The conversion's id.")),
    responses((status = 200, description = "The conversion.", body = ConversionView)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[get("/conversions/{id}")]
pub async fn get_conversion(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<ConversionView>> {
    let id = id_in_path(&id)?;
    let row = db_read!(&state.store, |queries, conn| queries::conversions::get(conn, &caller.partner, id))?;
    Ok(web::Json(ConversionView::new(row, &ClickIdKey::derive(&state.master_key, caller.partner.id()))))
}

/// Lists conversions, newest first.
#[utoipa::path(tag = "Conversions", params(ListConversions),
    responses((status = 200, description = "A page of conversions.", body = Page<ConversionView>)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "cursor_invalid", "not_found"]))))]
#[get("/conversions")]
pub async fn list_conversions(
    caller: Caller,
    query: web::Query<ListConversions>,
    state: web::Data<State>,
) -> Result<web::Json<Page<ConversionView>>> {
    let query = query.into_inner();
    let filters = (
        (&query.status, &query.order_id, &query.goal_id),
        (&query.advertiser_id, &query.campaign_id, &query.link_id, &query.publisher_id),
    );
    let list = ListName::new(&state, &caller.partner, "conversions", &filters);
    let mut fields = Fields::default();
    let limit = fields.optional("limit", Some(query.limit), limit);
    let status =
        fields.optional("status", query.status, read::word(ConversionStatus::ALL, ConversionStatus::parse));
    let advertiser = fields.optional("advertiser_id", query.advertiser_id, read::reference::<AdvertiserId>);
    let campaign = fields.optional("campaign_id", query.campaign_id, read::reference::<CampaignId>);
    let link = fields.optional("link_id", query.link_id, read::reference::<LinkId>);
    let publisher = fields.optional("publisher_id", query.publisher_id, read::reference::<PublisherId>);
    let goal = fields.optional("goal_id", query.goal_id, read::reference::<GoalId>);
    let order_id = fields.optional("order_id", query.order_id, read::order_id);
    let limit = fields.finish(|| limit)?;
    let after = list.read(query.cursor.as_deref())?;
    let mut listing = Listing { after, limit, conversion_status: status, order_id, ..Listing::default() };
    let rows = db_read!(&state.store, |queries, conn| {
        listing.advertiser_id = filter!(queries, conn, caller, advertiser, advertisers, "advertiser_id");
        listing.campaign_id = filter!(queries, conn, caller, campaign, campaigns, "campaign_id");
        listing.link_id = filter!(queries, conn, caller, link, links, "link_id");
        listing.publisher_id = filter!(queries, conn, caller, publisher, publishers, "publisher_id");
        listing.goal_id = filter!(queries, conn, caller, goal, goals, "goal_id");
        queries::conversions::list(conn, &caller.partner, &listing)
    })?;
    let key = ClickIdKey::derive(&state.master_key, caller.partner.id());
    Ok(web::Json(list.page(rows, limit, |row| *row.id.bytes(), |row| ConversionView::new(row, &key))))
}
