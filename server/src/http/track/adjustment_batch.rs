//! Batches of adjustments: many in one signed message, each with a verdict of its own.

use actix_web::{
    HttpRequest, HttpResponse, post,
    web::{Data, Payload},
};
use utoipa::ToSchema;

use super::{
    adjustments::{AdjustmentRequest, Sender, record},
    batch::{Message, Outcome, parameters},
    conversion_report::{BatchVerdicts, MessageQuery, SignatureHeaders},
    intake,
    postbacks::failed,
};
use crate::{
    db::received::ReceivedAdjustment,
    domain::{answer::Answer, code::Code, refusal::Refusal},
    error::{Error, Result},
    http::{State, head::Head},
};

/// How many are made in one transaction: while it lasts, their conversions are locked.
const AT_ONCE: usize = 200;

/// Up to 1,000 adjustments.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[schema(max_items = 1000, examples(json!([{"adjustment_id": "R-77", "kind": "retraction", "goal": "purchase", "order_id": "A-1001", "reason": "item_returned"}])))]
pub struct AdjustmentBatch(Vec<AdjustmentRequest>);

/// Adjusts up to 1,000 conversions in one message. It is a JSON array (`application/json`), or a JSON object in each line
/// (`application/x-ndjson`), at most 1 MiB, signed once over the whole body. Each item is read, judged and logged for
/// itself, in its order, and never keeps another one from being made: `results` has the same answer for each as a single
/// adjustment would get, with its `index`. The batch itself is not recorded, so that 200 says nothing about the items.
/// Send the same message again after a failure: what was made is answered `duplicate`. An item that says
/// `"validate_only": true` is only validated.
#[utoipa::path(tag = "Tracking",
    request_body(content((AdjustmentBatch = "application/json"), (String = "application/x-ndjson", example = "{\"adjustment_id\":\"R-77\",\"kind\":\"retraction\",\"goal\":\"purchase\",\"order_id\":\"A-1001\"}\n")), description = "The adjustments."),
    params(SignatureHeaders, MessageQuery),
    responses((status = 200, description = "A verdict for each item.", body = BatchVerdicts)),
    extensions(("x-codes" = json!(["payload_too_large", "unsupported_media_type"]))))]
#[post("/adjustments/batch")]
pub async fn report_adjustments(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let head = Head::of(&request);
    Outcome::answer(receive(&head, payload, &state).await, head.standing.get(), &state)
}

async fn receive(head: &Head<'_>, payload: Payload, state: &State) -> Result<Outcome> {
    let message = Message::receive(head, payload, state).await?;
    message.sender.refuse_flood(head, state)?;
    let sender = Sender::of(state, &message.sender, intake::asked_intent(head));
    match message.items(head, state, &sender.powers)? {
        Ok(items) => {
            let _turn = state.batches.take_turn(items.len()).await?;
            Ok(Outcome::Judged(judge(state, &sender, &items).await))
        }
        Err(refusal) => refuse(state, &sender, refusal, message.content.len()).await.map(Outcome::Refused),
    }
}

/// Makes what can be made, some in each transaction.
async fn judge(state: &State, sender: &Sender<'_>, items: &[&[u8]]) -> Vec<Answer> {
    let places: Vec<(usize, &[u8])> = items.iter().copied().enumerate().collect();
    let mut answers = Vec::with_capacity(items.len());
    for some in places.chunks(AT_ONCE) {
        match read_all(state, sender, some).await {
            Ok(received) => answers.extend(made(state, sender, received).await),
            Err(error) => answers.extend(vec![failed(error); some.len()]),
        }
    }
    answers
}

async fn read_all(
    state: &State,
    sender: &Sender<'_>,
    items: &[(usize, &[u8])],
) -> Result<Vec<ReceivedAdjustment>> {
    let mut received = Vec::with_capacity(items.len());
    for (place, content) in items {
        let sent = (parameters(content), content.len());
        received.push(sender.read(state, sent, i32::try_from(*place).ok()).await?);
    }
    Ok(received)
}

/// The verdicts on some. What cannot be written for a reason of its own keeps no other from being made.
async fn made(state: &State, sender: &Sender<'_>, received: Vec<ReceivedAdjustment>) -> Vec<Answer> {
    let (scope, count) = (sender.signer.key.scope, received.len());
    match record(state, scope, received.clone(), sender.hand()).await {
        Ok(answers) => answers,
        Err(Error::Internal(why)) if count > 1 => {
            tracing::warn!(why, "adjustments could not be recorded together");
            let mut answers = Vec::with_capacity(count);
            for one in received {
                let alone = record(state, scope, vec![one], sender.hand()).await;
                answers.extend(alone.unwrap_or_else(|error| vec![failed(error)]));
            }
            answers
        }
        Err(error) => vec![failed(error); count],
    }
}

/// Refuses a batch as a whole; one line of the log says so.
async fn refuse(state: &State, sender: &Sender<'_>, refusal: Refusal, bytes: usize) -> Result<Answer> {
    let received = sender.unread(state, refusal, bytes);
    let answers = record(state, sender.signer.key.scope, vec![received], sender.hand()).await?;
    let answer = answers.into_iter().next().unwrap_or_else(|| Answer::refused(Refusal::of(Code::Internal)));
    // The line of the log exists for the key's owner; who cannot sign does not learn that the key does.
    Ok(if sender.is_stranger() { Answer { postback_id: None, ..answer } } else { answer })
}
