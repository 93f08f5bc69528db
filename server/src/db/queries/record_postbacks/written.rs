//! What is written of a postback: its conversion, if it counts, and its line of the log.

use serde_json::{Map, Value};

use super::goal_of;
use crate::{
    db::{
        received::{Incoming, Received},
        rows::{
            document::Document,
            records::{Conversion, Postback},
        },
        sql_types::Json,
    },
    domain::{
        answer::Answer, attribution::Proof, click_id::Touch, counted::Counted, kept_answer::Kept, masking,
        postback::About, pricing::Price, rerun, trace::Trace,
    },
};

pub fn conversion(received: &Received, counted: &Counted) -> Conversion {
    let click = counted.click.as_ref();
    let Price { terms, worth, .. } = &counted.price;
    Conversion {
        partner_id: received.scope.id(),
        id: received.conversion_id,
        advertiser_id: counted.advertiser_id,
        goal_id: counted.goal_id,
        count_key: counted.count_key.clone(),
        match_mode: counted.match_mode,
        click_id: click.map(|click| click.id),
        link_id: click.map(|click| click.credit.link_id),
        campaign_id: click.map(|click| click.credit.campaign_id),
        creative_id: click.and_then(|click| click.credit.creative_id),
        publisher_id: counted.publisher_id,
        order_id: counted.order_id.clone(),
        customer_id: counted.customer_id.clone(),
        status: counted.status,
        flags: Json(counted.flags.clone()),
        amount_micros: worth.amount,
        currency: terms.currency,
        payout_micros: worth.payout,
        revenue_micros: worth.revenue,
        clicked_at: click.map(|click| click.id.minted_at()),
        event_time: counted.event_time,
        received_at: received.received_at,
        hold_until: counted.hold_until,
        hold_end: counted.hold_end,
        postback_id: received.postback_id,
        parameters: Json(counted.extras.clone()),
        updated_at: received.received_at,
        view_through: click.is_some_and(|click| click.touch == Touch::Impression),
        payout_kind: terms.payout.kind(),
        payout_number: terms.payout.micros(),
        payout_rule: counted.price.payout_rule.clone(),
        revenue_kind: terms.revenue.kind(),
        revenue_number: terms.revenue.micros(),
        revenue_rule: counted.price.revenue_rule.clone(),
        original_amount_micros: worth.original,
        original_currency: terms.exchange.map(|exchange| exchange.from),
        exchange_rate: terms.exchange.map(|exchange| exchange.rate),
        capped_payout_micros: Some(counted.price.payout_for_caps).filter(|payout| *payout != worth.payout),
    }
}

pub fn postback(incoming: &Incoming, answer: &Answer, trace: Trace) -> Postback {
    let received = &incoming.received;
    let goal = goal_of(incoming);
    let rerun =
        rerun::check(About::Conversion, received.is_test, Some(answer.code), || received.request.members());
    Postback {
        partner_id: received.scope.id(),
        id: received.postback_id,
        received_at: received.received_at,
        form: received.form,
        key_id: received.key_id,
        advertiser_id: incoming.set_up.advertiser.as_ref().ok().copied(),
        goal_id: goal.map(|goal| goal.id),
        click_id: received.clicked(),
        conversion_id: answer.conversion_id,
        message_id: received.message_id.clone(),
        code: answer.code.as_str().to_owned(),
        http_status: i32::from(answer.code.status()),
        request: request(&received.request),
        answer: kept(answer),
        batch_index: received.batch_index,
        test: received.is_test,
        not_enforced: match received.powers.proof {
            Proof::NotEnforced(code) => Some(code.as_str().to_owned()),
            Proof::Signature | Proof::Token | Proof::WeakToken => None,
        },
        about: About::Conversion,
        order_id: order(received),
        trace: Some(Document::written(&trace)),
        rerunnable: rerun.is_ok(),
    }
}

/// The order that a report names. Of one that was read it need not be looked up in what is kept of it.
fn order(received: &Received) -> Option<String> {
    match &received.report {
        Ok(report) => masking::kept(report.order_id.as_deref()?),
        Err(_) => order_id(&received.request),
    }
}

/// The order that a request names, also where it was refused before that mattered; none that was masked: orders of
/// several people would be one.
pub fn order_id(request: &Document) -> Option<String> {
    let order = request.members().remove("order_id")?;
    let order = order.as_str().filter(|order| !order.contains(masking::REDACTED))?;
    Some(replaced(order.to_owned()))
}

/// An answer for the log. It may repeat what was sent.
pub fn kept(answer: &Answer) -> Document {
    if !answer.code.is_success() {
        Document::written(&masking::document(&answer.body()))
    } else if answer.facts.is_empty() {
        Document::written(&Kept(answer))
    } else {
        // What the sender calls an adjustment is among them.
        Document::written(&Kept(&Answer { facts: masking::document(&answer.facts), ..answer.clone() }))
    }
}

/// What came, for the log. PostgreSQL looks into no document that has a NUL. The refusal says that there was one; the log
/// shows where.
pub fn request(received: &Document) -> Document {
    if received.may_have_nul() {
        Document::written(&without_nul(received.members()))
    } else {
        received.clone()
    }
}

fn without_nul(document: Map<String, Value>) -> Map<String, Value> {
    document.into_iter().map(|(name, value)| (replaced(name), value_without_nul(value))).collect()
}

fn value_without_nul(value: Value) -> Value {
    match value {
        Value::String(text) => replaced(text).into(),
        Value::Array(items) => items.into_iter().map(value_without_nul).collect(),
        Value::Object(members) => without_nul(members).into(),
        other => other,
    }
}

fn replaced(text: String) -> String {
    text.replace('\0', "\u{fffd}")
}
