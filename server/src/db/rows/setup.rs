//! What a partner sets up: advertisers, publishers, campaigns, creatives, links and goals.
#![expect(missing_docs, reason = "the migrations and the API reference say what the columns hold")]

use diesel::prelude::*;

use crate::{
    db::{rows::accounts::Partner, schema, scope::PartnerScope, sql_types::Json},
    domain::{
        consent::Consent,
        conversion::MatchMode,
        currency::Currency,
        goal::{Counting, DefaultStatus, GoalRules, HoldEnd, MoneyKind, MoneyRule},
        goal_caps::GoalCaps,
        ids::*,
        money::Micros,
        overrides::Override,
        rate::Rate,
        setup::{DeepLinks, Status},
        signing::{SigningMode, StaticToken},
        targeting::Targeting,
        time::Timestamp,
    },
};

/// A company whose conversions are tracked.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = schema::advertisers, treat_none_as_default_value = false)]
pub struct Advertiser {
    pub partner_id: PartnerId,
    pub id: AdvertiserId,
    pub external_id: Option<String>,
    pub name: String,
    pub status: Status,
    pub click_id_parameter: String,
    pub deep_link_hosts: Json<Vec<String>>,
    pub fallback_url: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub currency: Option<Currency>,
    pub publisher_ids: Option<Json<Vec<PublisherId>>>,
    pub blocked_publisher_ids: Json<Vec<PublisherId>>,
    pub signing: SigningMode,
    pub static_token: StaticToken,
}

/// What an update changes; `None` leaves a column as it is.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = schema::advertisers)]
pub struct AdvertiserChanges {
    pub external_id: Option<Option<String>>,
    pub name: Option<String>,
    pub status: Option<Status>,
    pub click_id_parameter: Option<String>,
    pub deep_link_hosts: Option<Json<Vec<String>>>,
    pub fallback_url: Option<Option<String>>,
    pub currency: Option<Option<Currency>>,
    pub publisher_ids: Option<Option<Json<Vec<PublisherId>>>>,
    pub blocked_publisher_ids: Option<Json<Vec<PublisherId>>>,
    pub updated_at: Timestamp,
    pub signing: Option<SigningMode>,
    pub static_token: Option<StaticToken>,
}

/// Who sends the traffic.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = schema::publishers, treat_none_as_default_value = false)]
pub struct Publisher {
    pub partner_id: PartnerId,
    pub id: PublisherId,
    pub external_id: Option<String>,
    pub name: String,
    pub status: Status,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What an update changes; `None` leaves a column as it is.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = schema::publishers)]
pub struct PublisherChanges {
    pub external_id: Option<Option<String>>,
    pub name: Option<String>,
    pub status: Option<Status>,
    pub updated_at: Timestamp,
}

/// A campaign of one advertiser.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = schema::campaigns, treat_none_as_default_value = false)]
pub struct Campaign {
    pub partner_id: PartnerId,
    pub id: CampaignId,
    pub advertiser_id: AdvertiserId,
    pub external_id: Option<String>,
    pub name: String,
    pub status: Status,
    pub landing_url: String,
    pub fallback_url: Option<String>,
    pub starts_at: Option<Timestamp>,
    pub ends_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub click_cap_daily: Option<i64>,
    pub click_cap_total: Option<i64>,
    pub targeting: Json<Targeting>,
}

/// What an update changes; `None` leaves a column as it is.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = schema::campaigns)]
pub struct CampaignChanges {
    pub external_id: Option<Option<String>>,
    pub name: Option<String>,
    pub status: Option<Status>,
    pub landing_url: Option<String>,
    pub fallback_url: Option<Option<String>>,
    pub starts_at: Option<Option<Timestamp>>,
    pub ends_at: Option<Option<Timestamp>>,
    pub click_cap_daily: Option<Option<i64>>,
    pub click_cap_total: Option<Option<i64>>,
    pub targeting: Option<Json<Targeting>>,
    pub updated_at: Timestamp,
}

/// A banner, text or video of one advertiser.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = schema::creatives, treat_none_as_default_value = false)]
pub struct Creative {
    pub partner_id: PartnerId,
    pub id: CreativeId,
    pub advertiser_id: AdvertiserId,
    pub external_id: Option<String>,
    pub name: String,
    pub status: Status,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What an update changes; `None` leaves a column as it is.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = schema::creatives)]
pub struct CreativeChanges {
    pub external_id: Option<Option<String>>,
    pub name: Option<String>,
    pub status: Option<Status>,
    pub updated_at: Timestamp,
}

/// A tracking link.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = schema::links, treat_none_as_default_value = false)]
pub struct Link {
    pub partner_id: PartnerId,
    pub id: LinkId,
    pub number: i64,
    pub advertiser_id: AdvertiserId,
    pub campaign_id: CampaignId,
    pub creative_id: Option<CreativeId>,
    pub publisher_id: Option<PublisherId>,
    pub external_id: Option<String>,
    pub name: String,
    pub status: Status,
    pub landing_url: Option<String>,
    pub fallback_url: Option<String>,
    pub deep_links: DeepLinks,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub consent: Consent,
}

