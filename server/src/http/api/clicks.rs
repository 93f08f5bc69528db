//! Clicks, as they were recorded; and clicks without a redirect.

use std::{borrow::Cow, collections::BTreeMap};

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::visits::{RecordVisit, Told};
use crate::{
    db::{db_read, list::Listing, rows::records::Click},
    domain::{
        click_id::{ClickId, ClickIdKey, Touch},
        details::{Detail, Details},
        ids::{AdvertiserId, CampaignId, CreativeId, LinkId, PublisherId},
        time::Timestamp,
        visitor::ClickClass,
    },
    error::{Error, Result},
    http::{
        State,
        body::Body,
        caller::{Caller, Recorder},
        fields::{Fields, named, read},
        page::{ListName, Page, limit},
    },
};

/// A click.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"click_id": "101m2k3n4p5q6r7s8t9v0w1x2y3z4a5b6c7", "clicked_at": "2026-11-22T10:00:00Z", "class": "human", "reason": null, "flags": [], "link_id": "lnk_01kayw5m8hfz2v6y0t3n7r9q4c", "advertiser_id": "adv_01kayw5m8hfz2v6y0t3n7r9q4c", "campaign_id": "cmp_01kayw5m8hfz2v6y0t3n7r9q4c", "creative_id": null, "publisher_id": "pub_01kayw5m8hfz2v6y0t3n7r9q4c", "site": null, "source_id": null, "ext_click_id": null, "parameters": {"sub1": "newsletter"}, "ip": "198.51.100.0", "country": "DE", "region": null, "isp": null, "browser": "Chrome", "os": "Windows 10", "os_version": "NT 10.0", "device_type": "desktop", "language": "de-de", "referrer_host": "blog.example"})))]
pub struct ClickView {
    /// The id that the landing page got.
    #[schema(value_type = ClickId)]
    click_id: String,
    /// When it happened.
    clicked_at: Timestamp,
    /// What kind of click it is; only `human` ones count by default.
    class: ClickClass,
    /// Why it is `invalid`, such as `link_paused`.
    reason: Option<String>,
    /// What is noteworthy, such as `deep_link_refused`.
    flags: Vec<String>,
    /// The link that was clicked.
    link_id: LinkId,
    /// Its advertiser.
    advertiser_id: AdvertiserId,
    /// Its campaign.
    campaign_id: CampaignId,
    /// Its creative.
    creative_id: Option<CreativeId>,
    /// Who is credited.
    publisher_id: Option<PublisherId>,
    /// Where the publisher showed the link.
    site: Option<String>,
    /// The traffic source within the publisher.
    source_id: Option<String>,
    /// The publisher's own click id.
    ext_click_id: Option<String>,
    /// What else the URL said: sub ids, mobile and ad-network ids.
    parameters: BTreeMap<String, String>,
    /// The visitor's address, as far as you keep it.
    ip: Option<String>,
    /// ISO 3166-1 alpha-2.
    country: Option<String>,
    /// The region.
    region: Option<String>,
    /// The provider.
    isp: Option<String>,
    /// The browser.
    browser: Option<String>,
    /// The operating system.
    os: Option<String>,
    /// Its version.
    os_version: Option<String>,
    /// `desktop`, `mobile`, `tablet`, `tv` or `other`.
    device_type: Option<String>,
    /// The visitor's first language.
    language: Option<String>,
    /// The host that the visitor came from.
    referrer_host: Option<String>,
}

impl ClickView {
    fn new(row: Click, key: &ClickIdKey) -> Self {
        let details: Details<'_> = row.details.read();
        let text = |detail: Detail<'_>| detail.map(Cow::into_owned);
        Self {
            click_id: key.text(&row.id),
            clicked_at: row.clicked_at,
            class: row.class,
            reason: row.reason,
            flags: details.flags.into_iter().map(Cow::into_owned).collect(),
            link_id: row.link_id,
            advertiser_id: row.advertiser_id,
            campaign_id: row.campaign_id,
            creative_id: row.creative_id,
            publisher_id: row.publisher_id,
            site: text(details.site),
            source_id: text(details.source_id),
            ext_click_id: text(details.ext_click_id),
            parameters: details
                .parameters
                .0
                .into_iter()
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
            ip: text(details.ip),
            country: row.country,
            region: text(details.region),
            isp: text(details.isp),
            browser: text(details.browser),
            os: text(details.os),
            os_version: text(details.os_version),
            device_type: text(details.device_type),
            language: text(details.language),
            referrer_host: text(details.referrer_host),
        }
    }
}

/// Which clicks.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListClicks {
    /// How many, 1 to 100; 25 by default.
    #[param(minimum = 1, maximum = 100, default = 25)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those of this advertiser: its id, or `ext:` and your own.
    advertiser_id: Option<String>,
    /// Only those of this campaign: its id, or `ext:` and your own.
    campaign_id: Option<String>,
    /// Only those of this link: its id, or `ext:` and your own.
    link_id: Option<String>,
    /// Only those of this publisher: its id, or `ext:` and your own.
    publisher_id: Option<String>,
}

