//! How what is known is written down. Rows stay without serialisation of their own: the forms below mirror them, and
//! the compiler says when one has a field that the other lacks. What another version wrote and this one cannot read
//! is not used; it is a help, and not the truth.

use serde::{Deserialize, Serialize};

use super::KnownAdvertiser;
use crate::{
    db::{
        rows::{
            accounts::{Partner, SigningKey},
            setup::{Advertiser, Campaign, Link, Route},
        },
        scope::PartnerScope,
        sql_types::Json,
    },
    domain::{
        consent::Consent,
        currency::Currency,
        goal::{Counting, DefaultStatus, GoalRules, HoldEnd, MoneyRule},
        ids::*,
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
    pub(super) routes: Vec<NamedRoute>,
    pub(super) keys: Vec<Key>,
    pub(super) goals: Vec<(PartnerId, AdvertiserId, Vec<Goal>)>,
    pub(super) advertisers: Vec<(PartnerId, Reference<AdvertiserId>, KnownAdvertiser)>,
    pub(super) publishers: Vec<(PartnerId, Reference<PublisherId>, PublisherId)>,
    pub(super) creatives: Vec<(PartnerId, Reference<CreativeId>, (CreativeId, AdvertiserId))>,
    pub(super) some_advertisers: Vec<(PartnerId, Vec<AdvertiserId>)>,
}

/// A link, under a name that a tracking URL gives it.
#[derive(Serialize, Deserialize)]
pub(super) struct NamedRoute {
    pub(super) name: String,
    #[serde(with = "RouteForm")]
    pub(super) route: Route,
}

/// A signing key, with its secret sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct Key(#[serde(with = "SigningKeyForm")] pub(super) SigningKey);

/// A goal.
#[derive(Serialize, Deserialize)]
pub(super) struct Goal(#[serde(with = "GoalForm")] pub(super) GoalRules);

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
#[serde(remote = "GoalRules")]
struct GoalForm {
    id: GoalId,
    advertiser_id: Option<AdvertiserId>,
    event_name: String,
    status: Status,
    counting: Counting,
    default_status: DefaultStatus,
    #[serde(with = "money_rule")]
    payout: MoneyRule,
    #[serde(with = "money_rule")]
    revenue: MoneyRule,
    currency: Option<Currency>,
    click_window_seconds: i64,
    view_window_seconds: i64,
    reporting_delay_seconds: i64,
    hold_seconds: i64,
    hold_end: HoldEnd,
}

/// As the database stores it: a kind and a number.
mod money_rule {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::domain::goal::MoneyRule;

    pub(super) fn serialize<S: Serializer>(rule: &MoneyRule, serializer: S) -> Result<S::Ok, S::Error> {
        (rule.kind(), rule.micros()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MoneyRule, D::Error> {
        Deserialize::deserialize(deserializer).map(|(kind, number)| MoneyRule::from_stored(kind, number))
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
