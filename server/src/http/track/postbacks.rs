//! Postbacks: reports of conversions, in three forms with one contract.

use actix_web::{
    HttpRequest, HttpResponse,
    body::BoxBody,
    dev, get,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    post,
    web::{Bytes, Data, Payload},
};
use serde::Serialize;

use super::{
    conversion_report::{ConversionQuery, ConversionReport, MessageQuery, SignatureHeaders},
    credentials::{Claim, Sender},
    intake::{self, HandedOver, Sent},
    rate_limits::{self, Standing},
};
use crate::{
    domain::{
        answer::Answer,
        code::Code,
        parameters,
        postback::{Form, Intent},
        refusal::Refusal,
    },
    error::{Error, Result},
    http::{State, body, head::Head, problem, request_id, transport::Transport},
};

/// What holds most answers.
pub const USUAL_BYTES: usize = 384;

/// Reports a conversion by URL: for systems that can only fill one in. The query is signed: its last parameters are
/// `key_id`, `ts` (Unix seconds) and `sig`, the lower-case hex HMAC-SHA-256 of `GET\n{path}\n{query before &sig=}`
/// under the bytes of the key's secret, with line feeds for `\n`. With `format=text` the answer is `OK` and the
/// conversion's id (`OK` alone for a dry run), or `ERR` and the code, under the same HTTP status. Where the advertiser
/// allows it, `token=` with a static token takes the place of `key_id`, `ts` and `sig`, wherever it stands; what it
/// brings waits for a decision, unless the token works from some addresses alone.
#[utoipa::path(tag = "Tracking", params(ConversionQuery), extensions(("x-codes" = json!(["pii_in_url", "token_not_allowed"]))))]
#[get("/postback")]
pub async fn get_postback_url(request: HttpRequest, state: Data<State>) -> HttpResponse {
    begin_query(&Head::of(&request), &state).await.end(&state).await
}

fn respond_to_query(answer: &Answer, query: &str) -> HttpResponse {
    if wants_text(query) { as_text(answer) } else { respond(answer) }
}

/// Whether a query or a form asks for a line of text instead of JSON. It may be one that cannot be read otherwise.
fn wants_text(urlencoded: &str) -> bool {
    parameters::raw_value(urlencoded, "format") == Some("text")
}

/// What a postback gets that does not come in.
pub fn turned_away(refusal: Refusal, query: &str) -> HttpResponse {
    respond_to_query(&Answer::refused(refusal), query)
}

/// Reports a conversion by form. The parameters are those of the URL form, and `email_sha256` and `metadata`
/// (as text); the body is signed like a JSON one, or has a static token as `token`, where the advertiser allows it.
/// With `format=text` the answer is a line of text, as for the URL form. At most 64 KiB.
#[utoipa::path(tag = "Tracking",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "The parameters of `GET /v1/postback` without `key_id`, `ts` and `sig`.", example = "goal=purchase&click_id=101m2k3n4p5q6r7s8t9v0w1x2y3z4a5b6c7&order_id=A-1001&amount=49.90&currency=EUR"),
    params(SignatureHeaders, MessageQuery), extensions(("x-codes" = json!(["payload_too_large", "unsupported_media_type", "token_not_allowed"]))))]
#[post("/postback")]
pub async fn post_postback_form(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let mut payload = payload.into_inner();
    begin_message(&Head::of(&request), &mut payload, &state, Form::Form).await.end(&state).await
}

/// Reports a conversion as JSON: what the SDK sends. Any Standard Webhooks library can sign it. The same message
/// again, with a fresh timestamp and signature, is never an error: it is answered `duplicate` with the first
/// conversion's id. At most 64 KiB.
#[utoipa::path(tag = "Tracking",
    request_body(content = ConversionReport, description = "The report."),
    params(SignatureHeaders, MessageQuery), extensions(("x-codes" = json!(["payload_too_large", "unsupported_media_type"]))))]
#[post("/conversions")]
pub async fn report_conversion(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let mut payload = payload.into_inner();
    begin_message(&Head::of(&request), &mut payload, &state, Form::Json).await.end(&state).await
}

/// A postback that a writer has, or that is refused already.
pub struct Begun {
    received: Result<HandedOver>,
    wants_text: bool,
    standing: Option<Standing>,
}

/// Takes a postback in one of its forms.
pub async fn begin(head: &Head<'_>, payload: &mut dev::Payload, state: &State, form: Form) -> Begun {
    match form {
        Form::Query => begin_query(head, state).await,
        form => begin_message(head, payload, state, form).await,
    }
}

async fn begin_query(head: &Head<'_>, state: &State) -> Begun {
    let received = receive_query(head, state).await;
    Begun { received, wants_text: wants_text(head.query()), standing: head.standing.get() }
}

