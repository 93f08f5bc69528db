//! Tracking links: the URLs that publishers use.

use actix_web::{HttpResponse, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::named_in_path;
use crate::{
    clock,
    db::{
        db_read, db_write,
        list::Listing,
        rows::setup::{Creative, Link, LinkChanges},
    },
    domain::{
        click_id::LinkNumber,
        code::Code,
        consent::Consent,
        ids::{AdvertiserId, CampaignId, CreativeId, Id, LinkId, PublisherId},
        link_name,
        refusal::{FieldError, Refusal},
        setup::{DeepLinks, Status},
        time::Timestamp,
    },
    error::Result,
    http::{
        State,
        body::Body,
        caller::Caller,
        fields::{Fields, named, not_null, present, read},
        page::{ListName, Page, limit},
    },
};

/// A new link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"campaign_id": "cmp_01kayw5m8hfz2v6y0t3n7r9q4c", "publisher_id": "pub_01kayw5m8hfz2v6y0t3n7r9q4c", "name": "Blog, sidebar"})))]
pub struct CreateLink {
    /// The campaign: its id, or `ext:` and your own.
    #[schema(required, value_type = String)]
    campaign_id: Option<String>,
    /// A name for people, 1 to 200 characters.
    #[schema(required, value_type = String)]
    name: Option<String>,
    /// Your own id, unique among your links; use it as `ext:...` wherever its id is taken.
    external_id: Option<String>,
    /// The creative: its id, or `ext:` and your own.
    creative_id: Option<String>,
    /// The publisher that is credited: its id, or `ext:` and your own. Without one, `publisher_id=` of each click says it.
    publisher_id: Option<String>,
    /// Where clicks go; the campaign's landing page by default.
    landing_url: Option<String>,
    /// Where clicks go while link or campaign are out of use.
    fallback_url: Option<String>,
    /// Whether `url=` is followed to the advertiser's hosts; `refused` by default.
    #[schema(value_type = Option<DeepLinks>)]
    deep_links: Option<String>,
    /// What it does about consent; `ignore` by default.
    #[schema(value_type = Option<Consent>)]
    consent: Option<String>,
}

/// What to change about a link; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"deep_links": "allowed"})))]
pub struct UpdateLink {
    /// A name for people.
    #[serde(default, deserialize_with = "not_null")]
    name: Option<String>,
    /// Your own id; null clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    external_id: Option<Option<String>>,
    /// Whether it takes part.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<Status>)]
    status: Option<String>,
    /// The creative; null: none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    creative_id: Option<Option<String>>,
    /// The publisher; null: none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    publisher_id: Option<Option<String>>,
    /// Where clicks go; null: the campaign's landing page.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    landing_url: Option<Option<String>>,
    /// Where clicks go while it is out of use; null clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    fallback_url: Option<Option<String>>,
    /// Whether `url=` is followed.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<DeepLinks>)]
    deep_links: Option<String>,
    /// What it does about consent.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<Consent>)]
    consent: Option<String>,
}

/// A link.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"id": "lnk_01kayw5m8hfz2v6y0t3n7r9q4c", "advertiser_id": "adv_01kayw5m8hfz2v6y0t3n7r9q4c", "campaign_id": "cmp_01kayw5m8hfz2v6y0t3n7r9q4c", "creative_id": null, "publisher_id": "pub_01kayw5m8hfz2v6y0t3n7r9q4c", "external_id": null, "name": "Blog, sidebar", "status": "active", "landing_url": null, "fallback_url": null, "deep_links": "refused", "consent": "ignore", "click_url": "https://track.example.com/c/3f9k2qd", "impression_url": "https://track.example.com/i/3f9k2qd", "created_at": "2026-11-22T10:00:00Z", "updated_at": "2026-11-22T10:00:00Z"})))]
pub struct LinkView {
    /// Its id.
    id: LinkId,
    /// Its advertiser.
    advertiser_id: AdvertiserId,
    /// Its campaign.
    campaign_id: CampaignId,
    /// Its creative.
    creative_id: Option<CreativeId>,
    /// The publisher that is credited.
    publisher_id: Option<PublisherId>,
    /// Your own id.
    external_id: Option<String>,
    /// A name for people.
    name: String,
    /// Whether it takes part.
    status: Status,
    /// Where clicks go; null: the campaign's landing page.
    landing_url: Option<String>,
    /// Where clicks go while it is out of use.
    fallback_url: Option<String>,
    /// Whether `url=` is followed.
    deep_links: DeepLinks,
    /// What it does about consent.
    consent: Consent,
    /// The URL to give to the publisher.
    click_url: String,
    /// The address of a picture of one pixel, to be shown where the link is shown.
    impression_url: String,
    /// When it was made.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
}

impl LinkView {
    fn new(row: Link, public_url: &str) -> Self {
        let code = link_name::code(LinkNumber(u32::try_from(row.number).unwrap_or_default()));
        Self {
            id: row.id,
            advertiser_id: row.advertiser_id,
            campaign_id: row.campaign_id,
            creative_id: row.creative_id,
            publisher_id: row.publisher_id,
            external_id: row.external_id,
            name: row.name,
            status: row.status,
            landing_url: row.landing_url,
            fallback_url: row.fallback_url,
            deep_links: row.deep_links,
            consent: row.consent,
            click_url: format!("{public_url}/c/{code}"),
            impression_url: format!("{public_url}/i/{code}"),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Which links.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListLinks {
    /// How many, 1 to 100; 25 by default.
    #[param(minimum = 1, maximum = 100, default = 25)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those with this status; without it, all that are not archived.
    #[param(value_type = Option<Status>)]
    status: Option<String>,
    /// Only those of this advertiser: its id, or `ext:` and your own.
    advertiser_id: Option<String>,
    /// Only those of this campaign: its id, or `ext:` and your own.
    campaign_id: Option<String>,
    /// Only those of this publisher: its id, or `ext:` and your own.
    publisher_id: Option<String>,
}

/// Creates a link.
#[utoipa::path(tag = "Links", request_body = CreateLink,
    responses((status = 201, description = "The new link.", body = LinkView)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "external_id_taken", "unsupported_media_type", "payload_too_large", "not_found"]))))]
