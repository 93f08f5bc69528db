//! What batches have in common, whatever their items are: how they are read, how many there may be, and a verdict for each
//! item.

use std::collections::BTreeMap;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header::HeaderMap},
    web::{Bytes, Payload},
};
use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    credentials::{Claim, Sender},
    postbacks::{USUAL_BYTES, as_json, failed, respond},
    rate_limits::{self, Standing},
};
use crate::{
    domain::{
        answer::Answer,
        attribution::KeyPowers,
        batch::{self, Layout},
        code::Code,
        parameters::Parameters,
        refusal::Refusal,
    },
    error::{Error, Result},
    http::{State, body, head::Head, transport::Transport},
};

/// The largest batch.
const LARGEST_BYTES: usize = 1024 * 1024;
/// Batches whose bodies are in memory at once.
const MOST_IN_MEMORY: usize = 64;
/// Items of batches that wait for a writer or are being read, at once. With all the single postbacks that the door lets in
/// they fit into the writers' queue (`POSTBACK_QUEUE` of `ingest`); and while some are committed and judged, others are
/// read.
const MOST_IN_QUEUE: usize = 3_000;

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
    fn enter(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        let full = "There are more batches under way than the server takes; nothing of this one was read.";
        self.in_memory.try_acquire().map_err(|_| Refusal::new(Code::Unavailable, full))
    }

    /// Waits until few enough items are being recorded for so many more.
    pub async fn take_turn(&self, items: usize) -> Result<SemaphorePermit<'_>> {
        let places = u32::try_from(items.min(MOST_IN_QUEUE)).unwrap_or(u32::MAX);
        self.in_queue.acquire_many(places).await.map_err(|error| Error::Internal(error.to_string()))
    }
}

/// A batch as it came, in memory for as long as this lasts.
pub struct Message<'a> {
    /// Who sent it.
    pub sender: Sender,
    /// All of it.
    pub content: Bytes,
    layout: Layout,
    _in_memory: SemaphorePermit<'a>,
}

impl<'a> Message<'a> {
    /// Takes a batch in, and finds out who sent it.
    pub async fn receive(head: &Head<'_>, payload: Payload, state: &'a State) -> Result<Self> {
        let transport = Transport::of(head, &state.trusted_proxies).require_private()?;
        let layout = layout(head.headers())?;
        let in_memory = state.batches.enter()?;
        let mut payload = payload.into_inner();
        let content = body::read_up_to(LARGEST_BYTES, &mut payload, state.door.limits.body).await?;
        let claim = Claim::of_message(head.headers(), &content)?;
        let sender = Sender::find(state, &claim, transport.client).await?;
        Ok(Self { sender, content, layout, _in_memory: in_memory })
    }

    /// The items, if the sender may send any, and so many of them now. What is no batch counts as one.
    pub fn items(
        &self,
        head: &Head<'_>,
        state: &State,
        powers: &Result<KeyPowers, Refusal>,
    ) -> Result<Result<Vec<&[u8]>, Refusal>, Refusal> {
        if let Err(refusal) = powers {
            return Ok(Err(refusal.clone()));
        }
        let items = batch::items(self.layout, &self.content);
        let count = items.as_ref().map_or(1, Vec::len);
        let partner = self.sender.key.scope.id();
        Ok(state.rate_limits.take_reports(head, partner, count, self.sender.now)?.and(items))
    }
}

/// How the items of a batch are written, as its content type says.
fn layout(headers: &HeaderMap) -> Result<Layout, Refusal> {
    if body::require_type(headers, "application/x-ndjson").is_ok() {
        return Ok(Layout::Lines);
    }
    body::require_type(headers, "application/json").map(|()| Layout::Array).map_err(|refusal| {
        refusal.hint("Send a JSON array as `application/json`, or lines as `application/x-ndjson`.")
    })
}

/// The parameters of an item.
pub fn parameters(content: &[u8]) -> Result<Parameters, Refusal> {
    Parameters::from_json(content)
        .map_err(|refusal| Refusal { detail: refusal.detail.replacen("The body", "The item", 1), ..refusal })
}

/// What became of a batch.
pub enum Outcome {
    /// Each item has a verdict.
    Judged(Vec<Answer>),
    /// None was looked at.
    Refused(Answer),
}

impl Outcome {
    /// The answer to a batch, each item of which is counted among the outcomes.
    pub fn answer(outcome: Result<Self>, standing: Option<Standing>, state: &State) -> HttpResponse {
        let response = match outcome.unwrap_or_else(|error| Self::Refused(failed(error))) {
            Self::Judged(answers) => {
                answers.iter().for_each(|answer| state.metrics.count_postback(answer.code));
                as_json(StatusCode::OK, USUAL_BYTES * (1 + answers.len()), &Verdicts::of(&answers))
            }
            Self::Refused(answer) => {
                state.metrics.count_postback(answer.code);
                respond(&answer)
            }
        };
        rate_limits::tell(standing, response)
    }
}

/// What is answered to a batch.
#[derive(Serialize)]
struct Verdicts<'a> {
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
    fn of(answers: &'a [Answer]) -> Self {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn as_many_batches_as_their_items_find_room_for_are_recorded_at_once() {
        let batches = Batches::default();
        let mut small = Vec::new();
        for _ in 0..40 {
            small.push(batches.take_turn(50).await.unwrap());
        }
        let large = batches.take_turn(1_000).await.unwrap();
        let has_room =
            async |items| timeout(Duration::from_millis(20), batches.take_turn(items)).await.is_ok();
        assert!(!has_room(1).await);
        drop(small.pop());
        assert_eq!((has_room(50).await, has_room(51).await), (true, false));
        drop(large);
        assert!(has_room(1_000).await);
        drop(small);
        assert!(has_room(usize::MAX).await, "whatever is larger than all the room gets all of it");
    }
}
