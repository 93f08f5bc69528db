//! What is kept of a visit beside whose it is and what it counts as. Nothing is decided by it later, so that it is stored
//! as one document.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that may be missing: borrowed where it is written, owned where it was read.
pub type Detail<'a> = Option<Cow<'a, str>>;

/// What is kept. What is missing takes no room.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Details<'a> {
    /// What is noteworthy, such as `deep_link_refused`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Cow<'a, str>>,
    /// Where the publisher showed the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Detail<'a>,
    /// The traffic source within the publisher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_id: Detail<'a>,
    /// The publisher's own click id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ext_click_id: Detail<'a>,
    /// What else the URL said.
    #[serde(skip_serializing_if = "Pairs::is_empty")]
    pub parameters: Pairs<'a>,
    /// The visitor's address, as far as the partner keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Detail<'a>,
    /// The region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Detail<'a>,
    /// The provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isp: Detail<'a>,
    /// The browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub browser: Detail<'a>,
    /// The operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Detail<'a>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os_version: Detail<'a>,
    /// The kind of device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_type: Detail<'a>,
    /// The visitor's first language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Detail<'a>,
    /// The host that the visitor came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrer_host: Detail<'a>,
}

/// Values by name, each name once.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Pairs<'a>(pub Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl Pairs<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Pairs<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(|values| Self(values.into_iter().collect()))
    }
}