async fn begin_message(head: &Head<'_>, payload: &mut dev::Payload, state: &State, form: Form) -> Begun {
    let body = receive_body(head, payload, state, form).await;
    let received = match &body {
        Ok(body) => receive_message(head, state, form, body).await,
        Err(refusal) => Err(refusal.clone().into()),
    };
    let text = body.as_ref().ok().and_then(|body| std::str::from_utf8(body).ok());
    let fields = text.filter(|_| form == Form::Form).unwrap_or_default();
    let wants_text = wants_text(head.query()) || wants_text(fields);
    Begun { received, wants_text, standing: head.standing.get() }
}

impl Begun {
    /// The answer, when the postback is committed.
    pub async fn end(self, state: &State) -> HttpResponse {
        let answer = match self.received {
            Ok(handed_over) => handed_over.answer().await,
            Err(error) => Err(error),
        };
        let answer = answer.unwrap_or_else(failed);
        state.metrics.count_postback(answer.code);
        rate_limits::tell(self.standing, if self.wants_text { as_text(&answer) } else { respond(&answer) })
    }
}

async fn receive_query(head: &Head<'_>, state: &State) -> Result<HandedOver> {
    let transport = Transport::of(head, &state.trusted_proxies).require_private()?;
    let claim = Claim::of_query(head)?;
    let sender = Sender::find(state, &claim, transport.client).await?;
    let sent = Sent::read(Form::Query, head.query().as_bytes());
    receive(head, state, &sender, sent, Ok(Intent::Count)).await
}

async fn receive_body(
    head: &Head<'_>,
    payload: &mut dev::Payload,
    state: &State,
    form: Form,
) -> Result<Bytes, Refusal> {
    Transport::of(head, &state.trusted_proxies).require_private()?;
    let wanted = if form == Form::Json { "application/json" } else { "application/x-www-form-urlencoded" };
    body::require_type(head.headers(), wanted)?;
    body::read(payload, state.door.limits.body).await
}

async fn receive_message(head: &Head<'_>, state: &State, form: Form, body: &[u8]) -> Result<HandedOver> {
    let client = Transport::of(head, &state.trusted_proxies).client;
    let claim = match form {
        Form::Form => Claim::of_form(head.headers(), body)?,
        _ => Claim::of_message(head.headers(), body)?,
    };
    let sender = Sender::find(state, &claim, client).await?;
    receive(head, state, &sender, Sent::read(form, body), intake::asked_intent(head)).await
}

/// Authenticates, reads, and hands over to the writer that decides and commits.
async fn receive(
    head: &Head<'_>,
    state: &State,
    sender: &Sender,
    sent: Sent<'_>,
    asked: Result<Intent, Refusal>,
) -> Result<HandedOver> {
    let mut powers = sender.powers(head, state, &sent).await?;
    if powers.is_ok() {
        let taken = state.rate_limits.take_reports(head, sender.key.scope.id(), 1, sender.now)?;
        powers = taken.and(powers);
    }
    intake::hand_over(state, intake::received(state, sender, powers, &asked, sent)).await
}

/// The answer where nothing could be recorded.
pub fn failed(error: Error) -> Answer {
    match error {
        Error::Refused(refusal) => Answer::refused(*refusal),
        Error::Unavailable(why) | Error::Contended(why) => {
            tracing::error!(why, request_id = request_id::current(), "a postback could not be recorded");
            Answer::refused(Refusal::of(Code::Unavailable))
        }
        Error::Internal(why) => {
            tracing::error!(why, request_id = request_id::current(), "a postback could not be recorded");
            Answer::refused(Refusal::of(Code::Internal))
        }
    }
}

/// The answer as JSON.
pub fn respond(answer: &Answer) -> HttpResponse {
    if !answer.code.is_success() {
        return problem::respond(answer.code, answer.body());
    }
    as_json(problem::status(answer.code), USUAL_BYTES, answer)
}

/// An answer as JSON, that may be so long: it is not to grow step by step.
pub fn as_json(status: StatusCode, bytes: usize, answer: &impl Serialize) -> HttpResponse {
    let mut text = Vec::with_capacity(bytes);
    serde_json::to_writer(&mut text, answer).expect("answers are JSON");
    let mut response = HttpResponse::with_body(status, BoxBody::new(text));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn as_text(answer: &Answer) -> HttpResponse {
    let mut response = respond(answer).set_body(BoxBody::new(text(answer)));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The answer in a line, for senders that cannot read JSON.
pub fn text(answer: &Answer) -> String {
    match answer.conversion_id {
        Some(id) if answer.code.is_success() => format!("OK {id}"),
        _ if answer.code.is_success() => "OK".to_owned(),
        _ => format!("ERR {}", answer.code.as_str()),
    }
}
