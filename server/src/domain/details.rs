//! What is kept of a visit beside whose it is and what it counts as. Nothing is decided by it later, so that it is stored
//! as one document.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What holds most of them.
const MOST_USUAL_BYTES: usize = 384;

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

impl Details<'_> {
    /// The document that they are stored as: what `serde` makes of them, but that it is written for each visit, and so
    /// without looking at each of its characters alone.
    pub fn to_json(&self) -> String {
        let mut json = Object::with_capacity(MOST_USUAL_BYTES);
        if !self.flags.is_empty() {
            json.name("flags");
            json.list(&self.flags);
        }
        json.member("site", &self.site);
        json.member("source_id", &self.source_id);
        json.member("ext_click_id", &self.ext_click_id);
        if !self.parameters.is_empty() {
            json.name("parameters");
            json.object(&self.parameters.0);
        }
        json.member("ip", &self.ip);
        json.member("region", &self.region);
        json.member("isp", &self.isp);
        json.member("browser", &self.browser);
        json.member("os", &self.os);
        json.member("os_version", &self.os_version);
        json.member("device_type", &self.device_type);
        json.member("language", &self.language);
        json.member("referrer_host", &self.referrer_host);
        json.end()
    }
}

/// A JSON object as it is written.
struct Object(String);

impl Object {
    fn with_capacity(bytes: usize) -> Self {
        let mut text = String::with_capacity(bytes);
        text.push('{');
        Self(text)
    }

    /// Begins a member. Its name needs no escaping.
    fn name(&mut self, name: &str) {
        self.separate('{');
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    fn member(&mut self, name: &str, value: &Detail<'_>) {
        if let Some(value) = value {
            self.name(name);
            self.text(value);
        }
    }

    fn list(&mut self, items: &[Cow<'_, str>]) {
        self.0.push('[');
        for item in items {
            self.separate('[');
            self.text(item);
        }
        self.0.push(']');
    }

    fn object(&mut self, members: &[(Cow<'_, str>, Cow<'_, str>)]) {
        self.0.push('{');
        for (name, value) in members {
            self.separate('{');
            self.text(name);
            self.0.push(':');
            self.text(value);
        }
        self.0.push('}');
    }

    fn separate(&mut self, opening: char) {
        if !self.0.ends_with(opening) {
            self.0.push(',');
        }
    }

    fn text(&mut self, text: &str) {
        // All bytes are looked at, whatever the first ones are: many at once.
        let is_plain = |byte: u8| (byte >= b' ') & (byte != b'"') & (byte != b'\\');
        if text.bytes().fold(true, |so_far, byte| so_far & is_plain(byte)) {
            self.0.push('"');
            self.0.push_str(text);
            self.0.push('"');
        } else {
            self.0.push_str(&serde_json::Value::from(text).to_string());
        }
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some(text: &str) -> Detail<'_> {
        Some(Cow::from(text))
    }

    /// Details that have the texts where the mask has a bit.
    fn details<'a>(mask: u16, text: &'a str, other: &'a str) -> Details<'a> {
        let at = |bit: u16| some(text).filter(|_| mask >> bit & 1 == 1);
        let many = usize::from(mask >> 14);
        Details {
            flags: vec![text.into(); many],
            site: at(0),
            source_id: at(1),
            ext_click_id: at(2),
            parameters: Pairs(
                vec![("sub1".into(), other.into()), (text.into(), other.into())][..many.min(2)].to_vec(),
            ),
            ip: at(3),
            region: at(4),
            isp: at(5),
            browser: at(6),
            os: at(7),
            os_version: at(8),
            device_type: at(9),
            language: at(10),
            referrer_host: at(11),
        }
    }

    #[test]
    fn nothing_takes_no_room() {
        assert_eq!(Details::default().to_json(), "{}");
    }

    proptest! {
        #[test]
        fn the_document_is_what_serde_makes_of_them(mask in any::<u16>(), text in any::<String>(), other in "[ -~]{0,40}") {
            for text in [text.as_str(), "{", "[", "\u{0}\"\\"] {
                let details = details(mask, text, &other);
                prop_assert_eq!(details.to_json(), serde_json::to_string(&details).unwrap());
            }
        }
    }
}
