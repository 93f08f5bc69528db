//! What happens to a conversion after it was counted: decisions, refunds, and its history.

use actix_web::{get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{conversions::ConversionView, id_in_path};
use crate::{
    db::{
        db_read, db_write,
        list::{Listing, cursor_of},
        received::{Asked, Hand, Made, Occasion, Target},
        rows::records::Adjustment,
        scope::PartnerScope,
    },
    domain::{
        adjustment::{Change, check_amount},
        adjustment_report::{check_adjustment_id, check_note},
        click_id::ClickIdKey,
        conversion::{Actor, AdjustmentKind, ConversionStatus, Reason},
        currency::Currency,
        ids::{AdjustmentId, ApiKeyId, ConversionId, KeyId, PostbackId},
        money::{Micros, parse_decimal},
        postback::Intent,
        refusal::Refusal,
        time::Timestamp,
    },
    error::{Error, Result},
    http::{
        State,
        body::Body,
        caller::{Caller, Recorder},
        fields::{Fields, read},
        page::{ListName, Page, limit},
    },
};

/// One line of a conversion's history.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"id": "adj_01kayw5m8hfz2v6y0t3n7r9q4c", "conversion_id": "cnv_01kayw5m8hfz2v6y0t3n7r9q4c", "position": 1, "adjustment_id": "R-77", "kind": "restatement", "actor": "advertiser", "api_key_id": null, "key_id": "key_01kayw5m8hfz2v6y0t3n7r9q4c", "postback_id": "pbk_01kayw5m8hfz2v6y0t3n7r9q4c", "reason": "item_returned", "note": null, "status_before": "approved", "status_after": "approved", "currency": "EUR", "requested_amount": "29.90", "amount_before": "49.90", "amount_after": "29.90", "payout_before": "4.99", "payout_after": "2.99", "revenue_before": "6.2375", "revenue_after": "3.7375", "created_at": "2026-11-22T10:05:01Z"})))]
pub struct AdjustmentView {
    /// Its id.
    id: AdjustmentId,
    /// The conversion.
    conversion_id: ConversionId,
    /// Its place in the conversion's history, from 1.
    position: i64,
    /// The name that the sender gave it.
    adjustment_id: Option<String>,
    /// What was done.
    kind: AdjustmentKind,
    /// Who did it.
    actor: Actor,
    /// The API key, of a partner.
    api_key_id: Option<ApiKeyId>,
    /// The signing key, of an advertiser.
    key_id: Option<KeyId>,
    /// The line of the log, of an advertiser.
    postback_id: Option<PostbackId>,
    /// Why; null for the end of a hold.
    reason: Option<Reason>,
    /// A remark.
    note: Option<String>,
    /// Where the conversion stood.
    status_before: ConversionStatus,
    /// Where it stood afterwards; the same, where nothing was to be done.
    status_after: ConversionStatus,
    /// The currency of all sums.
    currency: Option<Currency>,
    /// The amount that was asked for, of a restatement.
    requested_amount: Option<String>,
    /// The amount before: a decimal string.
    amount_before: Option<String>,
    /// The amount afterwards.
    amount_after: Option<String>,
    /// The publisher's share before.
    payout_before: String,
    /// The publisher's share afterwards.
    payout_after: String,
    /// Your share before.
    revenue_before: String,
    /// Your share afterwards.
    revenue_after: String,
    /// When.
    created_at: Timestamp,
}

impl From<Adjustment> for AdjustmentView {
    fn from(row: Adjustment) -> Self {
        let decimal = |sum: Micros| row.currency.map_or("0".to_owned(), |currency| sum.to_decimal(currency));
        let requested = row.requested_amount_micros.zip(row.requested_currency);
        Self {
            requested_amount: requested.map(|(amount, currency)| amount.to_decimal(currency)),
            amount_before: row.amount_before_micros.map(decimal),
            amount_after: row.amount_after_micros.map(decimal),
            payout_before: decimal(row.payout_before_micros),
            payout_after: decimal(row.payout_after_micros),
            revenue_before: decimal(row.revenue_before_micros),
            revenue_after: decimal(row.revenue_after_micros),
            id: row.id,
            conversion_id: row.conversion_id,
            position: row.position,
            adjustment_id: row.adjustment_id,
            kind: row.kind,
            actor: row.actor,
            api_key_id: row.api_key_id,
            key_id: row.key_id,
            postback_id: row.postback_id,
            reason: row.reason,
            note: row.note,
            status_before: row.status_before,
            status_after: row.status_after,
            currency: row.currency,
            created_at: row.created_at,
        }
    }
}

/// An adjustment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"kind": "approve", "reason": "order_update", "note": "Delivered."})))]
pub struct AdjustConversion {
    /// What to do; `hold_end` cannot be asked for.
    #[schema(value_type = AdjustmentKind)]
    kind: Option<String>,
    /// Why; `order_update` by default.
    #[schema(value_type = Option<Reason>)]
    reason: Option<String>,
    /// A remark for people, at most 500 bytes, without e-mail addresses and phone numbers.
    #[schema(max_length = 500)]
    note: Option<String>,
    /// The new amount, of a `restatement`: a decimal string with a dot, at most 4 decimals, not negative.
    amount: Option<String>,
    /// Its currency, ISO 4217: the conversion's own, or the one that it was reported in.
    #[schema(value_type = Option<Currency>)]
    currency: Option<String>,
    /// A name of your own, at most 128 bytes, unique per advertiser: under it the adjustment is made once.
    #[schema(max_length = 128)]
    adjustment_id: Option<String>,
}

/// What an adjustment came to.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"conversion": {"id": "cnv_01kayw5m8hfz2v6y0t3n7r9q4c", "advertiser_id": "adv_01kayw5m8hfz2v6y0t3n7r9q4c", "goal_id": "gol_01kayw5m8hfz2v6y0t3n7r9q4c", "status": "approved", "flags": [], "match_mode": "transaction", "rebill": false, "view_through": false, "click_id": "101m2k3n4p5q6r7s8t9v0w1x2y3z4a5b6c7", "link_id": "lnk_01kayw5m8hfz2v6y0t3n7r9q4c", "campaign_id": "cmp_01kayw5m8hfz2v6y0t3n7r9q4c", "creative_id": null, "publisher_id": "pub_01kayw5m8hfz2v6y0t3n7r9q4c", "order_id": "A-1001", "customer_id": null, "amount": "49.90", "currency": "EUR", "original_amount": null, "original_currency": null, "exchange_rate": null, "payout": "4.99", "payout_rule": "goal", "revenue": "6.2375", "revenue_rule": "goal", "clicked_at": "2026-11-22T10:00:00Z", "event_time": "2026-11-22T10:05:00Z", "received_at": "2026-11-22T10:05:01Z", "hold_until": null, "postback_id": "pbk_01kayw5m8hfz2v6y0t3n7r9q4c", "parameters": {"coupon": "AUTUMN"}, "updated_at": "2026-11-22T10:05:01Z"}, "adjustment": {"id": "adj_01kayw5m8hfz2v6y0t3n7r9q4c", "conversion_id": "cnv_01kayw5m8hfz2v6y0t3n7r9q4c", "position": 1, "adjustment_id": "R-77", "kind": "restatement", "actor": "advertiser", "api_key_id": null, "key_id": "key_01kayw5m8hfz2v6y0t3n7r9q4c", "postback_id": "pbk_01kayw5m8hfz2v6y0t3n7r9q4c", "reason": "item_returned", "note": null, "status_before": "approved", "status_after": "approved", "currency": "EUR", "requested_amount": "29.90", "amount_before": "49.90", "amount_after": "29.90", "payout_before": "4.99", "payout_after": "2.99", "revenue_before": "6.2375", "revenue_after": "3.7375", "created_at": "2026-11-22T10:05:01Z"}})))]
pub struct AdjustedView {
    /// The conversion as it is now.
    conversion: ConversionView,
    /// The line of its history; the first one's, where its name was used before.
    adjustment: AdjustmentView,
}

/// Adjusts a conversion: `approve` or `reject` it, `reopen` a rejected one, take back (`retraction`) or restate it. A
/// `retraction` rejects what was never payable and reverses what was. A `restatement` changes the amount, and with it
/// payout and revenue, and leaves the status; a rejected or reversed conversion then waits for a decision again. What
/// stands already where it should is recorded, and left as it is.
#[utoipa::path(tag = "Conversions", request_body = AdjustConversion,
    params(("id" = String, Path, description = "The conversion's id.")),
    responses((status = 200, description = "The conversion, and the line of its history.", body = AdjustedView)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "not_found", "transition_not_allowed", "adjustment_conflict", "amount_invalid", "currency_invalid", "amount_required", "currency_required", "unsupported_media_type", "payload_too_large"]))))]
