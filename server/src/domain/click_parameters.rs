//! The parameters of a tracking link: one table of names and aliases. Anything else in the URL is inert.

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

use percent_encoding::percent_decode_str;

/// Longest value that is kept, in bytes; what is longer is cut and flagged.
pub const LONGEST_VALUE_BYTES: usize = 500;

/// What is kept with a click, by canonical name, with the other names it is read from.
const PARAMETERS: &[(&str, &[&str])] = &[
    ("sub1", &["aff_sub", "aff_sub1", "s1"]),
    ("sub2", &["aff_sub2", "s2"]),
    ("sub3", &["aff_sub3", "s3"]),
    ("sub4", &["aff_sub4", "s4"]),
    ("sub5", &["aff_sub5", "s5"]),
    ("sub6", &["aff_sub6", "s6"]),
    ("sub7", &["aff_sub7", "s7"]),
    ("sub8", &["aff_sub8", "s8"]),
    ("sub9", &["aff_sub9", "s9"]),
    ("sub10", &["aff_sub10", "s10"]),
    ("source_id", &[]),
    ("publisher_id", &["partner_id", "aff_id", "pid"]),
    ("creative_id", &[]),
    ("site", &[]),
    ("ext_click_id", &["aff_click_id"]),
    ("cost", &[]),
    ("idfa", &["ios_ifa"]),
    ("gaid", &["google_aid"]),
    ("gclid", &[]),
    ("gbraid", &[]),
    ("wbraid", &[]),
    ("fbclid", &[]),
    ("ttclid", &[]),
    ("msclkid", &[]),
    ("gdpr", &[]),
    ("gdpr_consent", &[]),
    ("gpp", &[]),
    ("gpp_sid", &[]),
];

/// The canonical name of a sub id, 1 to 10.
pub fn sub(number: u8) -> &'static str {
    PARAMETERS.get(usize::from(number).wrapping_sub(1)).map_or("", |(name, _)| name)
}

/// What a click's URL says.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ClickParameters {
    /// A few, so that looking through them is quickest.
    values: Vec<(&'static str, String)>,
    /// The deep link that is asked for, uncut.
    pub url: Option<String>,
    /// True when only a preview is asked for.
    pub preview: bool,
    /// Names of values that were cut.
    pub cut: Vec<&'static str>,
}

impl ClickParameters {
    /// Reads a query. It never fails: a visitor is not to blame for the URL. The first of several values counts,
    /// bytes that are not UTF-8 are replaced, control characters are dropped; but for a deep link's, which is refused for
    /// them.
    pub fn parse(query: &str) -> Self {
        let mut parameters = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            parameters.add(name, || decode(value));
        }
        parameters
    }

    /// Reads names and values that are not encoded. Each name has to mean something.
    ///
    /// # Errors
    /// The names that mean nothing.
    pub fn from_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, Vec<&'a str>> {
        let (mut parameters, mut unknown) = (Self::default(), Vec::new());
        for (name, value) in pairs {
            if name == "url" || canonical(name).is_some() {
                parameters.add(name, || value.to_owned());
            } else {
                unknown.push(name);
            }
        }
        if unknown.is_empty() { Ok(parameters) } else { Err(unknown) }
    }

    fn add(&mut self, name: &str, value: impl FnOnce() -> String) {
        match name {
            "url" if self.url.is_none() => self.url = Some(value()).filter(|value| !value.is_empty()),
            "preview" => self.preview |= value() == "1",
            _ => {
                if let Some(name) = canonical(name) {
                    self.keep(name, without_controls(value()));
                }
            }
        }
    }

    fn keep(&mut self, name: &'static str, mut value: String) {
        if value.is_empty() || self.get(name).is_some() {
            return;
        }
        if value.len() > LONGEST_VALUE_BYTES {
            value.truncate(value.floor_char_boundary(LONGEST_VALUE_BYTES));
            self.cut.push(name);
        }
        self.values.push((name, value));
    }

    /// The value under a canonical name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Takes a value that is kept elsewhere.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let place = self.values.iter().position(|(known, _)| *known == name)?;
        Some(self.values.swap_remove(place).1)
    }

    /// Puts back what was taken.
    pub fn put_back(&mut self, name: &'static str, value: String) {
        self.values.push((name, value));
    }

    /// Every value with its canonical name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

fn decode(text: &str) -> String {
    if text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'+' | b'%')) {
        return text.to_owned();
    }
    let spaced = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

fn without_controls(mut text: String) -> String {
    // All bytes are looked at, whatever the first ones are: many at once.
    if text.bytes().fold(false, |so_far, byte| so_far | !matches!(byte, b' '..=b'~')) {
        text.retain(|c| !c.is_control());
    }
    text
}

/// The canonical name of each name that means something.
static NAMES: LazyLock<HashMap<&str, &str, foldhash::fast::RandomState>> = LazyLock::new(|| {
    let names = |(name, aliases): &(&'static str, &'static [&'static str])| {
        let (name, aliases) = (*name, *aliases);
        aliases.iter().copied().chain([name]).map(move |written| (written, name))
    };
    PARAMETERS.iter().flat_map(names).collect()
});

fn canonical(name: &str) -> Option<&'static str> {
    NAMES.get(name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sub_id_has_its_name() {
        assert_eq!(
            (1..=10).map(sub).collect::<Vec<_>>().join(" "),
            (1..=10).map(|n| format!("sub{n}")).collect::<Vec<_>>().join(" ")
        );
    }

    #[test]
    fn every_alias_is_read_under_its_name() {
        for (name, aliases) in PARAMETERS {
            for written in aliases.iter().chain([name]) {
                let parameters = ClickParameters::parse(&format!("{written}=x"));
                assert_eq!(parameters.get(name), Some("x"), "{written}");
            }
        }
    }

    #[test]
    fn pairs_are_read_like_a_query_and_unknown_names_are_told() {
        let query = ClickParameters::parse("s1=a&url=https%3A%2F%2Fx.test&cost=1");
        let pairs = [("s1", "a"), ("url", "https://x.test"), ("cost", "1\n")];
        assert_eq!(ClickParameters::from_pairs(pairs.into_iter()), Ok(query));
        assert_eq!(ClickParameters::from_pairs([("a", ""), ("sub1", "")].into_iter()), Err(vec!["a"]));
    }

    #[test]
    fn only_1_asks_for_a_preview() {
        assert!(ClickParameters::parse("sub1=x&preview=1").preview);
        assert!(
            ["preview=0", "preview=", "preview", "preview=true"]
                .iter()
                .all(|q| !ClickParameters::parse(q).preview)
        );
    }

    #[test]
    fn hostile_values_are_tamed() {
        let long = "ä".repeat(300);
        let query =
            format!("sub1=a%0d%0aSet-Cookie:%20b&sub2={long}&sub3=%ff&sub1=second&foo=bar&sub4=%00&sub5");
        let parameters = ClickParameters::parse(&query);
        assert_eq!(parameters.get("sub1"), Some("aSet-Cookie: b"));
        assert_eq!(parameters.get("sub2").map(str::len), Some(500));
        assert_eq!(parameters.cut, ["sub2"]);
        assert_eq!(parameters.get("sub3"), Some("\u{fffd}"));
        assert_eq!(parameters.iter().count(), 3);
        let url = ClickParameters::parse("url=ht%09tps://x.test/%0d%0a").url;
        assert_eq!(url.as_deref(), Some("ht\ttps://x.test/\r\n"), "to be refused, not mended");
    }
}
