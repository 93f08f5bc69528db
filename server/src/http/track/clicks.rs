//! Clicks on tracking links: recorded first, redirected then.

use actix_web::{
    HttpRequest, HttpResponse, get, head,
    http::header::{self, HeaderMap},
    web::{Data, Path},
};
use serde_json::{Map, Value};

use super::{click_query::ClickQuery, pages, user_agents};
use crate::{
    cache::KnownRoute,
    clock,
    db::{rows::records::Click, rows::setup::Route, sql_types::Json},
    domain::{
        click_id::{ClickId, LinkNumber},
        click_parameters::ClickParameters,
        ids::{CreativeId, PublisherId, Reference},
        landing::Macro,
        link_name::LinkName,
        redirect::{Destination, Way},
        setup::Status,
        time::Timestamp,
        visitor::{ClickClass, classify, language, referrer_host},
    },
    error::{Error, Result},
    http::{State, transport::Transport},
};

/// Records a click and redirects to the landing page, with the click id in its URL. The click is stored before the
/// visitor moves on; while the database is away, in a file of the server's own. Should neither have room, the visitor is
/// redirected without a click id. Parameters that mean nothing here are ignored; values are cut to 500 bytes, never refused.
/// While link, campaign or advertiser are paused or over, the click is recorded as `invalid` and goes to the fallback
/// of the link, then of the campaign, then of the advertiser. Answers are pages for people, not problem documents.
#[utoipa::path(tag = "Tracking", params(("link" = String, Path, description = "The link's code of seven characters, as in its `click_url`, or its id.", example = "3f9k2qd"), ClickQuery),
    responses(
        (status = 302, description = "To the landing page, or to the fallback of what is out of use. No body; not to be cached.", headers(("location" = String, description = "The page, with the click id."))),
        (status = 404, description = "There is no such link, or it is archived. A neutral page; nothing is recorded.", body = String, content_type = "text/html", example = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Not found</title><h1>Not found</h1><p>There is nothing at this address."),
        (status = 410, description = "The link is out of use and has no fallback. A neutral page; the click is recorded as `invalid`.", body = String, content_type = "text/html", example = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>No longer available</title><h1>No longer available</h1><p>This offer is not available."),
        (status = 503, description = "The link is not known, and cannot be looked up right now. A neutral page.", body = String, content_type = "text/html", headers(("retry-after" = i64, description = "When to try again, in seconds.")), example = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Please try again</title><h1>Please try again</h1><p>This will only take a moment.")),
    extensions(("x-codes" = json!([]))))]
#[get("/c/{link}")]
pub async fn follow_link(request: HttpRequest, link: Path<String>, state: Data<State>) -> HttpResponse {
    match prepare(&request, &link, &state, Landing::WithClickId).await {
        Ok(Some((click, location))) => match state.ingest.record_click(click).await {
            Ok(()) => redirect(location),
            Err(error) => untracked(&request, &link, &state, &error).await,
        },
        Ok(None) => pages::not_found(),
        Err(error) => unavailable(&error),
    }
}

/// The way on for a visitor whose click found no place anywhere: without a click id, which would belong to no click.
async fn untracked(request: &HttpRequest, link: &str, state: &State, error: &Error) -> HttpResponse {
    tracing::debug!(%error, "a click could not be recorded");
    match prepare(request, link, state, Landing::WithoutClickId).await {
        Ok(Some((_, location))) => redirect(location),
        Ok(None) => pages::not_found(),
        Err(error) => unavailable(&error),
    }
}

/// Answers the headers that a click would get, and records nothing. The click id in `Location` belongs to no click.
#[utoipa::path(tag = "Tracking", params(("link" = String, Path, description = "The link's code of seven characters, as in its `click_url`, or its id.", example = "3f9k2qd"), ClickQuery),
    responses(
        (status = 302, description = "To where a click would go.", headers(("location" = String, description = "The page."))),
        (status = 404, description = "There is no such link, or it is archived."),
        (status = 410, description = "The link is out of use and has no fallback."),
        (status = 503, description = "It cannot be looked up right now.", headers(("retry-after" = i64, description = "When to try again, in seconds.")))),
    extensions(("x-codes" = json!([]))))]
