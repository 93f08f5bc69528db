//! What a click would come to, for whoever sets links up. Records nothing.

use std::{borrow::Cow, collections::BTreeMap};

use actix_web::{HttpRequest, HttpResponse, http::header};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    hints::Hints,
    visit::{Visit, known_link},
};
use crate::{
    domain::{
        click_id::{TEXT_LENGTH, Touch},
        click_parameters::ClickParameters,
        ids::{AdvertiserId, CampaignId, CreativeId, LinkId, PublisherId},
        landing::Macro,
        visitor::ClickClass,
    },
    error::{Error, Result},
    http::{State, caller, head::Head},
};

/// What a click on a link would come to, with these parameters and these headers.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"link_id": "lnk_01kayw5m8hfz2v6y0t3n7r9q4c", "advertiser_id": "adv_01kayw5m8hfz2v6y0t3n7r9q4c", "campaign_id": "cmp_01kayw5m8hfz2v6y0t3n7r9q4c", "creative_id": null, "publisher_id": "pub_01kayw5m8hfz2v6y0t3n7r9q4c", "class": "human", "reason": null, "flags": [], "destination": "landing_page", "url": "https://shop.example/sale?kcid=10000000000000000000000000000000000", "macros": {"sub1": "newsletter", "country": null}})))]
pub struct Preview {
    /// The link.
    link_id: LinkId,
    /// Its advertiser.
    advertiser_id: AdvertiserId,
    /// Its campaign.
    campaign_id: CampaignId,
    /// The creative.
    creative_id: Option<CreativeId>,
    /// Who would be credited.
    publisher_id: Option<PublisherId>,
    /// What kind of click it would be; null where there is no consent and nothing would be stored.
    class: Option<ClickClass>,
    /// Why it would not count, such as `link_paused`, `targeting_missed`, `cap_reached` or `consent_refused`.
    reason: Option<String>,
    /// What would be noteworthy, such as `deep_link_refused`.
    flags: Vec<String>,
    /// What the visitor would see: `landing_page`, `deep_link`, `fallback`, or `none`.
    destination: &'static str,
    /// Where the visitor would go. The click id in it is a stand-in: it consists of zeros.
    url: Option<String>,
    /// What each macro would stand for; null: nothing.
    #[schema(value_type = std::collections::HashMap<String, Option<String>>)]
    macros: BTreeMap<&'static str, Option<String>>,
}

/// Answers a preview to a caller whose link it is.
pub async fn of(
    request: &HttpRequest,
    link: &str,
    parameters: ClickParameters,
    state: &State,
) -> Result<HttpResponse> {
    let caller = caller::authenticate(request).await?;
    let known = known_link(state, link).await?.filter(|known| known.route.scope == caller.partner);
    let known = known.ok_or_else(Error::not_found)?;
    let hints = Hints::of(&Head::of(request), state);
    let mut visit = Visit::prepare(state, &known, Touch::Click, hints, parameters).await?;
    visit.mind_caps(state).await?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(preview(&visit)))
}

fn preview(visit: &Visit<'_>) -> Preview {
    let followed = if visit.has_consent() { visit.followed() } else { visit.unfollowed() };
    let stand_in = followed.click_id.map(|_| format!("1{}", "0".repeat(TEXT_LENGTH - 1)));
    let click = &visit.click;
    Preview {
        link_id: click.link_id,
        advertiser_id: click.advertiser_id,
        campaign_id: click.campaign_id,
        creative_id: click.creative_id,
        publisher_id: click.publisher_id,
        class: followed.class,
        reason: followed.reason,
        flags: followed.flags,
        destination: destination(visit),
        url: visit.location(stand_in.as_deref()),
        macros: Macro::documented()
            .map(|(name, wanted)| match wanted {
                Macro::ClickId => (name, stand_in.clone()),
                other => (name, visit.value(other).map(Cow::into_owned)),
            })
            .collect(),
    }
}

fn destination(visit: &Visit<'_>) -> &'static str {
    let destination = &visit.destination;
    match (&destination.page, destination.invalid) {
        (None, _) => "none",
        (Some(_), Some(_)) => "fallback",
        (Some(_), None) if visit.parameters.url.is_some() && !destination.deep_link_refused => "deep_link",
        (Some(_), None) => "landing_page",
    }
}
