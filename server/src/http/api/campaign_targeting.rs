//! Whom a campaign is for, on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::targeting::{DeviceType, MOST_ENTRIES, OperatingSystem, Targeting, read_country, read_language},
    http::fields::{Fields, read},
};

/// Whom a campaign is for. An empty list is for everybody; what is not known of a visitor is on no list.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(examples(json!({"countries": ["DE", "AT", "CH"], "device_types": ["mobile", "tablet"], "operating_systems": [], "languages": ["de"]})))]
pub struct CampaignTargeting {
    /// Countries, ISO 3166-1 alpha-2.
    countries: Vec<String>,
    /// Kinds of devices.
    #[schema(value_type = Vec<DeviceType>)]
    device_types: Vec<String>,
    /// Operating systems.
    #[schema(value_type = Vec<OperatingSystem>)]
    operating_systems: Vec<String>,
    /// Language tags; `de` also stands for `de-ch`.
    languages: Vec<String>,
}

impl From<Targeting> for CampaignTargeting {
    fn from(targeting: Targeting) -> Self {
        Self {
            countries: targeting.countries,
            device_types: targeting.device_types.iter().map(ToString::to_string).collect(),
            operating_systems: targeting.operating_systems.iter().map(ToString::to_string).collect(),
            languages: targeting.languages,
        }
    }
}

/// Reads the lists; every entry that is wrong is noted.
pub fn read_targeting(fields: &mut Fields, wire: CampaignTargeting) -> Targeting {
    let device = |text: &str| read::word(DeviceType::ALL, DeviceType::parse)(text.to_owned());
    let system = |text: &str| read::word(OperatingSystem::ALL, OperatingSystem::parse)(text.to_owned());
    Targeting {
        countries: entries(fields, "countries", &wire.countries, read_country),
        device_types: entries(fields, "device_types", &wire.device_types, device),
        operating_systems: entries(fields, "operating_systems", &wire.operating_systems, system),
        languages: entries(fields, "languages", &wire.languages, read_language),
    }
}

fn entries<T>(
    fields: &mut Fields,
    name: &str,
    texts: &[String],
    read: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    if texts.len() > MOST_ENTRIES {
        let problem = format!("has {} entries; at most {MOST_ENTRIES} are taken", texts.len());
        fields.error(&format!("/targeting/{name}"), problem);
        return Vec::new();
    }
    let mut list = Vec::new();
    for (position, text) in texts.iter().enumerate() {
        list.extend(fields.optional(&format!("/targeting/{name}/{position}"), Some(text.as_str()), &read));
    }
    list
}
