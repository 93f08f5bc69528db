//! A visit as a row: by its link, its visitor and its URL.

use super::{hints::Hints, user_agents};
use crate::{
    clock,
    db::{
        rows::{document::Document, records::Click, setup::Route},
        sql_types::Json,
    },
    domain::{
        click_id::{ClickId, LinkNumber},
        click_parameters::ClickParameters,
        ids::{CreativeId, PublisherId, Reference},
        time::Timestamp,
        visitor::{classify, language, referrer_host},
    },
    error::{Error, Result},
    http::State,
};

/// Who sent the visitor, and by what.
pub struct Traffic {
    publisher: Option<PublisherId>,
    creative: Option<CreativeId>,
    /// Names that cannot be looked up while the database is away.
    unresolved: Vec<&'static str>,
}

impl Traffic {
    /// Keeps a name as it is.
    fn leave(&mut self, parameters: &mut ClickParameters, name: &'static str, text: String) {
        self.unresolved.push(name);
        parameters.put_back(name, text);
    }
}

/// What the link leaves open, the URL may say; a name that is not the partner's says nothing.
pub async fn traffic(state: &State, route: &Route, parameters: &mut ClickParameters) -> Result<Traffic> {
    let (publisher, creative) = (parameters.take("publisher_id"), parameters.take("creative_id"));
    let (own_publisher, own_creative) = (route.link.publisher_id, route.link.creative_id);
    let mut traffic = Traffic { publisher: own_publisher, creative: own_creative, unresolved: Vec::new() };
    if let (None, Some(text)) = (traffic.publisher, publisher)
        && let Ok(name) = Reference::parse(&text)
    {
        match state.cache.publisher(route.scope, name).await {
            Err(Error::Unavailable(_)) => traffic.leave(parameters, "publisher_id", text),
            found => traffic.publisher = found?,
        }
    }
    if let (None, Some(text)) = (traffic.creative, creative)
        && let Ok(name) = Reference::parse(&text)
    {
        match state.cache.creative(route.scope, name).await {
            Err(Error::Unavailable(_)) => traffic.leave(parameters, "creative_id", text),
            found => {
                let own = found?.filter(|creative| creative.1 == route.link.advertiser_id);
                traffic.creative = own.map(|creative| creative.0);
            }
        }
    }
    Ok(traffic)
}

/// The visit as its link and its visitor make it.
pub fn click(state: &State, route: &Route, traffic: Traffic, hints: Hints<'_>, now: Timestamp) -> Click {
    let number = LinkNumber(u32::try_from(route.link.number).unwrap_or_default());
    let agent = user_agents::read(hints.user_agent);
    let visitor = agent.visitor.clone();
    let flags = traffic.unresolved.iter().map(|name| format!("unresolved:{name}")).collect();
    let location = hints.address.map(|address| state.geo.locate(address)).unwrap_or_default();
    Click {
        partner_id: route.scope.id(),
        id: ClickId::mint(now, number, clock::random()),
        link_id: route.link.id,
        advertiser_id: route.link.advertiser_id,
        campaign_id: route.link.campaign_id,
        creative_id: traffic.creative,
        publisher_id: traffic.publisher,
        clicked_at: now,
        class: classify(agent.is_bot, hints.purpose),
        reason: None,
        flags: Json(flags),
        site: None,
        source_id: None,
        ext_click_id: None,
        parameters: Document::of(std::iter::empty()),
        ip: hints.address.and_then(|address| route.partner.ip_storage.apply(address)),
        country: location.country,
        region: location.region,
        isp: location.isp,
        browser: visitor.browser,
        os: visitor.os,
        os_version: visitor.os_version,
        device_type: visitor.device_type,
        language: hints.language.and_then(language),
        referrer_host: hints.referrer.and_then(referrer_host),
    }
}

/// Keeps what the URL said: three values in columns of their own, the others together.
pub fn keep_parameters(click: &mut Click, parameters: &ClickParameters) {
    const OWN_COLUMNS: [&str; 3] = ["site", "source_id", "ext_click_id"];
    let own = |name| parameters.get(name).map(str::to_owned);
    [click.site, click.source_id, click.ext_click_id] = OWN_COLUMNS.map(own);
    click.parameters = Document::of(parameters.iter().filter(|(name, _)| !OWN_COLUMNS.contains(name)));
    click.flags.0.extend(parameters.cut.iter().map(|name| format!("cut:{name}")));
}
