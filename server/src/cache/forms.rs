//! How what is known is written down. Rows stay without serialisation of their own: the forms below mirror them, and
//! the compiler says when one has a field that the other lacks. What another version wrote and this one cannot read
//! is not used; it is a help, and not the truth.

use serde::{Deserialize, Serialize};

use super::{DatedRates, KnownAdvertiser};
use crate::{
    db::{
        rows::{
            accounts::{ApiKey, Partner, SigningKey},
            setup::{Advertiser, Campaign, Link, Route},
        },
        scope::PartnerScope,
        sql_types::Json,
    },
    domain::{
        advertiser_rules::AdvertiserRules,
        consent::Consent,
        conversion::MatchMode,
        currency::Currency,
        goal::{Counting, DefaultStatus, GoalRules, HoldEnd, MoneyRule},
        goal_caps::GoalCaps,
        ids::*,
        overrides::Override,
        setup::{DeepLinks, Status},
        signing::{KeyKind, SigningMode, StaticToken},
        targeting::Targeting,
        time::Timestamp,
        visitor::IpStorage,
    },
};

/// Everything that is known.
#[derive(Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) routes: Vec<LinkRoute>,
    pub(super) keys: Vec<Key>,
    pub(super) api_keys: Vec<RestKey>,
    pub(super) rules: Vec<(PartnerId, AdvertiserId, Rules)>,
    pub(super) rates: Vec<(PartnerId, (Currency, Currency), DatedRates)>,
    pub(super) advertisers: Vec<(PartnerId, Reference<AdvertiserId>, KnownAdvertiser)>,
    pub(super) links: Vec<(PartnerId, Reference<LinkId>, LinkId)>,
    pub(super) publishers: Vec<(PartnerId, Reference<PublisherId>, (PublisherId, Status))>,
    pub(super) creatives: Vec<(PartnerId, Reference<CreativeId>, (CreativeId, AdvertiserId))>,
    pub(super) some_advertisers: Vec<(PartnerId, Vec<AdvertiserId>)>,
}

/// A link.
#[derive(Serialize, Deserialize)]
pub(super) struct LinkRoute(#[serde(with = "RouteForm")] pub(super) Route);

/// A signing key, with its secret sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct Key(#[serde(with = "SigningKeyForm")] pub(super) SigningKey);

/// A key of the REST API: of its secret there is only the hash.
#[derive(Serialize, Deserialize)]
pub(super) struct RestKey(#[serde(with = "ApiKeyForm")] pub(super) ApiKey);

/// A goal.
#[derive(Serialize, Deserialize)]
struct Goal(#[serde(with = "GoalForm")] GoalRules);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Route")]
struct RouteForm {
    #[serde(with = "owner")]
    scope: PartnerScope,
    #[serde(with = "PartnerForm")]
    partner: Partner,
    #[serde(with = "LinkForm")]
    link: Link,
    #[serde(with = "CampaignForm")]
    campaign: Campaign,
    #[serde(with = "AdvertiserForm")]
    advertiser: Advertiser,
    publisher_status: Option<Status>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Partner")]
struct PartnerForm {
    id: PartnerId,
    name: String,
    ip_storage: IpStorage,
    created_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Link")]
struct LinkForm {
    partner_id: PartnerId,
    id: LinkId,
    number: i64,
    advertiser_id: AdvertiserId,
    campaign_id: CampaignId,
    creative_id: Option<CreativeId>,
    publisher_id: Option<PublisherId>,
    external_id: Option<String>,
    name: String,
    status: Status,
    landing_url: Option<String>,
    fallback_url: Option<String>,
    deep_links: DeepLinks,
    created_at: Timestamp,
    updated_at: Timestamp,
    consent: Consent,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Campaign")]
struct CampaignForm {
    partner_id: PartnerId,
    id: CampaignId,
    advertiser_id: AdvertiserId,
    external_id: Option<String>,
    name: String,
    status: Status,
    landing_url: String,
    fallback_url: Option<String>,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    click_cap_daily: Option<i64>,
    click_cap_total: Option<i64>,
    targeting: Json<Targeting>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Advertiser")]
struct AdvertiserForm {
    partner_id: PartnerId,
    id: AdvertiserId,
    external_id: Option<String>,
    name: String,
    status: Status,
    click_id_parameter: String,
    deep_link_hosts: Json<Vec<String>>,
    fallback_url: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    signing: SigningMode,
    static_token: StaticToken,
    currency: Option<Currency>,
    publisher_ids: Option<Json<Vec<PublisherId>>>,
    blocked_publisher_ids: Json<Vec<PublisherId>>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SigningKey")]
struct SigningKeyForm {
    partner_id: PartnerId,
    id: KeyId,
    name: String,
    secret_sealed: Vec<u8>,
    scopes: Json<Vec<String>>,
    advertiser_ids: Json<Vec<AdvertiserId>>,
    created_at: Timestamp,
    revoked_at: Option<Timestamp>,
    kind: KeyKind,
    token_hash: Option<Vec<u8>>,
    test: bool,
    allowed_ips: Json<Vec<String>>,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ApiKey")]
struct ApiKeyForm {
    partner_id: PartnerId,
    id: ApiKeyId,
    name: String,
    secret_hash: Vec<u8>,
    created_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "GoalRules")]
struct GoalForm {
    id: GoalId,
    advertiser_id: Option<AdvertiserId>,
    event_name: String,
    status: Status,
    counting: Counting,
    default_status: DefaultStatus,
    payout: MoneyRule,
    revenue: MoneyRule,
    currency: Option<Currency>,
    click_window_seconds: i64,
    view_window_seconds: i64,
    reporting_delay_seconds: i64,
    hold_seconds: i64,
    hold_end: HoldEnd,
    modes: Vec<MatchMode>,
    campaign_ids: Vec<CampaignId>,
    overrides: Vec<Override>,
    caps: Option<GoalCaps>,
    rebill_window_seconds: i64,
    max_rebills: Option<i64>,
    minimum_click_to_conversion_seconds: i64,
}

/// What an advertiser's set-up says about reports.
#[derive(Serialize, Deserialize)]
pub(super) struct Rules(#[serde(with = "RulesForm")] pub(super) AdvertiserRules);

#[derive(Serialize, Deserialize)]
#[serde(remote = "AdvertiserRules")]
struct RulesForm {
    signing: SigningMode,
    #[serde(with = "goals")]
    goals: Vec<GoalRules>,
    currency: Option<Currency>,
    publishers: Option<Vec<PublisherId>>,
    blocked_publishers: Vec<PublisherId>,
}

mod goals {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Goal;
    use crate::domain::goal::GoalRules;

    pub(super) fn serialize<S: Serializer>(goals: &[GoalRules], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(goals.iter().cloned().map(Goal))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<GoalRules>, D::Error> {
        let goals: Vec<Goal> = Deserialize::deserialize(deserializer)?;
        Ok(goals.into_iter().map(|Goal(rules)| rules).collect())
    }
}

/// A scope is written as its partner. It was established when the row was read; what is read here was sealed by us.
pub(super) mod owner {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::{db::scope::PartnerScope, domain::ids::PartnerId};

    pub(super) fn serialize<S: Serializer>(scope: &PartnerScope, serializer: S) -> Result<S::Ok, S::Error> {
        scope.id().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PartnerScope, D::Error> {
        PartnerId::deserialize(deserializer).map(PartnerScope::established)
    }

    /// The scope of a key that was written down.
    pub(in crate::cache) fn of(partner: PartnerId) -> PartnerScope {
        PartnerScope::established(partner)
    }
}