#[post("/links")]
pub async fn create_link(
    caller: Caller,
    Body(body): Body<CreateLink>,
    state: web::Data<State>,
) -> Result<HttpResponse> {
    let mut fields = Fields::default();
    let campaign = fields.required("/campaign_id", body.campaign_id, read::reference::<CampaignId>);
    let name = fields.required("/name", body.name, read::name);
    let external_id = fields.optional("/external_id", body.external_id, read::external_id);
    let creative = fields.optional("/creative_id", body.creative_id, read::reference::<CreativeId>);
    let publisher = fields.optional("/publisher_id", body.publisher_id, read::reference::<PublisherId>);
    let landing_url = fields.optional("/landing_url", body.landing_url, read::landing_url);
    let fallback_url = fields.optional("/fallback_url", body.fallback_url, read::landing_url);
    let deep_links = body.deep_links.unwrap_or_else(|| DeepLinks::Refused.to_string());
    let deep_links =
        fields.optional("/deep_links", Some(deep_links), read::word(DeepLinks::ALL, DeepLinks::parse));
    let consent = body.consent.unwrap_or_else(|| Consent::Ignore.to_string());
    let consent = fields.optional("/consent", Some(consent), read::word(Consent::ALL, Consent::parse));
    let now = state.clock.now();
    let id: LinkId = state.clock.new_id();
    let (campaign, name, deep_links, consent) =
        fields.finish(|| Some((campaign?, name?, deep_links?, consent?)))?;
    let row = db_write!(&state.store, |queries, conn| {
        let campaign = named(queries::campaigns::find(conn, &caller.partner, &campaign)?, "/campaign_id")?;
        let (creative_id, publisher_id) = (
            match &creative {
                Some(name) => {
                    let found =
                        named(queries::creatives::find(conn, &caller.partner, name)?, "/creative_id")?;
                    Some(of_advertiser(found, campaign.advertiser_id)?)
                }
                None => None,
            },
            filter!(queries, conn, caller, publisher, publishers, "/publisher_id"),
        );
        let mut number = LinkNumber(u32::from_be_bytes(clock::random()));
        while !queries::links::claim_number(conn, &caller.partner, id, number)? {
            number = LinkNumber(u32::from_be_bytes(clock::random()));
        }
        let row = Link {
            partner_id: caller.partner.id(),
            id,
            number: number.0.into(),
            advertiser_id: campaign.advertiser_id,
            campaign_id: campaign.id,
            creative_id,
            publisher_id,
            external_id,
            name,
            status: Status::Active,
            landing_url,
            fallback_url,
            deep_links,
            created_at: now,
            updated_at: now,
            consent,
        };
        queries::links::insert(conn, &row).map(|()| row)
    })?;
    Ok(HttpResponse::Created().json(LinkView::new(row, &state.public_url)))
}

/// The creative, if it is the advertiser's whose campaign the link belongs to.
fn of_advertiser(creative: Creative, advertiser: AdvertiserId) -> Result<CreativeId> {
    if creative.advertiser_id == advertiser {
        return Ok(creative.id);
    }
    let error = FieldError::new("/creative_id", "belongs to another advertiser than the campaign");
    Err(Refusal::fields(Code::ValidationFailed, vec![error]).into())
}

/// Returns a link.
#[utoipa::path(tag = "Links", params(("id" = String, Path, description = "The link's id, or `ext:` and your own.")),
    responses((status = 200, description = "The link.", body = LinkView)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[get("/links/{id}")]
pub async fn get_link(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<LinkView>> {
    let id = named_in_path(&id)?;
    let row = db_read!(&state.store, |queries, conn| queries::links::get(conn, &caller.partner, &id))?;
    Ok(web::Json(LinkView::new(row, &state.public_url)))
}

/// Lists links, newest first.
#[utoipa::path(tag = "Links", params(ListLinks),
    responses((status = 200, description = "A page of links.", body = Page<LinkView>)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "cursor_invalid", "not_found"]))))]