#[head("/c/{link}")]
pub async fn probe_link(request: HttpRequest, link: Path<String>, state: Data<State>) -> HttpResponse {
    match prepare(&request, &link, &state, Landing::WithClickId).await {
        Ok(Some((_, location))) => redirect(location),
        Ok(None) => pages::not_found(),
        Err(error) => unavailable(&error),
    }
}

fn unavailable(error: &Error) -> HttpResponse {
    tracing::error!(%error, "a click could not be recorded");
    pages::unavailable()
}

fn redirect(location: Option<String>) -> HttpResponse {
    let Some(location) = location else { return pages::gone() };
    HttpResponse::Found()
        .insert_header((header::LOCATION, location))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

/// Whether the landing page gets the click's id.
#[derive(Clone, Copy, PartialEq)]
enum Landing {
    WithClickId,
    WithoutClickId,
}

/// The click to record, and where to send the visitor; none when there is no such link.
async fn prepare(
    request: &HttpRequest,
    link: &str,
    state: &State,
    landing: Landing,
) -> Result<Option<(Click, Option<String>)>> {
    let Some(name) = LinkName::parse(link) else { return Ok(None) };
    let mut parameters = ClickParameters::parse(request.query_string());
    let Some(known) = state.cache.route(name).await? else { return Ok(None) };
    let route = &known.route;
    if route.link.status == Status::Archived {
        return Ok(None);
    }
    let traffic = traffic(state, route, &mut parameters).await?;
    let now = state.clock.now();
    let destination = way(&known).destination(now, parameters.url.as_deref());
    let click = click(request, state, route, traffic, &parameters, &destination, now);
    let id = (landing == Landing::WithClickId).then(|| known.click_ids.text(&click.id));
    let location = destination.page.and_then(|page| {
        page.render(id.as_deref(), &route.advertiser.click_id_parameter, |wanted| {
            value(wanted, &click, &parameters)
        })
    });
    Ok(Some((click, location)))
}

/// Who sent the visitor, and by what.
struct Traffic {
    publisher: Option<PublisherId>,
    creative: Option<CreativeId>,
    /// Names that cannot be looked up while the database is away.
    unresolved: Vec<(&'static str, String)>,
}

/// What the link leaves open, the URL may say; a name that is not the partner's says nothing.
async fn traffic(state: &State, route: &Route, parameters: &mut ClickParameters) -> Result<Traffic> {
    let (publisher, creative) = (parameters.take("publisher_id"), parameters.take("creative_id"));
    let (own_publisher, own_creative) = (route.link.publisher_id, route.link.creative_id);
    let mut traffic = Traffic { publisher: own_publisher, creative: own_creative, unresolved: Vec::new() };
    if let (None, Some(text)) = (traffic.publisher, publisher)
        && let Ok(name) = Reference::parse(&text)
    {
        match state.cache.publisher(route.scope, name).await {
            Err(Error::Unavailable(_)) => traffic.unresolved.push(("publisher_id", text)),
            found => traffic.publisher = found?,
        }
    }
    if let (None, Some(text)) = (traffic.creative, creative)
        && let Ok(name) = Reference::parse(&text)
    {
        match state.cache.creative(route.scope, name).await {
            Err(Error::Unavailable(_)) => traffic.unresolved.push(("creative_id", text)),
            found => {
                let own = found?.filter(|creative| creative.1 == route.link.advertiser_id);
                traffic.creative = own.map(|creative| creative.0);
            }
        }
    }
    Ok(traffic)
}

fn way(known: &KnownRoute) -> Way<'_> {
    let route = &known.route;
    let (link, campaign, advertiser) = (&route.link, &route.campaign, &route.advertiser);
    Way {
        statuses: [
            (link.status, "link_paused"),
            (campaign.status, "campaign_paused"),
            (advertiser.status, "advertiser_paused"),
            (route.publisher_status.unwrap_or(Status::Active), "publisher_paused"),
        ],
        starts_at: campaign.starts_at,
        ends_at: campaign.ends_at,
        pages: &known.pages,
        deep_links: link.deep_links,
        deep_link_hosts: &advertiser.deep_link_hosts.0,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn click(
    request: &HttpRequest,
    state: &State,
    route: &Route,
    traffic: Traffic,
    parameters: &ClickParameters,
    destination: &Destination<'_>,
    now: Timestamp,
) -> Click {
    let headers = request.headers();
    let user_agent = text(headers, "user-agent");
    let purpose = ["sec-purpose", "purpose", "x-moz"].iter().find_map(|name| text(headers, name));
    let agent = user_agents::read(user_agent);
    let visitor = agent.visitor.clone();
    let address = Transport::of(request, &state.trusted_proxies).client;
    let mut flags: Vec<String> = parameters.cut.iter().map(|name| format!("cut:{name}")).collect();
    if destination.deep_link_refused {
        flags.push("deep_link_refused".to_owned());
    }
    flags.extend(traffic.unresolved.iter().map(|(name, _)| format!("unresolved:{name}")));
    let kept = |name| parameters.get(name).map(str::to_owned);
    Click {
        partner_id: route.scope.id(),
        id: ClickId::mint(
            now,
            LinkNumber(u32::try_from(route.link.number).unwrap_or_default()),
            clock::random(),
        ),
        link_id: route.link.id,
        advertiser_id: route.link.advertiser_id,
        campaign_id: route.link.campaign_id,
        creative_id: traffic.creative,
        publisher_id: traffic.publisher,
        clicked_at: now,
        class: if destination.invalid.is_some() {
            ClickClass::Invalid
        } else {
            classify(agent.is_bot, purpose)
        },
        reason: destination.invalid.map(str::to_owned),
        flags: Json(flags),
        site: kept("site"),
        source_id: kept("source_id"),
        ext_click_id: kept("ext_click_id"),
        parameters: Json(further(parameters, traffic.unresolved)),
        ip: route.partner.ip_storage.apply(address),
        country: state.geo.country(address),
        region: None,
        isp: None,
        browser: visitor.browser,
        os: visitor.os,
        os_version: visitor.os_version,
        device_type: visitor.device_type,
        language: text(headers, "accept-language").and_then(language),
        referrer_host: text(headers, "referer").and_then(referrer_host),
    }
}

/// The parameters that have no column of their own, or could not be given to theirs.
fn further(parameters: &ClickParameters, unresolved: Vec<(&'static str, String)>) -> Map<String, Value> {
    let own = ["site", "source_id", "ext_click_id"];
    parameters
        .iter()
        .filter(|(name, _)| !own.contains(name))
        .map(|(name, text)| (name.to_owned(), text.into()))
        .chain(unresolved.into_iter().map(|(name, text)| (name.to_owned(), text.into())))
        .collect()
}

/// What a macro of the landing page stands for in this click.
fn value(wanted: Macro, click: &Click, parameters: &ClickParameters) -> Option<String> {
    let kept = |name: &str| parameters.get(name).map(str::to_owned);
    match wanted {
        Macro::ClickId => None,
        Macro::AdvertiserId => Some(click.advertiser_id.to_string()),
        Macro::CampaignId => Some(click.campaign_id.to_string()),
        Macro::CreativeId => click.creative_id.map(|id| id.to_string()),
        Macro::LinkId => Some(click.link_id.to_string()),
        Macro::PublisherId => click.publisher_id.map(|id| id.to_string()),
        Macro::Site => click.site.clone(),
        Macro::Sub(number) => kept(&format!("sub{number}")),
        Macro::SourceId => click.source_id.clone(),
        Macro::ExtClickId => click.ext_click_id.clone(),
        Macro::Country => click.country.clone(),
        Macro::Region => click.region.clone(),
        Macro::DeviceType => click.device_type.clone(),
        Macro::Os => click.os.clone(),
        Macro::OsVersion => click.os_version.clone(),
        Macro::Browser => click.browser.clone(),
        Macro::Language => click.language.clone(),
        Macro::Isp => click.isp.clone(),
        Macro::Idfa => kept("idfa"),
        Macro::Gaid => kept("gaid"),
        Macro::Gclid => kept("gclid"),
        Macro::Fbclid => kept("fbclid"),
        Macro::Ttclid => kept("ttclid"),
        Macro::Timestamp => Some(click.clicked_at.seconds().to_string()),
        Macro::Date => Some(click.clicked_at.to_string().chars().take(10).collect()),
        Macro::Random => Some(u32::from_be_bytes(clock::random()).to_string()),
    }
}
