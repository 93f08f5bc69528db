//! Batches: many reports in one signed message, each with a verdict of its own.

use std::collections::BTreeMap;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    post,
    web::{Bytes, Data, Payload},
};
use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    conversion_report::{BatchBody, BatchVerdicts, MessageQuery, SignatureHeaders},
    credentials::{Claim, Sender},
    intake::{self, Sent},
    postbacks::{failed, respond},
    rate_limits,
};
use crate::{
    domain::{
        answer::Answer,
        attribution::KeyPowers,
        batch::{self, Layout},
        code::Code,
        parameters::Parameters,
        postback::{Form, Intent},
        refusal::Refusal,
    },
    error::{Error, Result},
    http::{State, body, transport::Transport},
    ingest::Pending,
};

/// The largest batch.
const LARGEST_BYTES: usize = 1024 * 1024;
/// Batches whose bodies are in memory at once.
const MOST_IN_MEMORY: usize = 64;
/// Batches whose items wait for the writer at once. With all the single postbacks that the door lets in they fit into
/// the writer's queue; and while one is being committed, the next one is read.
const MOST_IN_QUEUE: usize = 2;
/// Items that are read before others get their turn.
const ITEMS_AT_A_TIME: usize = 50;

/// How many batches are under way, so that memory stays flat however many come.
pub struct Batches {
    in_memory: Semaphore,
    in_queue: Semaphore,
}

impl Default for Batches {
    fn default() -> Self {
        Self { in_memory: Semaphore::new(MOST_IN_MEMORY), in_queue: Semaphore::new(MOST_IN_QUEUE) }
    }
}

impl Batches {
    /// Takes a batch in, if there is memory for one more.
    pub fn enter(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        let full = "There are more batches under way than the server takes; nothing of this one was read.";
        self.in_memory.try_acquire().map_err(|_| Refusal::new(Code::Unavailable, full))
    }

    /// Waits until few enough are being recorded.
    pub async fn take_turn(&self) -> Result<SemaphorePermit<'_>> {
        self.in_queue.acquire().await.map_err(|error| Error::Internal(error.to_string()))
    }
}

/// What became of a batch.
enum Outcome {
    /// Each item has a verdict.
    Judged(Vec<Answer>),
    /// None was looked at.
    Refused(Answer),
}

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
    let response = match receive(&request, payload, &state).await {
        Ok(Outcome::Judged(answers)) => {
            answers.iter().for_each(|answer| state.metrics.count_postback(answer.code));
            HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(Verdicts::of(&answers))
        }
        Ok(Outcome::Refused(answer)) => refused(&state, &answer),
        Err(error) => refused(&state, &failed(error)),
    };
    rate_limits::tell(&request, response)
}

fn refused(state: &State, answer: &Answer) -> HttpResponse {
    state.metrics.count_postback(answer.code);
    respond(answer)
}

async fn receive(request: &HttpRequest, payload: Payload, state: &State) -> Result<Outcome> {
    let transport = Transport::of(request, &state.trusted_proxies).require_private()?;
    let layout = layout(request)?;
    let _in_memory = state.batches.enter()?;
    let content = read(payload, state).await?;
    let claim = Claim::of_message(request.headers(), &content)?;
    let sender = Sender::find(state, &claim, transport.client).await?;
    let powers = sender.powers_over(request, state, None).await?;
    let asked = intake::asked_intent(request);
    let items = match &powers {
        Ok(_) => items(request, state, &sender, layout, &content)?,
        Err(refusal) => Err(refusal.clone()),
    };
    match powers.and_then(|powers| Ok((powers, items?))) {
        Ok((powers, items)) => {
            let _in_queue = state.batches.take_turn().await?;
            Ok(Outcome::Judged(judge(state, &sender, &powers, &asked, &items).await))
        }
        Err(refusal) => refuse(state, &sender, refusal, &content).await.map(Outcome::Refused),
    }
}

/// The items, if there may be so many of them now. What is no batch counts as one.
fn items<'a>(
    request: &HttpRequest,
    state: &State,
    sender: &Sender,
    layout: Layout,
    content: &'a [u8],
) -> Result<Result<Vec<&'a [u8]>, Refusal>, Refusal> {
    let items = batch::items(layout, content);
    let count = items.as_ref().map_or(1, Vec::len);
    state.rate_limits.take_reports(request, sender.key.scope.id(), count, sender.now)?;
    Ok(items)
}

/// How the items of a batch are written, as its content type says.
pub fn layout(request: &HttpRequest) -> Result<Layout, Refusal> {
    if body::require_type(request, "application/x-ndjson").is_ok() {
        return Ok(Layout::Lines);
    }
    body::require_type(request, "application/json").map(|()| Layout::Array).map_err(|refusal| {
        refusal.hint("Send a JSON array as `application/json`, or lines as `application/x-ndjson`.")
    })
}

/// The body of a batch.
pub async fn read(payload: Payload, state: &State) -> Result<Bytes, Refusal> {
    let mut payload = payload.into_inner();
    body::read_up_to(LARGEST_BYTES, &mut payload, state.door.limits.body).await
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

/// The parameters of an item.
pub fn parameters(content: &[u8]) -> Result<Parameters, Refusal> {
    Parameters::from_json(content)
        .map_err(|refusal| Refusal { detail: refusal.detail.replacen("The body", "The item", 1), ..refusal })
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
    intake::record(state, received).await
}

/// What is answered to a batch.
#[derive(Serialize)]
pub struct Verdicts<'a> {
    message: &'static str,
    counts: Counts<'a>,
    results: Vec<Verdict<'a>>,
}

#[derive(Serialize)]
struct Counts<'a> {
    accepted: usize,
    rejected: usize,
    by_code: BTreeMap<&'a str, usize>,
}

#[derive(Serialize)]
struct Verdict<'a> {
    index: usize,
    #[serde(flatten)]
    answer: &'a Answer,
}

impl<'a> Verdicts<'a> {
    /// The verdicts, and how many came to what.
    pub fn of(answers: &'a [Answer]) -> Self {
        let mut by_code: BTreeMap<&str, usize> = BTreeMap::new();
        for answer in answers {
            *by_code.entry(answer.code.as_str()).or_default() += 1;
        }
        let accepted = answers.iter().filter(|answer| answer.code.is_success()).count();
        Self {
            message: "The batch itself is not recorded: each item has its own verdict.",
            counts: Counts { accepted, rejected: answers.len() - accepted, by_code },
            results: answers.iter().enumerate().map(|(index, answer)| Verdict { index, answer }).collect(),
        }
    }
}
