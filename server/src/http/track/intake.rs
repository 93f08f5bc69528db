//! From what came to what the writer decides about: parameters, read and authenticated, with everything that is made
//! beforehand.

use serde_json::{Map, Value};

use super::{credentials::Sender, masked};
use crate::{
    db::received::Received,
    domain::{
        answer::Answer,
        attribution::KeyPowers,
        click_id::Touch,
        code::Code,
        ids::{AdvertiserId, Reference},
        parameters::Parameters,
        postback::{self, Form, Intent, Report},
        refusal::Refusal,
        trace::Check,
    },
    http::{State, head::Head},
    ingest::Pending,
};

/// One report, as far as it can be read before its sender is known.
pub struct Sent<'a> {
    /// The form it came in.
    pub form: Form,
    /// What came.
    pub content: &'a [u8],
    /// Its parameters.
    pub parameters: Result<Parameters, Refusal>,
    /// Its place in a batch.
    pub batch_index: Option<i32>,
}

impl<'a> Sent<'a> {
    /// Reads the parameters of a report of its own.
    pub fn read(form: Form, content: &'a [u8]) -> Self {
        Self { form, content, parameters: parameters(form, content), batch_index: None }
    }

    /// The advertiser that it names, if that can be read.
    pub fn named_advertiser(&self) -> Option<Reference<AdvertiserId>> {
        postback::advertiser(self.parameters.as_ref().ok()?).ok()?
    }
}

fn parameters(form: Form, content: &[u8]) -> Result<Parameters, Refusal> {
    if form == Form::Json {
        return Parameters::from_json(content);
    }
    let text =
        std::str::from_utf8(content).map_err(|_| Refusal::new(Code::Malformed, "The body is not UTF-8."))?;
    Parameters::from_urlencoded(text)
}

/// What the query of a POST asks for: `validate_only=true`. Its other parameters mean nothing.
pub fn asked_intent(head: &Head<'_>) -> Result<Intent, Refusal> {
    match head.query() {
        "" => Ok(Intent::Count),
        query => postback::intent(&Parameters::from_urlencoded(query)?),
    }
}

/// Puts together what the writer gets. A report that is refused is handed on all the same, to be logged.
pub fn received(
    state: &State,
    sender: &Sender,
    powers: Result<KeyPowers, Refusal>,
    asked: &Result<Intent, Refusal>,
    sent: Sent<'_>,
) -> Box<Received> {
    let Sent { form, content, parameters, batch_index } = sent;
    let key = &sender.key;
    let mut origin = sender.origin(content.len());
    if batch_index.is_some_and(|index| index > 0) {
        // It is the same for the whole batch, and stands in the line of its first item.
        origin.signed = None;
    }
    let (report, powers) = match powers {
        Ok(powers) => (read(&parameters, form, asked, sender), powers),
        Err(refusal) => {
            origin.refused_at = Some(refused_unread(refusal.code));
            (Err(refusal), KeyPowers::default())
        }
    };
    if report.is_err() {
        let check = if parameters.is_err() { Check::Parse } else { Check::Parameters };
        origin.refused_at = origin.refused_at.or(Some(check));
    }
    let report = report.map_err(|refusal| refusal.pointing_into(form));
    let is_stranger = is_strangers(&report);
    // Also where something else was wrong with it: the log is asked for all that came of a click.
    let click = parameters.as_ref().ok().and_then(|sent| sent.text("click_id")).filter(|_| !is_stranger);
    let named = click.map(|text| key.click_ids.read(text));
    Box::new(Received {
        scope: key.scope,
        postback_id: state.clock.new_id(),
        conversion_id: state.clock.new_id(),
        delta_id: state.clock.new_id(),
        received_at: sender.now,
        form,
        key_id: Some(key.row.id),
        powers,
        message_id: sender.message_id.clone(),
        batch_index,
        is_test: key.row.test,
        origin,
        request: match &parameters {
            Err(_) if is_stranger => masked::unreadable(content.len()),
            Err(_) => masked::beginning(form, content),
            Ok(parameters) if is_stranger => masked::lengths(parameters),
            Ok(parameters) => masked::parameters(parameters, asked_beside(asked)),
        },
        click: named.map(|read| read.map(|(_, id)| id)),
        touch: named.and_then(Result::ok).map_or(Touch::Click, |(touch, _)| touch),
        report,
    })
}

/// The check that refuses what is not read. Where the key holds, it is one too many, or a batch that is none, or that is
/// too large.
pub fn refused_unread(code: Code) -> Check {
    match code {
        Code::Malformed => Check::Parse,
        Code::PayloadTooLarge => Check::SizeAndType,
        Code::RateLimited => Check::RateLimit,
        _ => Check::Authenticate,
    }
}

/// What the query of a POST asks for beside its parameters.
fn asked_beside(asked: &Result<Intent, Refusal>) -> Map<String, Value> {
    let is_dry = *asked == Ok(Intent::Validate);
    is_dry.then(|| ("validate_only".to_owned(), true.into())).into_iter().collect()
}

/// What a test key signs, and what the query wants only validated, is not counted.
fn read(
    parameters: &Result<Parameters, Refusal>,
    form: Form,
    asked: &Result<Intent, Refusal>,
    sender: &Sender,
) -> Result<Report, Refusal> {
    let mut report = Report::parse(parameters.as_ref().map_err(Clone::clone)?, form, sender.now)?;
    if asked.clone()? == Intent::Validate || sender.key.row.test {
        report.intent = Intent::Validate;
    }
    Ok(report)
}

/// A postback that a writer has.
pub struct HandedOver {
    pending: Pending,
    is_stranger: bool,
}

/// Hands a postback over to a writer.
pub async fn hand_over(state: &State, received: Box<Received>) -> crate::error::Result<HandedOver> {
    let is_stranger = is_strangers(&received.report);
    let set_up = state.cache.set_up_for(&received).await;
    Ok(HandedOver { pending: state.ingest.hand_over(received, set_up)?, is_stranger })
}

impl HandedOver {
    /// Its answer, when it is committed.
    pub async fn answer(self) -> crate::error::Result<Answer> {
        let answer = self.pending.answer().await?;
        Ok(if self.is_stranger { Answer { postback_id: None, ..answer } } else { answer })
    }
}

/// Whether it comes from somebody who cannot sign. The line of the log exists for the key's owner; who cannot sign
/// does not learn that the key does.
fn is_strangers(report: &Result<Report, Refusal>) -> bool {
    report.as_ref().is_err_and(|refusal| refusal.code.status() == 401)
}
