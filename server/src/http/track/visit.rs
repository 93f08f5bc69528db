//! A visit to a link, through whatever door it comes: a click or an impression, of a browser or told by a back end.
//! Who it is, what it is worth and where it leads is put together here, once.

use std::{borrow::Cow, sync::Arc};

use super::{
    describe::{self, Visitor},
    hints::Hints,
};
use crate::{
    cache::KnownRoute,
    db::{
        db_read,
        received::{CappedClick, Sighting},
        rows::records::{Click, Impression},
    },
    domain::{
        caps::{Admission, CAP_REACHED, Caps},
        click_id::Touch,
        click_parameters::{self, ClickParameters},
        landing::{self, Macro},
        link_name::LinkName,
        redirect::{Destination, Way},
        setup::Status,
        targeting::Target,
        totals::Kind,
        visitor::ClickClass,
    },
    error::Result,
    http::State,
    ingest::Recording,
};

/// Why nothing is kept of a visit.
pub const CONSENT_REFUSED: &str = "consent_refused";

/// The link that a tracking URL names, unless it is put away.
pub async fn known_link(state: &State, name: &str) -> Result<Option<Arc<KnownRoute>>> {
    let Some(name) = LinkName::parse(name) else { return Ok(None) };
    let known = state.cache.route(name).await?;
    Ok(known.filter(|known| known.route.link.status != Status::Archived))
}

/// A visit that is not recorded yet.
pub struct Visit<'a> {
    /// The link.
    pub known: &'a KnownRoute,
    /// What will be stored. An impression has the same columns.
    pub click: Click,
    /// Who the visitor is.
    visitor: Visitor,
    /// Whether the publisher is in use.
    publisher_status: Status,
    /// What is noteworthy.
    flags: Vec<String>,
    /// What the URL said.
    pub parameters: ClickParameters,
    /// Where it leads.
    pub destination: Destination<'a>,
}

/// What became of a click.
pub struct Followed {
    /// Its id; none without consent.
    pub click_id: Option<String>,
    /// Where the visitor goes; none: nowhere.
    pub location: Option<String>,
    /// What kind of click it is; none without consent.
    pub class: Option<ClickClass>,
    /// Why it does not count.
    pub reason: Option<String>,
    /// What is noteworthy.
    pub flags: Vec<String>,
}

/// A click that everything is known of but whether it is recorded.
pub enum Following {
    /// It is, or need not be.
    Done(Followed),
    /// A writer has it.
    Recording(Followed, Recording),
}

impl Followed {
    /// The same, where the click found no place anywhere: its id would belong to no click.
    pub fn without_click_id(self, parameter: &str) -> Self {
        let location = match (self.location, &self.click_id) {
            (Some(url), Some(click_id)) => Some(landing::without_click_id(&url, click_id, parameter)),
            (location, _) => location,
        };
        Self { location, click_id: None, ..self }
    }
}

impl Following {
    /// What became of it, when it is committed.
    pub async fn end(self, state: &State) -> Result<Followed> {
        match self {
            Self::Done(followed) => Ok(followed),
            Self::Recording(followed, recording) => {
                state.ingest.recorded(recording).await?;
                Ok(followed)
            }
        }
    }
}

/// What became of an impression.
pub struct Shown {
    /// Its id; none without consent.
    pub id: Option<String>,
    /// What kind of impression it is; none without consent.
    pub class: Option<ClickClass>,
    /// Why it does not count.
    pub reason: Option<String>,
    /// What is noteworthy.
    pub flags: Vec<String>,
}