/// What an update changes; `None` leaves a column as it is.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = schema::links)]
pub struct LinkChanges {
    pub creative_id: Option<Option<CreativeId>>,
    pub publisher_id: Option<Option<PublisherId>>,
    pub external_id: Option<Option<String>>,
    pub name: Option<String>,
    pub status: Option<Status>,
    pub landing_url: Option<Option<String>>,
    pub fallback_url: Option<Option<String>>,
    pub deep_links: Option<DeepLinks>,
    pub consent: Option<Consent>,
    pub updated_at: Timestamp,
}

/// A conversion goal.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = schema::goals, treat_none_as_default_value = false)]
pub struct Goal {
    pub partner_id: PartnerId,
    pub id: GoalId,
    pub advertiser_id: Option<AdvertiserId>,
    pub external_id: Option<String>,
    pub event_name: String,
    pub name: String,
    pub status: Status,
    pub counting: Counting,
    pub default_status: DefaultStatus,
    pub payout_kind: MoneyKind,
    pub payout_micros: Micros,
    pub revenue_kind: MoneyKind,
    pub revenue_micros: Micros,
    pub currency: Option<Currency>,
    pub click_window_seconds: i64,
    pub reporting_delay_seconds: i64,
    pub hold_seconds: i64,
    pub hold_end: HoldEnd,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub view_window_seconds: i64,
    pub modes: Json<Vec<MatchMode>>,
    pub campaign_ids: Json<Vec<CampaignId>>,
    pub overrides: Json<Vec<Override>>,
    pub caps: Json<GoalCaps>,
    pub rebill_window_seconds: i64,
    pub max_rebills: Option<i64>,
    pub minimum_click_to_conversion_seconds: i64,
}

impl Goal {
    /// The rules that decide about reports.
    pub fn rules(&self) -> GoalRules {
        GoalRules {
            id: self.id,
            advertiser_id: self.advertiser_id,
            event_name: self.event_name.clone(),
            status: self.status,
            counting: self.counting,
            default_status: self.default_status,
            payout: MoneyRule::from_stored(self.payout_kind, self.payout_micros),
            revenue: MoneyRule::from_stored(self.revenue_kind, self.revenue_micros),
            currency: self.currency,
            click_window_seconds: self.click_window_seconds,
            view_window_seconds: self.view_window_seconds,
            reporting_delay_seconds: self.reporting_delay_seconds,
            hold_seconds: self.hold_seconds,
            hold_end: self.hold_end,
            modes: self.modes.0.clone(),
            campaign_ids: self.campaign_ids.0.clone(),
            overrides: self.overrides.0.clone(),
            caps: self.caps.0.some(),
            rebill_window_seconds: self.rebill_window_seconds,
            max_rebills: self.max_rebills,
            minimum_click_to_conversion_seconds: self.minimum_click_to_conversion_seconds,
        }
    }
}

/// What an update changes; `None` leaves a column as it is.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = schema::goals)]
pub struct GoalChanges {
    pub external_id: Option<Option<String>>,
    pub event_name: Option<String>,
    pub name: Option<String>,
    pub status: Option<Status>,
    pub counting: Option<Counting>,
    pub default_status: Option<DefaultStatus>,
    pub payout_kind: Option<MoneyKind>,
    pub payout_micros: Option<Micros>,
    pub revenue_kind: Option<MoneyKind>,
    pub revenue_micros: Option<Micros>,
    pub currency: Option<Option<Currency>>,
    pub click_window_seconds: Option<i64>,
    pub view_window_seconds: Option<i64>,
    pub reporting_delay_seconds: Option<i64>,
    pub hold_seconds: Option<i64>,
    pub hold_end: Option<HoldEnd>,
    pub modes: Option<Json<Vec<MatchMode>>>,
    pub campaign_ids: Option<Json<Vec<CampaignId>>>,
    pub overrides: Option<Json<Vec<Override>>>,
    pub caps: Option<Json<GoalCaps>>,
    pub rebill_window_seconds: Option<i64>,
    pub max_rebills: Option<Option<i64>>,
    pub minimum_click_to_conversion_seconds: Option<i64>,
    pub updated_at: Timestamp,
}

/// What one unit of a currency is worth in another, from the start of a day on.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = schema::currency_rates)]
pub struct CurrencyRate {
    pub partner_id: PartnerId,
    pub base: Currency,
    pub quote: Currency,
    pub day: Timestamp,
    pub rate: Rate,
    pub updated_at: Timestamp,
}

/// Everything a click needs to know about its link.
#[derive(Clone, Debug)]
pub struct Route {
    pub scope: PartnerScope,
    pub partner: Partner,
    pub link: Link,
    pub campaign: Campaign,
    pub advertiser: Advertiser,
    /// The status of the link's publisher, if it has one.
    pub publisher_status: Option<Status>,
}
