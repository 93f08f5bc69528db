//! Postbacks: reports of conversions, in three forms with one contract.

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header,
    post,
    web::{Data, Payload},
};
use serde_json::Value;

use super::{
    conversion_report::ConversionReport,
    credentials::{self, Claim},
    masked,
};
use crate::{
    db::{received::Received, scope::PartnerScope},
    domain::{
        answer::Answer,
        attribution::KeyPowers,
        click_id::ClickIdKey,
        code::Code,
        parameters::Parameters,
        postback::{Form, Report},
        refusal::Refusal,
    },
    error::{Error, Result},
    http::{State, body, problem, transport::Transport},
};

/// Reports a conversion by URL: for systems that can only fill one in. The query is signed: its last parameters are
/// `key_id`, `ts` (Unix seconds) and `sig`, the lower-case hex HMAC-SHA-256 of `GET\n{path}\n{query before &sig=}`
/// under the bytes of the key's secret. `format=text` answers `OK <conversion id>` or `ERR <code>`.
#[utoipa::path(tag = "Tracking", params(
        ("goal" = String, Query, description = "The goal's event name, byte for byte. Aliases: event, et, goal_ref."),
        ("click_id" = String, Query, description = "The id that came with the landing URL. Aliases: kcid, transaction_id, tid, cid, clickid, subid."),
        ("advertiser" = Option<String>, Query, description = "The advertiser's id, or `ext:` and the partner's own; needed if the key covers several."),
        ("order_id" = Option<String>, Query, description = "The advertiser's id of the sale, at most 128 bytes; needed for goals that count per order. Aliases: txid, action_id, invoice_id."),
        ("amount" = Option<String>, Query, description = "A decimal string such as 49.90; needed if the goal's money depends on it."),
        ("currency" = Option<String>, Query, description = "ISO 4217, such as EUR; needed with an amount."),
        ("status" = Option<String>, Query, description = "approved, pending or rejected; the goal's default otherwise."),
        ("event_time" = Option<String>, Query, description = "RFC 3339 or Unix seconds; the time of receipt by default."),
        ("validate_only" = Option<bool>, Query, description = "true: make the whole decision, count nothing."),
        ("format" = Option<String>, Query, description = "text: a plain-text answer for simple senders."),
        ("key_id" = String, Query, description = "The signing key's id."),
        ("ts" = String, Query, description = "Unix seconds; 300 seconds are tolerated."),
        ("sig" = String, Query, description = "The signature; the last parameter.")),
    extensions(("x-codes" = json!(["accepted", "accepted_pending", "accepted_on_hold", "validated", "duplicate", "duplicate_conflict", "order_attributed_elsewhere", "click_id_malformed", "click_not_found", "advertiser_mismatch", "click_purged", "click_expired", "conversion_precedes_click", "reporting_delay_exceeded", "goal_mismatch", "goal_inactive", "mode_not_allowed", "order_id_required", "amount_required", "currency_required", "amount_invalid", "currency_invalid", "timestamp_in_milliseconds", "event_in_future", "malformed", "not_found", "unresolved_macro", "pii_in_url", "signature_missing", "signature_invalid", "timestamp_out_of_tolerance", "scope_missing", "https_required", "unavailable", "internal"]))))]
#[get("/postback")]
pub async fn get_postback_url(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let answer = receive_query(&request, &state).await.unwrap_or_else(failed);
    let text = Parameters::from_urlencoded(request.query_string());
    if text.is_ok_and(|parameters| parameters.text("format") == Some("text")) {
        as_text(&answer)
    } else {
        respond(&answer)
    }
}

/// Reports a conversion by form. The parameters are those of the URL; the body is signed like a JSON one.
#[utoipa::path(tag = "Tracking",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "The parameters of `GET /v1/postback` without `key_id`, `ts` and `sig`.", example = "goal=purchase&click_id=101m2k3n4p5q6r7s8t9v0w1x2y3z4a5b6c7&order_id=A-1001&amount=49.90&currency=EUR"),
    params(
        ("x-key-id" = String, Header, description = "The signing key's id."),
        ("webhook-id" = String, Header, description = "The message's id, at most 256 bytes without a dot; the same for each retry."),
        ("webhook-timestamp" = String, Header, description = "Unix seconds; 300 seconds are tolerated."),
        ("webhook-signature" = String, Header, description = "Standard Webhooks: `v1,` and the base64 of the HMAC-SHA-256 of `id.timestamp.body`.")),
    extensions(("x-codes" = json!(["accepted", "accepted_pending", "accepted_on_hold", "validated", "duplicate", "duplicate_conflict", "order_attributed_elsewhere", "click_id_malformed", "click_not_found", "advertiser_mismatch", "click_purged", "click_expired", "conversion_precedes_click", "reporting_delay_exceeded", "goal_mismatch", "goal_inactive", "mode_not_allowed", "order_id_required", "amount_required", "currency_required", "amount_invalid", "currency_invalid", "timestamp_in_milliseconds", "event_in_future", "malformed", "not_found", "unresolved_macro", "signature_missing", "signature_invalid", "timestamp_out_of_tolerance", "scope_missing", "https_required", "payload_too_large", "unsupported_media_type", "unavailable", "internal"]))))]