impl<'a> Visit<'a> {
    /// Puts a visit together. An impression leads nowhere, so that `url=` means nothing to it.
    pub async fn prepare(
        state: &State,
        known: &'a KnownRoute,
        touch: Touch,
        hints: Hints<'_>,
        mut parameters: ClickParameters,
    ) -> Result<Self> {
        let traffic = describe::traffic(state, &known.route, &mut parameters).await?;
        let now = state.clock.now();
        let visitor = describe::visitor(state, &known.route, &hints);
        let mut click = describe::click(&known.route, &traffic, &visitor, &hints, now);
        let wanted = parameters.url.as_deref().filter(|_| touch == Touch::Click);
        let publisher_status = traffic.publisher_status;
        let destination = way(known, &visitor, publisher_status).destination(now, wanted);
        let mut flags = describe::flags(&traffic, &parameters);
        if destination.deep_link_refused {
            flags.push("deep_link_refused".to_owned());
        }
        if let Some(reason) = destination.invalid {
            (click.class, click.reason) = (ClickClass::Invalid, Some(reason.to_owned()));
        }
        click.details = describe::details(&flags, &parameters, &visitor);
        Ok(Self { known, click, visitor, publisher_status, flags, parameters, destination })
    }

    /// Whether it may be recorded.
    pub fn has_consent(&self) -> bool {
        self.known.route.link.consent.permits(&self.parameters)
    }

    /// The text of its id.
    pub fn id(&self, touch: Touch) -> String {
        self.known.click_ids.text_of(touch, &self.click.id)
    }

    /// Where it leads, with this click id.
    pub fn location(&self, click_id: Option<&str>) -> Option<String> {
        let page = self.destination.page.as_ref()?;
        page.render(click_id, &self.known.route.advertiser.click_id_parameter, |wanted| self.value(wanted))
    }

    /// The caps that it counts towards: only clicks of people do.
    fn caps(&self) -> Option<Caps> {
        let campaign = &self.known.route.campaign;
        let caps = Caps::of(campaign.click_cap_daily, campaign.click_cap_total);
        caps.filter(|_| self.click.class == ClickClass::Human)
    }

    /// Makes it one that comes too late, if a cap is reached now; for answers that record nothing.
    pub async fn mind_caps(&mut self, state: &State) -> Result<()> {
        let Some(caps) = self.caps() else { return Ok(()) };
        let (scope, campaign, now) = (self.known.route.scope, self.click.campaign_id, self.click.clicked_at);
        let is_reached = db_read!(&state.store, |queries, conn| {
            queries::click_counts::is_reached(conn, &scope, campaign, caps, now)
        })?;
        if is_reached {
            self.turn_away();
        }
        Ok(())
    }

    fn turn_away(&mut self) {
        let way = way(self.known, &self.visitor, self.publisher_status);
        self.destination = way.fallback(CAP_REACHED);
        (self.click.class, self.click.reason) = (ClickClass::Invalid, Some(CAP_REACHED.to_owned()));
    }

    /// Begins to record it as a click. Only where the campaign has caps, or there is no consent, does this wait.
    pub async fn begin(mut self, state: &State) -> Result<Following> {
        if !self.has_consent() {
            return Ok(Following::Done(self.without_consent(state).await));
        }
        match self.caps() {
            None => {
                let followed = self.followed();
                Ok(Following::Recording(followed, state.ingest.hand_over_click(self.click)?))
            }
            Some(caps) => {
                let click = CappedClick { click: self.click.clone(), caps };
                if state.ingest.record_capped_click(click).await? == Admission::CapReached {
                    self.turn_away();
                }
                Ok(Following::Done(self.followed()))
            }
        }
    }

    /// Records it as a click; returns when that is committed.
    pub async fn follow(self, state: &State) -> Result<Followed> {
        self.begin(state).await?.end(state).await
    }

    /// Records it as an impression; returns when that is committed.
    pub async fn show(self, state: &State) -> Result<Shown> {
        if !self.has_consent() {
            self.count_refusal(state, Kind::ImpressionNoConsent).await?;
            let reason = Some(CONSENT_REFUSED.to_owned());
            return Ok(Shown { id: None, class: None, reason, flags: Vec::new() });
        }
        let shown = Shown {
            id: Some(self.id(Touch::Impression)),
            class: Some(self.click.class),
            reason: self.click.reason.clone(),
            flags: self.flags.clone(),
        };
        state.ingest.record_sighting(Sighting::Impression(Box::new(Impression::from(self.click)))).await?;
        Ok(shown)
    }

