//! Clicks on tracking links: recorded first, redirected then.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse, ResponseError, get, head,
    http::header,
    web::{Data, Path},
};

use super::{
    click_query::ClickQuery,
    hints::Hints,
    pages,
    preview::{self, Preview},
    visit::{Followed, Following, Visit, known_link},
};
use crate::{
    cache::KnownRoute,
    domain::{click_id::Touch, click_parameters::ClickParameters},
    error::{Error, Result},
    http::{State, head::Head},
};

/// Records a click and redirects to the landing page, with the click id in its URL. The click is stored before the
/// visitor moves on; while the database is away, in a file of the server's own. Should neither have room, the visitor is
/// redirected without a click id. Parameters that mean nothing here are ignored; values are cut to 500 bytes, never refused.
/// While link, campaign or advertiser are paused or over, the click is recorded as `invalid` and goes to the fallback
/// of the link, then of the campaign, then of the advertiser; and so it is when the visitor is not among those whom the
/// campaign is for, or when its cap is reached. Where the link asks for consent and there is none, the visitor is
/// redirected without a click id, and nothing is stored but a number. Answers are pages for people, not problem
/// documents, unless a preview is asked for: `preview=1`, with an API key, tells what would happen, and records nothing.
#[utoipa::path(tag = "Tracking", params(("link" = String, Path, description = "The link's code of seven characters, as in its `click_url`, or its id.", example = "3f9k2qd"), ClickQuery),
    responses(
        (status = 200, description = "Of a preview: what a click would come to.", body = Preview),
        (status = 302, description = "To the landing page, or to the fallback of what is out of use. No body; not to be cached.", headers(("location" = String, description = "The page, with the click id, unless there is no consent."))),
        (status = 404, description = "There is no such link, or it is archived. A neutral page; nothing is recorded.", body = String, content_type = "text/html", example = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Not found</title><h1>Not found</h1><p>There is nothing at this address."),
        (status = 410, description = "The link is out of use and has no fallback. A neutral page; the click is recorded as `invalid`.", body = String, content_type = "text/html", example = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>No longer available</title><h1>No longer available</h1><p>This offer is not available."),
        (status = 503, description = "The link is not known, and cannot be looked up right now. A neutral page.", body = String, content_type = "text/html", headers(("retry-after" = i64, description = "When to try again, in seconds.")), example = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Please try again</title><h1>Please try again</h1><p>This will only take a moment.")),
    extensions(("x-codes" = json!(["api_key_missing", "api_key_invalid", "https_required", "not_found", "unavailable", "internal"]))))]
#[get("/c/{link}")]
pub async fn follow_link(request: HttpRequest, link: Path<String>, state: Data<State>) -> HttpResponse {
    match begin(&Head::of(&request), &link, &state).await {
        Ok(begun) => begun.end(&state).await,
        Err(WantsPreview(parameters)) => previewed(&request, &link, parameters, &state).await,
    }
}

/// The link in the path of a click, if it needs no decoding.
pub fn link_in(path: &str) -> Option<&str> {
    let link = path.strip_prefix("/c/")?;
    let is_plain = !link.is_empty() && link.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_plain.then_some(link)
}

/// A click of which everything is known but whether it is recorded.
pub enum Begun {
    /// It is answered: there is nothing to record, or nothing could be looked up.
    Answered(HttpResponse),
    /// It follows a link.
    Following(Following, Arc<KnownRoute>),
}

/// What asks for no click, but for a preview.
pub struct WantsPreview(ClickParameters);

/// Puts a click together, and hands it to a writer.
pub async fn begin(head: &Head<'_>, link: &str, state: &State) -> std::result::Result<Begun, WantsPreview> {
    let parameters = ClickParameters::parse(head.query());
    if parameters.preview {
        return Err(WantsPreview(parameters));
    }
    let known = match known_link(state, link).await {
        Ok(Some(known)) => known,
        Ok(None) => return Ok(Begun::Answered(not_found(state))),
        Err(error) => return Ok(Begun::Answered(unavailable(&error, state))),
    };
    Ok(match follow(head, &known, parameters, state).await {
        Ok(following) => Begun::Following(following, known),
        Err(error) => Begun::Answered(Box::pin(untracked(head, &known, state, &error)).await),
    })
}

async fn follow(
    head: &Head<'_>,
    known: &KnownRoute,
    parameters: ClickParameters,
    state: &State,
) -> Result<Following> {
    let visit = Visit::prepare(state, known, Touch::Click, Hints::of(head, state), parameters).await?;
    visit.begin(state).await
}

impl Begun {
    /// The answer, when the click is committed.
    pub async fn end(self, state: &State) -> HttpResponse {
        match self {
            Self::Answered(response) => response,
            Self::Following(Following::Done(followed), _) => redirect(followed),
            Self::Following(Following::Recording(followed, recording), known) => {
                match state.ingest.recorded(recording).await {
                    Ok(()) => redirect(followed),
                    Err(error) => {
                        note_untracked(state, &error);
                        redirect(followed.without_click_id(&known.route.advertiser.click_id_parameter))
                    }
                }
            }
        }
    }
}

async fn previewed(
    request: &HttpRequest,
    link: &str,
    parameters: ClickParameters,
    state: &State,
) -> HttpResponse {
    let preview = preview::of(request, link, parameters, state).await;
    preview.unwrap_or_else(|error| error.error_response())
}

/// Answers the headers that a click would get, or a preview, and records nothing. The click id in `Location` belongs to
/// no click.
#[utoipa::path(tag = "Tracking", params(("link" = String, Path, description = "The link's code of seven characters, as in its `click_url`, or its id.", example = "3f9k2qd"), ClickQuery),
    responses(
        (status = 200, description = "Of a preview (`preview=1`): the headers of what `GET` answers.", body = Preview),
        (status = 401, description = "A preview needs an API key of the link's partner."),
        (status = 302, description = "To where a click would go.", headers(("location" = String, description = "The page."))),
        (status = 404, description = "There is no such link, or it is archived."),
        (status = 410, description = "The link is out of use and has no fallback."),
        (status = 503, description = "It cannot be looked up right now.", headers(("retry-after" = i64, description = "When to try again, in seconds.")))),
    extensions(("x-codes" = json!([]))))]
