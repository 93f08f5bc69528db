//! A visit as a row: by its link, its visitor and its URL.

use std::{borrow::Cow, rc::Rc};

use super::{
    hints::Hints,
    user_agents::{self, UserAgent},
};
use crate::{
    clock,
    db::rows::{document::Document, records::Click, setup::Route},
    domain::{
        click_id::{ClickId, LinkNumber},
        click_parameters::ClickParameters,
        details::{Detail, Details, Pairs},
        ids::{CreativeId, PublisherId, Reference},
        setup::Status,
        time::Timestamp,
        visitor::{classify, language, referrer_host},
    },
    error::{Error, Result},
    geo::Location,
    http::State,
};

/// Who sent the visitor, and by what.
pub struct Traffic {
    publisher: Option<PublisherId>,
    /// Whether the publisher is in use.
    pub publisher_status: Status,
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
    let mut traffic = Traffic {
        publisher: own_publisher,
        publisher_status: route.publisher_status.unwrap_or(Status::Active),
        creative: own_creative,
        unresolved: Vec::new(),
    };
    if let (None, Some(text)) = (traffic.publisher, publisher)
        && let Ok(name) = Reference::parse(&text)
    {
        match state.cache.publisher(route.scope, name).await {
            Err(Error::Unavailable(_)) => traffic.leave(parameters, "publisher_id", text),
            found => {
                let kept = found?.filter(|(_, status)| *status != Status::Archived);
                if let Some((publisher, status)) = kept {
                    (traffic.publisher, traffic.publisher_status) = (Some(publisher), status);
                }
            }
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

/// Who the visitor is, as far as headers and address tell.
pub struct Visitor {
    /// The device.
    pub agent: Rc<UserAgent>,
    /// The address, as far as the partner keeps it.
    pub ip: Option<String>,
    /// Where that is.
    pub location: Location,
    /// The first language.
    pub language: Option<String>,
    /// The host that the visitor came from.
    pub referrer_host: Option<String>,
}

/// The visitor of a link.
pub fn visitor(state: &State, route: &Route, hints: &Hints<'_>) -> Visitor {
    Visitor {
        agent: user_agents::read(hints.user_agent),
        ip: hints.address.and_then(|address| route.partner.ip_storage.apply(address)),
        location: hints.address.map(|address| state.geo.locate(address)).unwrap_or_default(),
        language: hints.language.and_then(language),
        referrer_host: hints.referrer.and_then(referrer_host),
    }
}

/// The visit as its link and its visitor make it; the details are still to come.
pub fn click(
    route: &Route,
    traffic: &Traffic,
    visitor: &Visitor,
    hints: &Hints<'_>,
    now: Timestamp,
) -> Click {
    let number = LinkNumber(u32::try_from(route.link.number).unwrap_or_default());
    Click {
        partner_id: route.scope.id(),
        id: ClickId::mint(now, number, clock::random()),
        link_id: route.link.id,
        advertiser_id: route.link.advertiser_id,
        campaign_id: route.link.campaign_id,
        creative_id: traffic.creative,
        publisher_id: traffic.publisher,
        clicked_at: now,
        class: classify(visitor.agent.is_bot, hints.purpose),
        reason: None,
        country: visitor.location.country.clone(),
        details: Document::default(),
    }
}

/// What is noteworthy of a visit: names that could not be looked up, values that were cut.
pub fn flags(traffic: &Traffic, parameters: &ClickParameters) -> Vec<String> {
    let unresolved = traffic.unresolved.iter().map(|name| format!("unresolved:{name}"));
    unresolved.chain(parameters.cut.iter().map(|name| format!("cut:{name}"))).collect()
}

/// What is kept with the row of a visit: three parameters under names of their own, the others together.
pub fn details(flags: &[String], parameters: &ClickParameters, visitor: &Visitor) -> Document {
    const NAMED: [&str; 3] = ["site", "source_id", "ext_click_id"];
    let [site, source_id, ext_click_id] = NAMED.map(|name| parameters.get(name).map(Cow::from));
    let others = parameters.iter().filter(|(name, _)| !NAMED.contains(name));
    let device = &visitor.agent.visitor;
    let details = Details {
        flags: flags.iter().map(Cow::from).collect(),
        site,
        source_id,
        ext_click_id,
        parameters: Pairs(others.map(|(name, value)| (name.into(), value.into())).collect()),
        ip: detail(&visitor.ip),
        region: detail(&visitor.location.region),
        isp: detail(&visitor.location.isp),
        browser: detail(&device.browser),
        os: detail(&device.os),
        os_version: detail(&device.os_version),
        device_type: detail(&device.device_type),
        language: detail(&visitor.language),
        referrer_host: detail(&visitor.referrer_host),
    };
    Document::of_json(details.to_json())
}

fn detail(text: &Option<String>) -> Detail<'_> {
    text.as_deref().map(Cow::from)
}
