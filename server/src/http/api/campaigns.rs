//! Campaigns: what an advertiser advertises, with its landing page and its time.

use actix_web::{HttpResponse, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    campaign_targeting::{CampaignTargeting, read_targeting},
    named_in_path,
};
use crate::{
    db::{
        db_read, db_write,
        list::Listing,
        rows::setup::{Campaign, CampaignChanges},
        sql_types::Json,
    },
    domain::{
        ids::{AdvertiserId, CampaignId, Id},
        setup::Status,
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

/// A new campaign.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"advertiser_id": "adv_01kayw5m8hfz2v6y0t3n7r9q4c", "name": "Autumn sale", "landing_url": "https://shop.example/sale?click={click_id}"})))]
pub struct CreateCampaign {
    /// The advertiser: its id, or `ext:` and your own.
    #[schema(required, value_type = String)]
    advertiser_id: Option<String>,
    /// A name for people, 1 to 200 characters.
    #[schema(required, value_type = String)]
    name: Option<String>,
    /// Your own id, unique among your campaigns; use it as `ext:...` wherever its id is taken.
    external_id: Option<String>,
    /// Where clicks go: an http or https URL with macros such as `{click_id}` or `{sub1}`. Without a click-id macro the id is appended.
    #[schema(required, value_type = String)]
    landing_url: Option<String>,
    /// Where clicks go while the campaign is paused or over, when the link does not say it.
    fallback_url: Option<String>,
    /// When it starts; at once by default.
    #[schema(value_type = Option<Timestamp>)]
    starts_at: Option<String>,
    /// When it ends; never by default.
    #[schema(value_type = Option<Timestamp>)]
    ends_at: Option<String>,
    /// Most clicks of people in a day (UTC); those beyond it go to the fallback. No cap by default.
    #[schema(minimum = 1, maximum = 1000000000)]
    click_cap_daily: Option<i64>,
    /// Most clicks of people ever. No cap by default.
    #[schema(minimum = 1, maximum = 1000000000)]
    click_cap_total: Option<i64>,
    /// Whom it is for; everybody by default. Clicks of others go to the fallback.
    targeting: Option<CampaignTargeting>,
}

/// What to change about a campaign; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"ends_at": "2026-12-31T23:00:00Z"})))]
pub struct UpdateCampaign {
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
    /// Where clicks go.
    #[serde(default, deserialize_with = "not_null")]
    landing_url: Option<String>,
    /// Where clicks go while it is paused or over; null clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    fallback_url: Option<Option<String>>,
    /// When it starts; null: at once.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Timestamp>)]
    starts_at: Option<Option<String>>,
    /// When it ends; null: never.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Timestamp>)]
    ends_at: Option<Option<String>>,
    /// Most clicks of people in a day (UTC); null: no cap. What the day has had counts.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1000000000)]
    click_cap_daily: Option<Option<i64>>,
    /// Most clicks of people ever; null: no cap. All that are stored count.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1000000000)]
    click_cap_total: Option<Option<i64>>,
    /// Whom it is for: takes the place of all lists; null: everybody.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<CampaignTargeting>)]
    targeting: Option<Option<CampaignTargeting>>,
}

/// A campaign.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"id": "cmp_01kayw5m8hfz2v6y0t3n7r9q4c", "advertiser_id": "adv_01kayw5m8hfz2v6y0t3n7r9q4c", "external_id": null, "name": "Autumn sale", "status": "active", "landing_url": "https://shop.example/sale?click={click_id}", "fallback_url": null, "starts_at": null, "ends_at": null, "click_cap_daily": 500, "click_cap_total": null, "targeting": {"countries": ["DE"], "device_types": [], "operating_systems": [], "languages": []}, "created_at": "2026-11-22T10:00:00Z", "updated_at": "2026-11-22T10:00:00Z"})))]
pub struct CampaignView {
    /// Its id.
    id: CampaignId,
    /// Its advertiser.
    advertiser_id: AdvertiserId,
    /// Your own id.
    external_id: Option<String>,
    /// A name for people.
    name: String,
    /// Whether it takes part.
    status: Status,
    /// Where clicks go.
    landing_url: String,
    /// Where clicks go while it is paused or over.
    fallback_url: Option<String>,
    /// When it starts; null: at once.
    starts_at: Option<Timestamp>,
    /// When it ends; null: never.
    ends_at: Option<Timestamp>,
    /// Most clicks of people in a day (UTC); null: no cap.
    click_cap_daily: Option<i64>,
    /// Most clicks of people ever; null: no cap.
    click_cap_total: Option<i64>,
    /// Whom it is for.
    targeting: CampaignTargeting,
    /// When it was made.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
}

impl From<Campaign> for CampaignView {
    fn from(row: Campaign) -> Self {
        Self {
            id: row.id,
            advertiser_id: row.advertiser_id,
            external_id: row.external_id,
            name: row.name,
            status: row.status,
            landing_url: row.landing_url,
            fallback_url: row.fallback_url,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            click_cap_daily: row.click_cap_daily,
            click_cap_total: row.click_cap_total,
            targeting: CampaignTargeting::from(row.targeting.0),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Which campaigns.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListCampaigns {
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
}

/// Creates a campaign.
#[utoipa::path(tag = "Campaigns", request_body = CreateCampaign,
    responses((status = 201, description = "The new campaign.", body = CampaignView)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "external_id_taken", "unsupported_media_type", "payload_too_large", "not_found"]))))]
