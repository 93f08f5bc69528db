//! Postbacks: reports of conversions, in three forms with one contract.

use actix_web::{
    HttpRequest, HttpResponse,
    body::BoxBody,
    get,
    http::header::{self, HeaderValue},
    post,
    web::{Data, Payload},
};
use serde_json::Value;

use super::{
    conversion_report::{ConversionQuery, ConversionReport, SignatureHeaders},
    credentials::{self, Claim},
    masked,
};
use crate::{
    db::received::Received,
    domain::{
        answer::Answer,
        attribution::KeyPowers,
        click_id::Touch,
        code::Code,
        parameters::Parameters,
        postback::{Form, Report},
        refusal::Refusal,
        scopes::Scope,
    },
    error::{Error, Result},
    http::{State, body, problem, transport::Transport},
};

/// Reports a conversion by URL: for systems that can only fill one in. The query is signed: its last parameters are
/// `key_id`, `ts` (Unix seconds) and `sig`, the lower-case hex HMAC-SHA-256 of `GET\n{path}\n{query before &sig=}`
/// under the bytes of the key's secret, with line feeds for `\n`. With `format=text` the answer is `OK` and the
/// conversion's id (`OK` alone for a dry run), or `ERR` and the code, under the same HTTP status.
#[utoipa::path(tag = "Tracking", params(ConversionQuery), extensions(("x-codes" = json!(["pii_in_url"]))))]
#[get("/postback")]
pub async fn get_postback_url(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let answer = receive_query(&request, &state).await.unwrap_or_else(failed);
    state.metrics.count_postback(answer.code);
    respond_to_query(&answer, request.query_string())
}

fn respond_to_query(answer: &Answer, query: &str) -> HttpResponse {
    let text = Parameters::from_urlencoded(query);
    if text.is_ok_and(|parameters| parameters.text("format") == Some("text")) {
        as_text(answer)
    } else {
        respond(answer)
    }
}

/// What a postback gets that does not come in.
pub fn no_room(refusal: Refusal, query: &str) -> HttpResponse {
    respond_to_query(&Answer::refused(refusal), query)
}

/// Reports a conversion by form. The parameters are those of the URL form, and `email_sha256` and `metadata`
/// (as text); the body is signed like a JSON one. At most 64 KiB.
#[utoipa::path(tag = "Tracking",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "The parameters of `GET /v1/postback` without `key_id`, `ts` and `sig`.", example = "goal=purchase&click_id=101m2k3n4p5q6r7s8t9v0w1x2y3z4a5b6c7&order_id=A-1001&amount=49.90&currency=EUR"),
    params(SignatureHeaders), extensions(("x-codes" = json!(["payload_too_large", "unsupported_media_type"]))))]
#[post("/postback")]
pub async fn post_postback_form(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    report(&request, payload, &state, Form::Form).await
}

/// Reports a conversion as JSON: what the SDK sends. Any Standard Webhooks library can sign it. The same message
/// again, with a fresh timestamp and signature, is never an error: it is answered `duplicate` with the first
/// conversion's id. At most 64 KiB.
#[utoipa::path(tag = "Tracking",
    request_body(content = ConversionReport, description = "The report."),
    params(SignatureHeaders), extensions(("x-codes" = json!(["payload_too_large", "unsupported_media_type"]))))]
#[post("/conversions")]
pub async fn report_conversion(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    report(&request, payload, &state, Form::Json).await
}

async fn report(request: &HttpRequest, payload: Payload, state: &State, form: Form) -> HttpResponse {
    let answer = receive_message(request, payload, state, form).await.unwrap_or_else(failed);
    state.metrics.count_postback(answer.code);
    respond(&answer)
}

async fn receive_query(request: &HttpRequest, state: &State) -> Result<Answer> {
    Transport::of(request, &state.trusted_proxies).require_private()?;
    let claim = Claim::of_query(request)?;
    receive(state, claim, Form::Query, request.query_string().as_bytes()).await
}

async fn receive_message(
    request: &HttpRequest,
    payload: Payload,
    state: &State,
    form: Form,
) -> Result<Answer> {
    Transport::of(request, &state.trusted_proxies).require_private()?;
    let wanted = if form == Form::Json { "application/json" } else { "application/x-www-form-urlencoded" };
    body::require_type(request, wanted)?;
    let body = body::read(&mut payload.into_inner(), state.door.limits.body).await?;
    let claim = Claim::of_message(request.headers(), &body)?;
    receive(state, claim, form, &body).await
}

/// Authenticates, reads, and hands over to the writer that decides and commits.
async fn receive(state: &State, claim: Claim<'_>, form: Form, content: &[u8]) -> Result<Answer> {
    let key = credentials::named_key(state, &claim).await?;
    let key = key.ok_or_else(|| Refusal::of(Code::SignatureInvalid))?;
    let now = state.clock.now();
    let parameters = parse(form, content);
    let (report, powers) = match credentials::check(&claim, &key, Scope::ConversionsWrite, now) {
        Ok(powers) => (parameters.clone().and_then(|p| Report::parse(&p, form, now)), powers),
        Err(refusal) => (Err(refusal), KeyPowers::default()),
    };
    let report = report.map_err(|refusal| refusal.pointing_into(form));
    let is_stranger = report.as_ref().is_err_and(|refusal| refusal.code.status() == 401);
    let click = report.as_ref().ok().and_then(|report| report.click_id.as_deref());
    let named = click.map(|text| key.click_ids.read(text));
    let received = Received {
        scope: key.scope,
        postback_id: state.clock.new_id(),
        conversion_id: state.clock.new_id(),
        delta_id: state.clock.new_id(),
        received_at: now,
        form,
        key_id: Some(key.row.id),
        powers,
        message_id: claim.message_id().map(str::to_owned),
        request: match &parameters {
            Err(_) => masked::unreadable(content.len()),
            Ok(parameters) if is_stranger => masked::lengths(parameters),
            Ok(parameters) => masked::parameters(parameters),
        },
        click: named.map(|read| read.map(|(_, id)| id)),
        touch: named.and_then(Result::ok).map_or(Touch::Click, |(touch, _)| touch),
        report,
    };
    let set_up = state.cache.set_up_for(&received).await;
    let answer = state.ingest.record_postback(received, set_up).await?;
    // The line of the log exists for the key's owner; who cannot sign does not learn that the key does.
    Ok(if is_stranger { Answer { postback_id: None, ..answer } } else { answer })
}

fn parse(form: Form, content: &[u8]) -> Result<Parameters, Refusal> {
    if form == Form::Json {
        return Parameters::from_json(content);
    }
    let text =
        std::str::from_utf8(content).map_err(|_| Refusal::new(Code::Malformed, "The body is not UTF-8."))?;
    Parameters::from_urlencoded(text)
}

/// The answer where nothing could be recorded.
pub fn failed(error: Error) -> Answer {
    match error {
        Error::Refused(refusal) => Answer::refused(*refusal),
        Error::Unavailable(why) | Error::Contended(why) => {
            tracing::error!(why, "a postback could not be recorded");
            Answer::refused(Refusal::of(Code::Unavailable))
        }
        Error::Internal(why) => {
            tracing::error!(why, "a postback could not be recorded");
            Answer::refused(Refusal::of(Code::Internal))
        }
    }
}

/// The answer as it is sent.
pub fn respond(answer: &Answer) -> HttpResponse {
    if !answer.code.is_success() {
        return problem::respond(answer.code, answer.body());
    }
    HttpResponse::build(problem::status(answer.code))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(Value::Object(answer.body()))
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
