//! Impressions, as they were recorded; and impressions that ad servers tell of.

use std::{borrow::Cow, collections::BTreeMap};

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::visits::{RecordVisit, Told};
use crate::{
    db::{db_read, list::Listing, rows::records::Impression},
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

/// An impression.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"impression_id": "201m2k3n4p5q6r7s8t9v0w1x2y3z4a5b6c7", "shown_at": "2026-11-22T10:00:00Z", "class": "human", "reason": null, "flags": [], "link_id": "lnk_01kayw5m8hfz2v6y0t3n7r9q4c", "advertiser_id": "adv_01kayw5m8hfz2v6y0t3n7r9q4c", "campaign_id": "cmp_01kayw5m8hfz2v6y0t3n7r9q4c", "creative_id": null, "publisher_id": "pub_01kayw5m8hfz2v6y0t3n7r9q4c", "site": null, "source_id": null, "ext_click_id": null, "parameters": {"sub1": "newsletter"}, "ip": "198.51.100.0", "country": "DE", "region": null, "isp": null, "browser": "Chrome", "os": "Windows 10", "os_version": "NT 10.0", "device_type": "desktop", "language": "de-de", "referrer_host": "blog.example"})))]
pub struct ImpressionView {
    /// Its id.
    #[schema(value_type = ClickId)]
    impression_id: String,
    /// When it happened.
    shown_at: Timestamp,
    /// What kind of impression it is; only `human` ones count by default.
    class: ClickClass,
    /// Why it is `invalid`, such as `link_paused`.
    reason: Option<String>,
    /// What is noteworthy, such as `cut:sub1`.
    flags: Vec<String>,
    /// The link.
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

impl ImpressionView {
    fn new(row: Impression, key: &ClickIdKey) -> Self {
        let details: Details<'_> = row.details.read();
        let text = |detail: Detail<'_>| detail.map(Cow::into_owned);
        Self {
            impression_id: key.text_of(Touch::Impression, &row.id),
            shown_at: row.shown_at,
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

/// Which impressions.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListImpressions {
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

/// What became of an impression that was told.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"impression_id": "201m2k3n4p5q6r7s8t9v0w1x2y3z4a5b6c7", "class": "human", "reason": null, "flags": []})))]
pub struct RecordedImpression {
    /// Its id, which a postback may carry as `click_id`; null where there is no consent, and nothing is stored but a
    /// number.
    #[schema(value_type = Option<ClickId>)]
    impression_id: Option<String>,
    /// What kind of impression it is; null without consent.
    class: Option<ClickClass>,
    /// Why it does not count, such as `link_paused` or `consent_refused`.
    reason: Option<String>,
    /// What is noteworthy, such as `cut:sub1`.
    flags: Vec<String>,
}

/// Records an impression, for ad servers. Everything is as if the visitor had been shown the pixel of the link.
#[utoipa::path(tag = "Impressions", request_body = RecordVisit,
    responses((status = 201, description = "The impression is recorded; or, without an id, that there was no consent.", body = RecordedImpression)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "not_found", "unsupported_media_type", "payload_too_large"]))))]
#[post("/impressions")]
pub async fn create_impression(
    caller: Recorder,
    Body(body): Body<RecordVisit>,
    state: web::Data<State>,
) -> Result<HttpResponse> {
    let told = Told::read(&state, caller.partner, body).await?;
    let visit = told.visit(&state, Touch::Impression).await?;
    let shown = visit.show(&state).await?;
    Ok(HttpResponse::Created().json(RecordedImpression {
        impression_id: shown.id,
        class: shown.class,
        reason: shown.reason,
        flags: shown.flags,
    }))
}

/// Returns an impression. An id that is cut, altered or not yours is not found.
#[utoipa::path(tag = "Impressions", params(("impression_id" = ClickId, Path, description = "The impression's id.")),
    responses((status = 200, description = "The impression.", body = ImpressionView)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[get("/impressions/{impression_id}")]
pub async fn get_impression(
    caller: Caller,
    impression_id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<ImpressionView>> {
    let key = ClickIdKey::derive(&state.master_key, caller.partner.id());
    let id = key.read_of(Touch::Impression, &impression_id).map_err(|_| Error::not_found())?;
    let row = db_read!(&state.store, |queries, conn| queries::impressions::find(conn, &caller.partner, id))?;
    Ok(web::Json(ImpressionView::new(row.ok_or_else(Error::not_found)?, &key)))
}

/// Lists impressions, newest first.
#[utoipa::path(tag = "Impressions", params(ListImpressions),
    responses((status = 200, description = "A page of impressions.", body = Page<ImpressionView>)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "cursor_invalid", "not_found"]))))]
#[get("/impressions")]
pub async fn list_impressions(
    caller: Caller,
    query: web::Query<ListImpressions>,
    state: web::Data<State>,
) -> Result<web::Json<Page<ImpressionView>>> {
    let query = query.into_inner();
    let filters = (&query.advertiser_id, &query.campaign_id, &query.link_id, &query.publisher_id);
    let list = ListName::new(&state, &caller.partner, "impressions", &filters);
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
        queries::impressions::list(conn, &caller.partner, &listing)
    })?;
    let key = ClickIdKey::derive(&state.master_key, caller.partner.id());
    Ok(web::Json(list.page(rows, limit, |row| *row.id.bytes(), |row| ImpressionView::new(row, &key))))
}