#[post("/campaigns")]
pub async fn create_campaign(
    caller: Caller,
    Body(body): Body<CreateCampaign>,
    state: web::Data<State>,
) -> Result<HttpResponse> {
    let mut fields = Fields::default();
    let advertiser = fields.required("/advertiser_id", body.advertiser_id, read::reference::<AdvertiserId>);
    let name = fields.required("/name", body.name, read::name);
    let external_id = fields.optional("/external_id", body.external_id, read::external_id);
    let landing_url = fields.required("/landing_url", body.landing_url, read::landing_url);
    let fallback_url = fields.optional("/fallback_url", body.fallback_url, read::landing_url);
    let starts_at = fields.optional("/starts_at", body.starts_at, read::time);
    let ends_at = fields.optional("/ends_at", body.ends_at, read::time);
    check_period(&mut fields, starts_at, ends_at);
    let click_cap_daily = fields.optional("/click_cap_daily", body.click_cap_daily, read::cap);
    let click_cap_total = fields.optional("/click_cap_total", body.click_cap_total, read::cap);
    let targeting = read_targeting(&mut fields, body.targeting.unwrap_or_default());
    let now = state.clock.now();
    let id = state.clock.new_id();
    let (advertiser, name, landing_url) = fields.finish(|| Some((advertiser?, name?, landing_url?)))?;
    let row = db_write!(&state.store, |queries, conn| {
        let advertiser =
            named(queries::advertisers::find(conn, &caller.partner, &advertiser)?, "/advertiser_id")?;
        let row = Campaign {
            partner_id: caller.partner.id(),
            id,
            advertiser_id: advertiser.id,
            external_id,
            name,
            status: Status::Active,
            landing_url,
            fallback_url,
            starts_at,
            ends_at,
            created_at: now,
            updated_at: now,
            click_cap_daily,
            click_cap_total,
            targeting: Json(targeting),
        };
        queries::campaigns::insert(conn, &row).map(|()| row)
    })?;
    Ok(HttpResponse::Created().json(CampaignView::from(row)))
}

fn check_period(fields: &mut Fields, starts_at: Option<Timestamp>, ends_at: Option<Timestamp>) {
    if starts_at.zip(ends_at).is_some_and(|(start, end)| end <= start) {
        fields.error("/ends_at", "must be after `starts_at`");
    }
}

/// Returns a campaign.
#[utoipa::path(tag = "Campaigns", params(("id" = String, Path, description = "The campaign's id, or `ext:` and your own.")),
    responses((status = 200, description = "The campaign.", body = CampaignView)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[get("/campaigns/{id}")]
pub async fn get_campaign(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<CampaignView>> {
    let id = named_in_path(&id)?;
    let row = db_read!(&state.store, |queries, conn| queries::campaigns::get(conn, &caller.partner, &id))?;
    Ok(web::Json(row.into()))
}

/// Lists campaigns, newest first.
#[utoipa::path(tag = "Campaigns", params(ListCampaigns),
    responses((status = 200, description = "A page of campaigns.", body = Page<CampaignView>)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "cursor_invalid", "not_found"]))))]
