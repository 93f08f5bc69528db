//! The client: what a caller holds, and how one report is delivered.
//! How a single attempt goes is in `attempt`, what an answer means in `answer`.

use std::sync::Arc;

use reqwest::header::HeaderValue;

use crate::answer::Answer;
use crate::base_url::BaseUrl;
use crate::conversion::{self, Intent};
use crate::message_id::MessageId;
use crate::signing::SigningKey;
use crate::{
    Adjusted, Adjustment, ClientBuilder, Conversion, Error, Recorded, attempt, batch, chance, retry,
};

/// Reports conversions to one server with one key.
///
/// Build it once and clone it freely: clones share their connections. Needs a Tokio runtime. Its `Debug`
/// shows neither key id nor secret.
#[derive(Clone)]
pub struct Client {
    settings: Arc<Settings>,
}

/// Holds the checked settings of a client.
pub(crate) struct Settings {
    pub(crate) http: reqwest::Client,
    pub(crate) base_url: BaseUrl,
    pub(crate) key_id: HeaderValue,
    pub(crate) signing_key: SigningKey,
    pub(crate) retries: u32,
}

impl Client {
    /// Starts the settings of a client for the server at this URL.
    pub fn builder(base_url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(base_url.into())
    }

    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings) }
    }

    /// Reports a conversion, and returns once it is durably recorded.
    ///
    /// Connection errors, timeouts and the answers 408, 429, 500, 502, 503 and 504 are tried again with the same
    /// message id and the same bytes. The server counts by the conversion itself, not by the message, so a
    /// retry of what had arrived after all only comes back as
    /// [`Outcome::Duplicate`](crate::Outcome::Duplicate), with the first conversion's id. For the same
    /// reason it is safe to report a conversion again after any error.
    ///
    /// Dropping the future stops the attempts; the conversion may be counted even so.
    pub async fn record(&self, conversion: &Conversion) -> Result<Recorded, Error> {
        let id = MessageId::new(chance::message_id_bytes());
        self.send(conversion, Intent::Record, &id).await
    }

    /// Reports a conversion like [`record`](Self::record) under the caller's own message id: 1 to 128
    /// visible ASCII characters without a dot.
    ///
    /// For callers who keep their reports in an outbox: the id then names the same report in their log and
    /// in the server's, across restarts.
    pub async fn record_with_id(&self, conversion: &Conversion, message_id: &str) -> Result<Recorded, Error> {
        let id = MessageId::parse(message_id).map_err(|problem| Error::NotSent { problem })?;
        self.send(conversion, Intent::Record, &id).await
    }

    /// Asks for the decision that [`record`](Self::record) would get, without recording a conversion.
    pub async fn validate(&self, conversion: &Conversion) -> Result<Recorded, Error> {
        let id = MessageId::new(chance::message_id_bytes());
        self.send(conversion, Intent::Validate, &id).await
    }

    async fn send(&self, conversion: &Conversion, intent: Intent, id: &MessageId) -> Result<Recorded, Error> {
        if let Some(problem) = conversion.mistake() {
            return Err(Error::NotSent { problem });
        }
        let body = conversion::body(conversion, intent)
            .map_err(|error| Error::NotSent { problem: error.to_string() })?;
        self.deliver(&["conversions"], id, &body).await?.read()
    }

    /// Reports many conversions, in messages of up to 1,000 and 1 MiB, several times as fast as one by one. Returns
    /// a result for each, in their order: one that is refused keeps no other from being counted.
    ///
    /// A message that gets no answer is tried again like [`record`](Self::record). If that does not help either, the
    /// error is returned for all: what was counted by then stays so, and to report all of them again is safe.
    /// An item that the server could not take just then is [`Error::Unavailable`], and can be reported again.
    pub async fn record_batch(
        &self,
        conversions: &[Conversion],
    ) -> Result<Vec<Result<Recorded, Error>>, Error> {
        let (batches, mut results) = batch::cut(conversions, batch::report);
        for batch in &batches {
            let id = MessageId::new(chance::message_id_bytes());
            let answer = self.deliver(&["conversions", "batch"], &id, &batch.body).await?;
            results.note(batch, &answer, Answer::read)?;
        }
        Ok(results.finish())
    }

    /// Adjusts a conversion that was counted before: a refund, a new amount, or a decision. Returns once it is durably
    /// recorded.
    ///
    /// Needs a key with the scope `adjustments:write`; a decision needs `status:write` too. Tried again like
    /// [`record`](Self::record). An adjustment is made once under its id: the same again, at any time, comes back as
    /// [`AdjustmentOutcome::Duplicate`](crate::AdjustmentOutcome::Duplicate) with what the first one came to.
    pub async fn adjust(&self, adjustment: &Adjustment) -> Result<Adjusted, Error> {
        let body = batch::adjustment(adjustment)?;
        let id = MessageId::new(chance::message_id_bytes());
        self.deliver(&["adjustments"], &id, &body).await?.adjusted()
    }

    /// Makes many adjustments, in messages of up to 1,000 and 1 MiB. Returns a result for each, in their order: one
    /// that is refused keeps no other from being made.
    ///
    /// A message that gets no answer is tried again like [`record`](Self::record). If that does not help either, the
    /// error is returned for all: what was made by then stays so, and to send all of them again is safe.
    pub async fn adjust_batch(
        &self,
        adjustments: &[Adjustment],
    ) -> Result<Vec<Result<Adjusted, Error>>, Error> {
        let (batches, mut results) = batch::cut(adjustments, batch::adjustment);
        for batch in &batches {
            let id = MessageId::new(chance::message_id_bytes());
            let answer = self.deliver(&["adjustments", "batch"], &id, &batch.body).await?;
            results.note(batch, &answer, Answer::adjusted)?;
        }
        Ok(results.finish())
    }

    /// Posts the message until an answer is final or the retries are used up.
    async fn deliver(&self, endpoint: &[&str], id: &MessageId, body: &[u8]) -> Result<Answer, Error> {
        let settings = &*self.settings;
        let url = settings.base_url.endpoint(&[&["v1"], endpoint].concat());
        let mut attempts = 0;
        loop {
            let tried = attempt::post(settings, &url, id, body).await;
            attempts += 1;
            let tried = match tried {
                Ok(answer) if !retry::is_passing(answer.status) => return Ok(answer),
                tried => tried,
            };
            let asked = tried.as_ref().ok().and_then(|answer| answer.retry_after);
            if attempts > settings.retries {
                return Err(match tried {
                    Ok(answer) => answer.into_unavailable(attempts),
                    Err(error) => attempt::failure(settings, error, attempts).into(),
                });
            }
            tokio::time::sleep(retry::wait(attempts, asked, chance::fraction())).await;
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.settings.base_url.origin())
            .field("retries", &self.settings.retries)
            .finish_non_exhaustive()
    }
}
