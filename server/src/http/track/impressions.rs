//! `GET /i/{link}`: an impression, told by a picture of one transparent pixel.

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::{StatusCode, header},
    web::{Data, Path},
};

use super::{
    click_query::ClickQuery,
    hints::Hints,
    visit::{Visit, known_link},
};
use crate::{
    domain::{click_id::Touch, click_parameters::ClickParameters},
    error::Result,
    http::{State, head::Head},
};

/// A transparent GIF of one pixel.
const PIXEL: &[u8] =
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff\x21\xf9\x04\x01\x00\x00\x00\x00\
    \x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01\x44\x00\x3b";

/// Records an impression and answers a transparent picture of one pixel. The parameters are those of a click; `url` and
/// `preview` mean nothing here. Whatever the status, the answer is the picture. Where the link asks for consent and
/// there is none, nothing is stored but a number.
#[utoipa::path(tag = "Tracking", params(("link" = String, Path, description = "The link's code of seven characters, as in its `impression_url`, or its id.", example = "3f9k2qd"), ClickQuery),
    responses(
        (status = 200, description = "The impression is recorded. Not to be cached.", body = String, content_type = "image/gif", example = "GIF89a"),
        (status = 404, description = "There is no such link, or it is archived. Nothing is recorded.", body = String, content_type = "image/gif", example = "GIF89a"),
        (status = 503, description = "The impression cannot be recorded right now.", body = String, content_type = "image/gif", example = "GIF89a")),
    extensions(("x-codes" = json!([]))))]
#[get("/i/{link}")]
pub async fn show_pixel(request: HttpRequest, link: Path<String>, state: Data<State>) -> HttpResponse {
    match record(&Head::of(&request), &link, &state).await {
        Ok(true) => pixel(StatusCode::OK),
        Ok(false) => {
            state.counters.unknown_link();
            pixel(StatusCode::NOT_FOUND)
        }
        Err(error) => {
            state.counters.untracked();
            tracing::error!(%error, "an impression could not be recorded");
            pixel(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

/// False when there is no such link.
async fn record(head: &Head<'_>, link: &str, state: &State) -> Result<bool> {
    let Some(known) = known_link(state, link).await? else { return Ok(false) };
    let parameters = ClickParameters::parse(head.query());
    let hints = Hints::of(head, state);
    Visit::prepare(state, &known, Touch::Impression, hints, parameters).await?.show(state).await?;
    Ok(true)
}

fn pixel(status: StatusCode) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("image/gif")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(PIXEL)
}