#[head("/c/{link}")]
pub async fn probe_link(request: HttpRequest, link: Path<String>, state: Data<State>) -> HttpResponse {
    let parameters = ClickParameters::parse(request.query_string());
    if parameters.preview {
        return previewed(&request, &link, parameters, &state).await;
    }
    match foresee(&Head::of(&request), &link, parameters, &state).await {
        Ok(Some(followed)) => redirect(followed),
        Ok(None) => pages::not_found(),
        Err(error) => unavailable(&error, &state),
    }
}

/// The way on for a visitor whose click found no place anywhere: without a click id, which would belong to no click.
async fn untracked(head: &Head<'_>, known: &KnownRoute, state: &State, error: &Error) -> HttpResponse {
    note_untracked(state, error);
    let parameters = ClickParameters::parse(head.query());
    let visit = Visit::prepare(state, known, Touch::Click, Hints::of(head, state), parameters).await;
    match visit {
        Ok(visit) => redirect(visit.unfollowed()),
        Err(error) => unavailable(&error, state),
    }
}

fn note_untracked(state: &State, error: &Error) {
    state.counters.untracked();
    tracing::debug!(%error, "a click could not be recorded");
}

/// What a click would come to.
async fn foresee(
    head: &Head<'_>,
    link: &str,
    parameters: ClickParameters,
    state: &State,
) -> Result<Option<Followed>> {
    let Some(known) = known_link(state, link).await? else { return Ok(None) };
    let hints = Hints::of(head, state);
    let mut visit = Visit::prepare(state, &known, Touch::Click, hints, parameters).await?;
    visit.mind_caps(state).await?;
    Ok(Some(if visit.has_consent() { visit.followed() } else { visit.unfollowed() }))
}

fn not_found(state: &State) -> HttpResponse {
    state.counters.unknown_link();
    pages::not_found()
}

fn unavailable(error: &Error, state: &State) -> HttpResponse {
    state.counters.untracked();
    tracing::error!(%error, "a click could not be recorded");
    pages::unavailable()
}

/// What a visitor gets who does not come in.
pub fn no_room() -> HttpResponse {
    pages::unavailable()
}

fn redirect(followed: Followed) -> HttpResponse {
    let Some(location) = followed.location else { return pages::gone() };
    HttpResponse::Found()
        .insert_header((header::LOCATION, location))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}