#[get("/links")]
pub async fn list_links(
    caller: Caller,
    query: web::Query<ListLinks>,
    state: web::Data<State>,
) -> Result<web::Json<Page<LinkView>>> {
    let query = query.into_inner();
    let list = ListName::new(
        &state,
        &caller.partner,
        "links",
        &(&query.status, &query.advertiser_id, &query.campaign_id, &query.publisher_id),
    );
    let mut fields = Fields::default();
    let limit = fields.optional("limit", Some(query.limit), limit);
    let status = fields.optional("status", query.status, read::word(Status::ALL, Status::parse));
    let advertiser = fields.optional("advertiser_id", query.advertiser_id, read::reference::<AdvertiserId>);
    let campaign = fields.optional("campaign_id", query.campaign_id, read::reference::<CampaignId>);
    let publisher = fields.optional("publisher_id", query.publisher_id, read::reference::<PublisherId>);
    let limit = fields.finish(|| limit)?;
    let mut listing =
        Listing { after: list.read(query.cursor.as_deref())?, limit, status, ..Listing::default() };
    let rows = db_read!(&state.store, |queries, conn| {
        listing.advertiser_id = filter!(queries, conn, caller, advertiser, advertisers, "advertiser_id");
        listing.campaign_id = filter!(queries, conn, caller, campaign, campaigns, "campaign_id");
        listing.publisher_id = filter!(queries, conn, caller, publisher, publishers, "publisher_id");
        queries::links::list(conn, &caller.partner, &listing)
    })?;
    Ok(web::Json(list.page(rows, limit, |row| *row.id.bytes(), |row| LinkView::new(row, &state.public_url))))
}

/// Changes a link. What is left out stays as it is.
#[utoipa::path(tag = "Links", params(("id" = String, Path, description = "The link's id, or `ext:` and your own.")),
    request_body = UpdateLink,
    responses((status = 200, description = "The link as it is now.", body = LinkView)),
    extensions(("x-codes" = json!(["malformed", "not_found", "validation_failed", "external_id_taken", "unsupported_media_type", "payload_too_large"]))))]
#[patch("/links/{id}")]
pub async fn update_link(
    caller: Caller,
    id: web::Path<String>,
    Body(body): Body<UpdateLink>,
    state: web::Data<State>,
) -> Result<web::Json<LinkView>> {
    let id = named_in_path(&id)?;
    let mut fields = Fields::default();
    let creative = fields.change("/creative_id", body.creative_id, read::reference::<CreativeId>);
    let publisher = fields.change("/publisher_id", body.publisher_id, read::reference::<PublisherId>);
    let changes = LinkChanges {
        external_id: fields.change("/external_id", body.external_id, read::external_id),
        name: fields.optional("/name", body.name, read::name),
        status: fields.optional("/status", body.status, read::word(Status::ALL, Status::parse)),
        creative_id: creative.as_ref().map(|_| None),
        publisher_id: publisher.as_ref().map(|_| None),
        landing_url: fields.change("/landing_url", body.landing_url, read::landing_url),
        fallback_url: fields.change("/fallback_url", body.fallback_url, read::landing_url),
        deep_links: fields.optional(
            "/deep_links",
            body.deep_links,
            read::word(DeepLinks::ALL, DeepLinks::parse),
        ),
        consent: fields.optional("/consent", body.consent, read::word(Consent::ALL, Consent::parse)),
        updated_at: state.clock.now(),
    };
    let mut changes = fields.finish(|| Some(changes))?;
    let row = db_write!(&state.store, |queries, conn| {
        let found = queries::links::get(conn, &caller.partner, &id)?;
        if let Some(creative) = creative.flatten() {
            let creative =
                named(queries::creatives::find(conn, &caller.partner, &creative)?, "/creative_id")?;
            changes.creative_id = Some(Some(of_advertiser(creative, found.advertiser_id)?));
        }
        if let Some(publisher) = publisher.flatten() {
            let publisher =
                named(queries::publishers::find(conn, &caller.partner, &publisher)?, "/publisher_id")?;
            changes.publisher_id = Some(Some(publisher.id));
        }
        queries::links::update(conn, &caller.partner, found.id, &changes)
    })?;
    Ok(web::Json(LinkView::new(row, &state.public_url)))
}

/// Archives a link. It takes no part any more and leaves the lists; nothing is deleted. Set `status` to
/// bring it back.
#[utoipa::path(tag = "Links", params(("id" = String, Path, description = "The link's id, or `ext:` and your own.")),
    responses((status = 200, description = "The archived link.", body = LinkView)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[post("/links/{id}/archive")]
pub async fn archive_link(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<LinkView>> {
    let id = named_in_path(&id)?;
    let now = state.clock.now();
    let row =
        db_write!(&state.store, |queries, conn| queries::links::archive(conn, &caller.partner, &id, now))?;
    Ok(web::Json(LinkView::new(row, &state.public_url)))
}