/// What became of a click that was told.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"click_id": "101m2k3n4p5q6r7s8t9v0w1x2y3z4a5b6c7", "landing_url": "https://shop.example/sale?kcid=101m2k3n4p5q6r7s8t9v0w1x2y3z4a5b6c7", "class": "human", "reason": null, "flags": []})))]
pub struct RecordedClick {
    /// Its id; null where there is no consent, and nothing is stored but a number.
    #[schema(value_type = Option<ClickId>)]
    click_id: Option<String>,
    /// Where the visitor should go; null: nowhere.
    landing_url: Option<String>,
    /// What kind of click it is; null without consent.
    class: Option<ClickClass>,
    /// Why it does not count, such as `link_paused`, `cap_reached` or `consent_refused`.
    reason: Option<String>,
    /// What is noteworthy, such as `deep_link_refused`.
    flags: Vec<String>,
}

/// Records a click without a redirect, for apps and direct linking. Everything is as if the visitor had followed the
/// tracking URL.
#[utoipa::path(tag = "Clicks", request_body = RecordVisit,
    responses((status = 201, description = "The click is recorded; or, without a click id, that there was no consent.", body = RecordedClick)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "not_found", "unsupported_media_type", "payload_too_large"]))))]
#[post("/clicks")]
pub async fn create_click(
    caller: Recorder,
    Body(body): Body<RecordVisit>,
    state: web::Data<State>,
) -> Result<HttpResponse> {
    let told = Told::read(&state, caller.partner, body).await?;
    let visit = told.visit(&state, Touch::Click).await?;
    let followed = visit.follow(&state).await?;
    Ok(HttpResponse::Created().json(RecordedClick {
        click_id: followed.click_id,
        landing_url: followed.location,
        class: followed.class,
        reason: followed.reason,
        flags: followed.flags,
    }))
}

/// Returns a click. An id that is cut, altered or not yours is not found.
#[utoipa::path(tag = "Clicks", params(("click_id" = ClickId, Path, description = "The click id, as the landing page got it.")),
    responses((status = 200, description = "The click.", body = ClickView)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[get("/clicks/{click_id}")]
pub async fn get_click(
    caller: Caller,
    click_id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<ClickView>> {
    let key = ClickIdKey::derive(&state.master_key, caller.partner.id());
    let id = key.read_of(Touch::Click, &click_id).map_err(|_| Error::not_found())?;
    let row = db_read!(&state.store, |queries, conn| queries::clicks::find(conn, &caller.partner, id))?;
    Ok(web::Json(ClickView::new(row.ok_or_else(Error::not_found)?, &key)))
}

/// Lists clicks, newest first.
#[utoipa::path(tag = "Clicks", params(ListClicks),
    responses((status = 200, description = "A page of clicks.", body = Page<ClickView>)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "cursor_invalid", "not_found"]))))]
#[get("/clicks")]
pub async fn list_clicks(
    caller: Caller,
    query: web::Query<ListClicks>,
    state: web::Data<State>,
) -> Result<web::Json<Page<ClickView>>> {
    let query = query.into_inner();
    let filters = (&query.advertiser_id, &query.campaign_id, &query.link_id, &query.publisher_id);
    let list = ListName::new(&state, &caller.partner, "clicks", &filters);
    let mut fields = Fields::default();
    let limit = fields.optional("limit", Some(query.limit), limit);
    let advertiser = fields.optional("advertiser_id", query.advertiser_id, read::reference::<AdvertiserId>);
    let campaign = fields.optional("campaign_id", query.campaign_id, read::reference::<CampaignId>);
    let link = fields.optional("link_id", query.link_id, read::reference::<LinkId>);
    let publisher = fields.optional("publisher_id", query.publisher_id, read::reference::<PublisherId>);
    let limit = fields.finish(|| limit)?;
    let mut listing = Listing { after: list.read(query.cursor.as_deref())?, limit, ..Listing::default() };
    let rows = db_read!(&state.store, |queries, conn| {
        listing.advertiser_id = filter!(queries, conn, caller, advertiser, advertisers, "advertiser_id");
        listing.campaign_id = filter!(queries, conn, caller, campaign, campaigns, "campaign_id");
        listing.link_id = filter!(queries, conn, caller, link, links, "link_id");
        listing.publisher_id = filter!(queries, conn, caller, publisher, publishers, "publisher_id");
        queries::clicks::list(conn, &caller.partner, &listing)
    })?;
    let key = ClickIdKey::derive(&state.master_key, caller.partner.id());
    Ok(web::Json(list.page(rows, limit, |row| *row.id.bytes(), |row| ClickView::new(row, &key))))
}