#[post("/conversions/{id}/adjustments")]
pub async fn adjust_conversion(
    caller: Recorder,
    id: web::Path<String>,
    Body(body): Body<AdjustConversion>,
    state: web::Data<State>,
) -> Result<web::Json<AdjustedView>> {
    let id: ConversionId = id_in_path(&id)?;
    db_read!(&state.store, |queries, conn| queries::conversions::get(conn, &caller.partner, id))?;
    let (change, adjustment_id) = body.read()?;
    let asked = Asked {
        target: Target::Conversion(id),
        change,
        adjustment_id,
        only_from: None,
        only_of: None,
        postback_id: None,
        intent: Intent::Count,
    };
    let made = make(&state, caller.partner, vec![asked], Hand::partner(caller.key)).await?;
    let made =
        made.into_iter().next().ok_or_else(|| Error::Internal("an adjustment has no outcome".into()))?;
    let Made { adjustment, conversion, .. } = made?;
    let key = ClickIdKey::derive(&state.master_key, caller.partner.id());
    Ok(web::Json(AdjustedView {
        conversion: ConversionView::new(conversion, &key),
        adjustment: adjustment.into(),
    }))
}

impl AdjustConversion {
    fn read(self) -> Result<(Change, Option<String>)> {
        let mut fields = Fields::default();
        let kind = read::word(AdjustmentKind::ASKED, AdjustmentKind::parse_asked);
        let kind = fields.required("/kind", self.kind, kind);
        let reason = fields.optional("/reason", self.reason, read::word(Reason::ALL, Reason::parse));
        let note = fields.optional("/note", self.note, |text| check_note(&text).map(|()| text));
        let amount = |text: String| parse_decimal(&text).map_err(|error| error.to_string());
        let amount = fields.optional("/amount", self.amount, amount);
        let currency = fields.optional("/currency", self.currency, read::currency);
        let name = |text: String| check_adjustment_id(&text).map(|()| text);
        let name = fields.optional("/adjustment_id", self.adjustment_id, name);
        let kind = fields.finish(|| kind)?;
        let amount = check_amount(kind, amount, currency).map_err(Refusal::with_json_pointers)?;
        Ok((Change { kind, reason: reason.or(Some(Reason::OrderUpdate)), amount, note }, name))
    }
}

