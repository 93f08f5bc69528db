//! Batches of conversions: many reports in one signed message, each with a verdict of its own.

use actix_web::{
    HttpRequest, HttpResponse, post,
    web::{Data, Payload},
};

use super::{
    batch::{Message, Outcome, parameters},
    conversion_report::{BatchBody, BatchVerdicts, MessageQuery, SignatureHeaders},
    credentials::Sender,
    intake::{self, Sent},
    postbacks::failed,
};
use crate::{
    domain::{
        answer::Answer,
        attribution::KeyPowers,
        code::Code,
        postback::{Form, Intent},
        refusal::Refusal,
    },
    error::{Error, Result},
    http::{State, head::Head},
    ingest::Pending,
};

/// Items that are read before others get their turn.
const ITEMS_AT_A_TIME: usize = 50;

/// Reports up to 1,000 conversions in one message. It is a JSON array (`application/json`), or a JSON object in each
/// line (`application/x-ndjson`), at most 1 MiB, signed once over the whole body like a single report. Each item is read,
/// judged and logged for itself, in its order, and never keeps another one from being counted: `results` has the same
/// answer for each as a single report would get, with its `index`. The batch itself is not recorded, so that 200 says
/// nothing about the items. It is refused as a whole only for its signature, its size, or an array that is none; send
/// the same message again after a failure, and what was counted is answered `duplicate`. An item that says
/// `"validate_only": true` is only validated.
#[utoipa::path(tag = "Tracking",
    request_body(content((BatchBody = "application/json"), (String = "application/x-ndjson", example = "{\"goal\":\"purchase\",\"click_id\":\"101m2k3n4p5q6r7s8t9v0w1x2y3z4a5b6c7\",\"order_id\":\"A-1001\",\"amount\":\"49.90\",\"currency\":\"EUR\"}\n")), description = "The reports."),
    params(SignatureHeaders, MessageQuery),
    responses((status = 200, description = "A verdict for each item.", body = BatchVerdicts)),
    extensions(("x-codes" = json!(["payload_too_large", "unsupported_media_type"]))))]
#[post("/conversions/batch")]
pub async fn report_conversions(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let head = Head::of(&request);
    Outcome::answer(receive(&head, payload, &state).await, head.standing.get(), &state)
}

async fn receive(head: &Head<'_>, payload: Payload, state: &State) -> Result<Outcome> {
    let message = Message::receive(head, payload, state).await?;
    let sender = &message.sender;
    let powers = sender.powers_over(head, state, None).await?;
    let items = message.items(head, state, &powers)?;
    match powers.and_then(|powers| Ok((powers, items?))) {
        Ok((powers, items)) => {
            let _in_queue = state.batches.take_turn(items.len()).await?;
            let asked = intake::asked_intent(head);
            Ok(Outcome::Judged(judge(state, sender, &powers, &asked, &items).await))
        }
        Err(refusal) => refuse(state, sender, refusal, &message.content).await.map(Outcome::Refused),
    }
}

/// Queues every item before it waits for any, so that they are committed together.
async fn judge(
    state: &State,
    sender: &Sender,
    powers: &KeyPowers,
    asked: &Result<Intent, Refusal>,
    items: &[&[u8]],
) -> Vec<Answer> {
    let mut queued = Vec::with_capacity(items.len());
    for (position, content) in items.iter().enumerate() {
        let sent = Sent {
            form: Form::Json,
            content,
            parameters: parameters(content),
            batch_index: i32::try_from(position).ok(),
        };
        let received = intake::received(state, sender, Ok(powers.clone()), asked, sent);
        let set_up = state.cache.set_up_for(&received).await;
        queued.push(state.ingest.hand_over(received, set_up));
        if position % ITEMS_AT_A_TIME == ITEMS_AT_A_TIME - 1 {
            tokio::task::yield_now().await;
        }
    }
    let mut answers = Vec::with_capacity(items.len());
    for pending in queued {
        answers.push(answer(pending).await);
    }
    answers
}

/// The verdict on an item. What finds no room is told so, and keeps nobody else from it.
async fn answer(queued: Result<Pending>) -> Answer {
    let outcome = match queued {
        Ok(pending) => pending.answer().await,
        Err(error) => Err(error),
    };
    outcome.unwrap_or_else(|error| match error {
        Error::Refused(refusal) => Answer::refused(*refusal),
        Error::Unavailable(why) | Error::Contended(why) => {
            tracing::debug!(why, "an item of a batch could not be recorded");
            Answer::refused(Refusal::of(Code::Unavailable))
        }
        error @ Error::Internal(_) => failed(error),
    })
}

/// Refuses a batch as a whole; one line of the log says so.
async fn refuse(state: &State, sender: &Sender, refusal: Refusal, content: &[u8]) -> Result<Answer> {
    let unread = Refusal::of(Code::Malformed);
    let sent = Sent { form: Form::Json, content, parameters: Err(unread), batch_index: None };
    let mut received = intake::received(state, sender, Err(refusal), &Ok(Intent::Count), sent);
    received.origin.whole_batch = true;
    intake::hand_over(state, received).await?.answer().await
}