#[post("/postback")]
pub async fn post_postback_form(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    respond(&receive_message(&request, payload, &state, Form::Form).await.unwrap_or_else(failed))
}

/// Reports a conversion as JSON: what the SDK sends. Any Standard Webhooks library can sign it. The same message
/// again, with a fresh timestamp and signature, is never an error: it is answered `duplicate` with the first
/// conversion's id.
#[utoipa::path(tag = "Tracking",
    request_body(content = ConversionReport, description = "The report."),
    params(
        ("x-key-id" = String, Header, description = "The signing key's id."),
        ("webhook-id" = String, Header, description = "The message's id, at most 256 bytes without a dot; the same for each retry."),
        ("webhook-timestamp" = String, Header, description = "Unix seconds; 300 seconds are tolerated."),
        ("webhook-signature" = String, Header, description = "Standard Webhooks: `v1,` and the base64 of the HMAC-SHA-256 of `id.timestamp.body`.")),
    extensions(("x-codes" = json!(["accepted", "accepted_pending", "accepted_on_hold", "validated", "duplicate", "duplicate_conflict", "order_attributed_elsewhere", "click_id_malformed", "click_not_found", "advertiser_mismatch", "click_purged", "click_expired", "conversion_precedes_click", "reporting_delay_exceeded", "goal_mismatch", "goal_inactive", "mode_not_allowed", "order_id_required", "amount_required", "currency_required", "amount_invalid", "currency_invalid", "timestamp_in_milliseconds", "event_in_future", "malformed", "not_found", "unresolved_macro", "signature_missing", "signature_invalid", "timestamp_out_of_tolerance", "scope_missing", "https_required", "payload_too_large", "unsupported_media_type", "unavailable", "internal"]))))]
#[post("/conversions")]
pub async fn report_conversion(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    respond(&receive_message(&request, payload, &state, Form::Json).await.unwrap_or_else(failed))
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
    let body = body::read(&mut payload.into_inner()).await?;
    let claim = Claim::of_message(request.headers(), &body)?;
    receive(state, claim, form, &body).await
}

/// Authenticates, reads, and hands over to the writer that decides and commits.
async fn receive(state: &State, claim: Claim<'_>, form: Form, content: &[u8]) -> Result<Answer> {
    let key = credentials::named_key(state, &claim).await?;
    let key = key.ok_or_else(|| Refusal::of(Code::SignatureInvalid))?;
    let now = state.clock.now();
    let parameters = parse(form, content);
    let (report, powers) = match credentials::check(state, &claim, &key, now) {
        Ok(powers) => (parameters.clone().and_then(|p| Report::parse(&p, form, now)), powers),
        Err(refusal) => (Err(refusal), KeyPowers::default()),
    };
    let is_stranger = report.as_ref().is_err_and(|refusal| refusal.code.status() == 401);
    let scope = credentials::owner(&key);
    let click_key = ClickIdKey::derive(&state.master_key, scope.id());
    let click = report.as_ref().ok().and_then(|report| report.click_id.as_deref());
    let received = Received {
        scope,
        postback_id: state.clock.new_id(),
        conversion_id: state.clock.new_id(),
        delta_id: state.clock.new_id(),
        received_at: now,
        form,
        key_id: Some(key.id),
        powers,
        message_id: claim.message_id().map(str::to_owned),
        request: parameters.as_ref().map_or_else(|_| masked::unreadable(content.len()), masked::parameters),
        click: click.map(|text| click_key.read(text)),
        report,
    };
    let answer = state.ingest.record_postback(received).await?;
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
fn failed(error: Error) -> Answer {
    match error {
        Error::Refused(refusal) => Answer::refused(*refusal),
        Error::Unavailable(why) => {
            tracing::error!(why, "a postback could not be recorded");
            Answer::refused(Refusal::of(Code::Unavailable))
        }
        Error::Internal(why) => {
            tracing::error!(why, "a postback could not be recorded");
            Answer::refused(Refusal::of(Code::Internal))
        }
    }
}

fn respond(answer: &Answer) -> HttpResponse {
    if !answer.code.is_success() {
        return problem::respond(answer.code, answer.body());
    }
    HttpResponse::build(problem::status(answer.code))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(Value::Object(answer.body()))
}

fn as_text(answer: &Answer) -> HttpResponse {
    let text = match answer.conversion_id {
        Some(id) if answer.code.is_success() => format!("OK {id}"),
        _ if answer.code.is_success() => "OK".to_owned(),
        _ => format!("ERR {}", answer.code.as_str()),
    };
    HttpResponse::build(problem::status(answer.code))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("text/plain; charset=utf-8")
        .body(text)
}