/// How often adjustments are tried again that another transaction was in the way of.
const MOST_CONTENDED: usize = 5;

/// Makes adjustments in one transaction.
pub async fn make(
    state: &State,
    scope: PartnerScope,
    asked: Vec<Asked>,
    hand: Hand,
) -> Result<Vec<Result<Made, Refusal>>> {
    let mut tries = 0;
    loop {
        let (asked, hand, clock) = (asked.clone(), hand.clone(), state.clock.clone());
        let tried = db_write!(&state.store, |queries, conn| {
            let occasion = Occasion { now: clock.now(), delta_id: clock.new_id(), new_id: || clock.new_id() };
            queries::adjust::make(conn, &scope, &asked, &hand, &occasion)
        });
        tries += 1;
        match tried {
            Err(Error::Contended(_)) if tries < MOST_CONTENDED => {}
            tried => return Ok(tried?.into_iter().map(|tried| tried.made).collect()),
        }
    }
}

/// Which lines of a history.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListHistory {
    /// How many, 1 to 100; 25 by default.
    #[param(minimum = 1, maximum = 100, default = 25)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists the history of a conversion, newest first. Every adjustment, by whom and why, with status and money before and
/// after. Nothing in it is ever changed.
#[utoipa::path(tag = "Conversions", params(("id" = String, Path, description = "The conversion's id."), ListHistory),
    responses((status = 200, description = "A page of the history.", body = Page<AdjustmentView>)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "cursor_invalid", "not_found"]))))]
#[get("/conversions/{id}/history")]
pub async fn get_conversion_history(
    caller: Caller,
    id: web::Path<String>,
    query: web::Query<ListHistory>,
    state: web::Data<State>,
) -> Result<web::Json<Page<AdjustmentView>>> {
    let (id, query): (ConversionId, _) = (id_in_path(&id)?, query.into_inner());
    let list = ListName::new(&state, &caller.partner, "history", &id);
    let mut fields = Fields::default();
    let limit = fields.optional("limit", Some(query.limit), limit);
    let limit = fields.finish(|| limit)?;
    let listing = Listing { after: list.read(query.cursor.as_deref())?, limit, ..Listing::default() };
    let rows = db_read!(&state.store, |queries, conn| {
        queries::conversions::get(conn, &caller.partner, id)?;
        queries::adjustments::history(conn, &caller.partner, id, &listing)
    })?;
    Ok(web::Json(list.page(rows, limit, |row| cursor_of(row.position), AdjustmentView::from)))
}
