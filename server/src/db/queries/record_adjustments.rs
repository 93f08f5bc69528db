//! Recording adjustments that advertisers send: made or refused, each with its line of the log, in one transaction.

use super::{
    Conn, adjust, bulk,
    record_postbacks::{kept, order_id, request},
};
use crate::{
    db::{
        received::{Asked, Hand, Made, Occasion, ReceivedAdjustment, Tried},
        rows::{
            document::Document,
            records::{Conversion, Postback},
        },
        scope::PartnerScope,
    },
    domain::{
        adjustment,
        answer::{Adjusted, Answer},
        ids::AdjustmentId,
        masking,
        postback::{About, Form, Intent},
        refusal::Refusal,
        trace::{Check, Trace},
    },
    error::Result,
};

/// Records adjustments of one key, and says what to answer to each.
pub fn record(
    conn: &mut Conn,
    scope: &PartnerScope,
    batch: &[ReceivedAdjustment],
    hand: &Hand,
    occasion: &Occasion<impl Fn() -> AdjustmentId>,
) -> Result<Vec<Answer>> {
    let asked: Vec<Asked> = batch.iter().filter_map(|received| received.asked.clone().ok()).collect();
    let mut tried = adjust::make(conn, scope, &asked, hand, occasion)?.into_iter();
    let (mut answers, mut lines) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
    for received in batch {
        let tried = received.asked.as_ref().ok().and_then(|_| tried.next());
        let trace = trace(received, tried.as_ref());
        let seen = tried.as_ref().and_then(|tried| tried.seen.clone());
        let outcome = match (&received.asked, tried) {
            (Err(refusal), _) => Err(refusal.clone()),
            (Ok(asked), Some(tried)) => tried.made.map(|made| (asked, made)),
            (Ok(_), None) => Err(adjustment::no_conversion()),
        };
        let flags = received.flags.clone();
        let answer = Answer { postback_id: Some(received.postback_id), flags, ..answer(&outcome) };
        lines.push(line(scope, received, seen.as_ref(), &answer, trace));
        answers.push(answer);
    }
    bulk::insert_postbacks(conn, &lines)?;
    Ok(answers)
}

/// What the decision knew, and the check that it ended at.
fn trace(received: &ReceivedAdjustment, tried: Option<&Tried>) -> Trace {
    let ended_at = match tried.map(|tried| &tried.made) {
        None => received.origin.refused_at,
        Some(Err(refusal)) => Some(adjustment::refused_at(refusal.code)),
        Some(Ok(made)) if made.is_repeated => Some(Check::Duplicates),
        Some(Ok(_)) => Some(Check::Write),
    };
    let adjusted = tried.and_then(|tried| tried.seen.as_ref()).map(Conversion::seen);
    Trace { origin: received.origin.clone(), ended_at, adjusted, ..Trace::default() }
}

type Outcome<'a> = Result<(&'a Asked, Made), Refusal>;

fn answer(outcome: &Outcome<'_>) -> Answer {
    let (asked, made) = match outcome {
        Ok(made) => made,
        Err(refusal) => return Answer::refused(refusal.clone()),
    };
    let line = &made.adjustment;
    let adjusted = Adjusted {
        conversion_id: line.conversion_id,
        adjustment_id: line.adjustment_id.as_deref(),
        status_before: line.status_before,
        status: line.status_after,
        amount: line.amount_after_micros.zip(line.currency),
        is_idle: line.is_idle(),
        is_repeated: made.is_repeated,
    };
    let answer = Answer::adjusted(&adjusted);
    if asked.intent == Intent::Validate { answer.validated() } else { answer }
}

fn line(
    scope: &PartnerScope,
    received: &ReceivedAdjustment,
    conversion: Option<&Conversion>,
    answer: &Answer,
    trace: Trace,
) -> Postback {
    let ordered = conversion.and_then(|row| row.order_id.as_deref()).and_then(masking::kept);
    Postback {
        partner_id: scope.id(),
        id: received.postback_id,
        received_at: received.received_at,
        form: Form::Json,
        key_id: Some(received.key_id),
        advertiser_id: conversion.map(|row| row.advertiser_id).or(received.advertiser_id),
        goal_id: conversion.map(|row| row.goal_id),
        click_id: conversion.filter(|row| !row.view_through).and_then(|row| row.click_id),
        conversion_id: conversion.map(|row| row.id),
        message_id: Some(received.message_id.clone()),
        code: answer.code.as_str().to_owned(),
        http_status: i32::from(answer.code.status()),
        request: request(&received.request),
        answer: kept(answer),
        batch_index: received.batch_index,
        test: received.is_test,
        not_enforced: None,
        about: About::Adjustment,
        order_id: order_id(&received.request).or(ordered),
        trace: Some(Document::written(&trace)),
        rerunnable: false,
    }
}