    /// What becomes of it as a click.
    pub fn followed(&self) -> Followed {
        let click_id = self.id(Touch::Click);
        Followed {
            location: self.location(Some(&click_id)),
            click_id: Some(click_id),
            class: Some(self.click.class),
            reason: self.click.reason.clone(),
            flags: self.flags.clone(),
        }
    }

    /// What becomes of it as a click of which nothing may be kept.
    pub fn unfollowed(&self) -> Followed {
        Followed {
            click_id: None,
            location: self.location(None),
            class: None,
            reason: Some(CONSENT_REFUSED.to_owned()),
            flags: Vec::new(),
        }
    }

    /// The visitor goes on even where not so much as a number can be kept.
    async fn without_consent(&self, state: &State) -> Followed {
        if let Err(error) = self.count_refusal(state, Kind::NoConsent).await {
            state.counters.untracked();
            tracing::warn!(%error, "a visit without consent was not counted");
        }
        self.unfollowed()
    }

    async fn count_refusal(&self, state: &State, kind: Kind) -> Result<()> {
        state.counters.consent_refused();
        let cell = self.click.cell(kind);
        state.ingest.record_sighting(Sighting::WithoutConsent(self.known.route.scope, cell)).await
    }

    /// What a macro of the landing page stands for; the click id is not known here.
    pub fn value(&self, wanted: Macro) -> Option<Cow<'_, str>> {
        let (click, visitor) = (&self.click, &self.visitor);
        let (device, location) = (&visitor.agent.visitor, &visitor.location);
        let kept = |name: &str| self.parameters.get(name).map(Cow::from);
        let id = |id: &dyn ToString| Some(Cow::from(id.to_string()));
        match wanted {
            Macro::ClickId => None,
            Macro::AdvertiserId => id(&click.advertiser_id),
            Macro::CampaignId => id(&click.campaign_id),
            Macro::CreativeId => id(&click.creative_id?),
            Macro::LinkId => id(&click.link_id),
            Macro::PublisherId => id(&click.publisher_id?),
            Macro::Site => kept("site"),
            Macro::Sub(number) => kept(click_parameters::sub(number)),
            Macro::SourceId => kept("source_id"),
            Macro::ExtClickId => kept("ext_click_id"),
            Macro::Country => told(&location.country),
            Macro::Region => told(&location.region),
            Macro::DeviceType => told(&device.device_type),
            Macro::Os => told(&device.os),
            Macro::OsVersion => told(&device.os_version),
            Macro::Browser => told(&device.browser),
            Macro::Language => told(&visitor.language),
            Macro::Isp => told(&location.isp),
            Macro::Idfa => kept("idfa"),
            Macro::Gaid => kept("gaid"),
            Macro::Gclid => kept("gclid"),
            Macro::Fbclid => kept("fbclid"),
            Macro::Ttclid => kept("ttclid"),
            Macro::Timestamp => id(&click.clicked_at.seconds()),
            Macro::Date => Some(click.clicked_at.to_string().chars().take(10).collect()),
            Macro::Random => id(&click.id.number_by_chance()),
        }
    }
}

fn told(text: &Option<String>) -> Option<Cow<'_, str>> {
    text.as_deref().map(Cow::from)
}

fn way<'a>(known: &'a KnownRoute, visitor: &Visitor, publisher_status: Status) -> Way<'a> {
    let route = &known.route;
    let (link, campaign, advertiser) = (&route.link, &route.campaign, &route.advertiser);
    let device = &visitor.agent.visitor;
    let target = Target {
        country: visitor.location.country.as_deref(),
        device_type: device.device_type.as_deref(),
        os: device.os.as_deref(),
        language: visitor.language.as_deref(),
    };
    Way {
        statuses: [
            (link.status, "link_paused"),
            (campaign.status, "campaign_paused"),
            (advertiser.status, "advertiser_paused"),
            (publisher_status, "publisher_paused"),
        ],
        is_for_visitor: campaign.targeting.0.admits(target),
        starts_at: campaign.starts_at,
        ends_at: campaign.ends_at,
        pages: &known.pages,
        deep_links: link.deep_links,
        deep_link_hosts: &advertiser.deep_link_hosts.0,
    }
}