#[get("/campaigns")]
pub async fn list_campaigns(
    caller: Caller,
    query: web::Query<ListCampaigns>,
    state: web::Data<State>,
) -> Result<web::Json<Page<CampaignView>>> {
    let query = query.into_inner();
    let list = ListName::new(&state, &caller.partner, "campaigns", &(&query.status, &query.advertiser_id));
    let mut fields = Fields::default();
    let limit = fields.optional("limit", Some(query.limit), limit);
    let status = fields.optional("status", query.status, read::word(Status::ALL, Status::parse));
    let advertiser = fields.optional("advertiser_id", query.advertiser_id, read::reference::<AdvertiserId>);
    let limit = fields.finish(|| limit)?;
    let mut listing =
        Listing { after: list.read(query.cursor.as_deref())?, limit, status, ..Listing::default() };
    let rows = db_read!(&state.store, |queries, conn| {
        listing.advertiser_id = filter!(queries, conn, caller, advertiser, advertisers, "advertiser_id");
        queries::campaigns::list(conn, &caller.partner, &listing)
    })?;
    Ok(web::Json(list.page(rows, limit, |row| *row.id.bytes(), CampaignView::from)))
}

/// Changes a campaign. What is left out stays as it is.
#[utoipa::path(tag = "Campaigns", params(("id" = String, Path, description = "The campaign's id, or `ext:` and your own.")),
    request_body = UpdateCampaign,
    responses((status = 200, description = "The campaign as it is now.", body = CampaignView)),
    extensions(("x-codes" = json!(["malformed", "not_found", "validation_failed", "external_id_taken", "unsupported_media_type", "payload_too_large"]))))]
#[patch("/campaigns/{id}")]
pub async fn update_campaign(
    caller: Caller,
    id: web::Path<String>,
    Body(body): Body<UpdateCampaign>,
    state: web::Data<State>,
) -> Result<web::Json<CampaignView>> {
    let id = named_in_path(&id)?;
    let mut fields = Fields::default();
    let changes = CampaignChanges {
        external_id: fields.change("/external_id", body.external_id, read::external_id),
        name: fields.optional("/name", body.name, read::name),
        status: fields.optional("/status", body.status, read::word(Status::ALL, Status::parse)),
        landing_url: fields.optional("/landing_url", body.landing_url, read::landing_url),
        fallback_url: fields.change("/fallback_url", body.fallback_url, read::landing_url),
        starts_at: fields.change("/starts_at", body.starts_at, read::time),
        ends_at: fields.change("/ends_at", body.ends_at, read::time),
        click_cap_daily: fields.change("/click_cap_daily", body.click_cap_daily, read::cap),
        click_cap_total: fields.change("/click_cap_total", body.click_cap_total, read::cap),
        targeting: body
            .targeting
            .map(|targeting| Json(read_targeting(&mut fields, targeting.unwrap_or_default()))),
        updated_at: state.clock.now(),
    };
    let changes = fields.finish(|| Some(changes))?;
    let row = db_write!(&state.store, |queries, conn| {
        let found = queries::campaigns::get(conn, &caller.partner, &id)?;
        let (starts_at, ends_at) =
            (changes.starts_at.unwrap_or(found.starts_at), changes.ends_at.unwrap_or(found.ends_at));
        let mut fields = Fields::default();
        check_period(&mut fields, starts_at, ends_at);
        fields.finish(|| Some(()))?;
        if changes.click_cap_daily.is_some() || changes.click_cap_total.is_some() {
            queries::click_counts::forget(conn, &caller.partner, found.id)?;
        }
        queries::campaigns::update(conn, &caller.partner, found.id, &changes)
    })?;
    Ok(web::Json(row.into()))
}

/// Archives a campaign. It takes no part any more and leaves the lists; nothing is deleted. Set `status` to
/// bring it back.
#[utoipa::path(tag = "Campaigns", params(("id" = String, Path, description = "The campaign's id, or `ext:` and your own.")),
    responses((status = 200, description = "The archived campaign.", body = CampaignView)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[post("/campaigns/{id}/archive")]
pub async fn archive_campaign(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<CampaignView>> {
    let id = named_in_path(&id)?;
    let now = state.clock.now();
    let row = db_write!(&state.store, |queries, conn| queries::campaigns::archive(
        conn,
        &caller.partner,
        &id,
        now
    ))?;
    Ok(web::Json(row.into()))
}
