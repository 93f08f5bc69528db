//! Whom a campaign is for: countries, devices, operating systems, languages. What is not known of a visitor is not
//! on any list.

use serde::{Deserialize, Serialize};

use super::words::words;

/// Most entries of one list.
pub const MOST_ENTRIES: usize = 300;

words! {
    /// A kind of device.
    DeviceType {
        /// A computer with a large screen.
        Desktop = "desktop",
        /// A phone.
        Mobile = "mobile",
        /// A tablet.
        Tablet = "tablet",
        /// A television or what is plugged into one.
        Tv = "tv",
        /// Anything else that names itself.
        Other = "other",
    }
}

words! {
    /// An operating system, whatever its version.
    OperatingSystem {
        /// Windows on computers.
        Windows = "windows",
        /// macOS.
        Macos = "macos",
        /// Linux but for Android and ChromeOS.
        Linux = "linux",
        /// Android.
        Android = "android",
        /// iPhones, iPads and iPods.
        Ios = "ios",
        /// ChromeOS.
        ChromeOs = "chrome_os",
        /// Any other that names itself.
        Other = "other",
    }
}

impl OperatingSystem {
    /// The family of a system as clicks name it, such as `Windows 10`.
    pub fn of(name: &str) -> Self {
        match name {
            "Mac OSX" | "Mac OS Classic" => Self::Macos,
            "Linux" => Self::Linux,
            "Android" => Self::Android,
            "iPhone" | "iPad" | "iPod" | "iOS" => Self::Ios,
            "ChromeOS" => Self::ChromeOs,
            _ if name.starts_with("Windows") && !name.starts_with("Windows Phone") => Self::Windows,
            _ => Self::Other,
        }
    }
}

/// Whom a campaign is for. An empty list is for everybody.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Targeting {
    /// ISO 3166-1 alpha-2, upper case.
    pub countries: Vec<String>,
    /// Kinds of devices.
    pub device_types: Vec<DeviceType>,
    /// Operating systems.
    pub operating_systems: Vec<OperatingSystem>,
    /// Language tags in lower case; `de` also stands for `de-ch`.
    pub languages: Vec<String>,
}

/// What is known of a visitor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    /// ISO 3166-1 alpha-2.
    pub country: Option<&'a str>,
    /// The kind of device.
    pub device_type: Option<&'a str>,
    /// The operating system, with its version.
    pub os: Option<&'a str>,
    /// The first language, in lower case.
    pub language: Option<&'a str>,
}

impl Targeting {
    /// Whether a visitor is one of those whom the campaign is for.
    pub fn admits(&self, visitor: Target<'_>) -> bool {
        is_listed(&self.countries, visitor.country, |wanted, country| wanted == country)
            && is_listed(&self.device_types, visitor.device_type, |wanted, device| wanted.as_str() == device)
            && is_listed(&self.operating_systems, visitor.os, |wanted, os| *wanted == OperatingSystem::of(os))
            && is_listed(&self.languages, visitor.language, |wanted, language| speaks(wanted, language))
    }
}

fn is_listed<T>(list: &[T], value: Option<&str>, is: impl Fn(&T, &str) -> bool) -> bool {
    list.is_empty() || value.is_some_and(|value| list.iter().any(|wanted| is(wanted, value)))
}

/// Basic filtering of RFC 4647: the same tag, or a longer one of it.
fn speaks(wanted: &str, language: &str) -> bool {
    language.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Reads a country: two letters.
///
/// # Errors
/// A sentence for the caller.
pub fn read_country(text: &str) -> Result<String, String> {
    let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_code
        .then(|| text.to_ascii_uppercase())
        .ok_or_else(|| format!("`{text}` is not an ISO 3166-1 code of two letters, such as DE"))
}

/// Reads a language tag.
///
/// # Errors
/// A sentence for the caller.
pub fn read_language(text: &str) -> Result<String, String> {
    super::visitor::language(text)
        .filter(|tag| tag.len() == text.len())
        .ok_or_else(|| format!("`{text}` is not a language tag, such as de or pt-br"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: Target<'_> = Target {
        country: Some("DE"),
        device_type: Some("mobile"),
        os: Some("iPhone"),
        language: Some("de-ch"),
    };

    fn countries(list: &[&str]) -> Targeting {
        Targeting { countries: list.iter().map(ToString::to_string).collect(), ..Targeting::default() }
    }

    #[test]
    fn an_empty_list_is_for_everybody() {
        assert!(Targeting::default().admits(PHONE) && Targeting::default().admits(Target::default()));
    }

    #[test]
    fn each_list_has_to_have_the_visitor() {
        assert!(countries(&["CH", "DE"]).admits(PHONE) && !countries(&["CH"]).admits(PHONE));
        for (targeting, admits) in [
            (Targeting { device_types: vec![DeviceType::Mobile], ..countries(&["DE"]) }, true),
            (Targeting { device_types: vec![DeviceType::Tv], ..countries(&["DE"]) }, false),
            (Targeting { operating_systems: vec![OperatingSystem::Ios], ..countries(&[]) }, true),
            (Targeting { operating_systems: vec![OperatingSystem::Android], ..countries(&[]) }, false),
            (Targeting { languages: vec!["de".into()], ..countries(&[]) }, true),
            (Targeting { languages: vec!["de-ch".into()], ..countries(&[]) }, true),
            (Targeting { languages: vec!["d".into(), "de-at".into()], ..countries(&[]) }, false),
        ] {
            assert_eq!(targeting.admits(PHONE), admits, "{targeting:?}");
            assert!(!targeting.admits(Target::default()), "what is unknown is on no list");
        }
    }

    #[test]
    fn systems_have_families() {
        for (name, system) in [
            ("Windows 10", OperatingSystem::Windows),
            ("Windows Phone OS", OperatingSystem::Other),
            ("Mac OSX", OperatingSystem::Macos),
            ("iPad", OperatingSystem::Ios),
            ("ChromeOS", OperatingSystem::ChromeOs),
            ("BlackBerry", OperatingSystem::Other),
        ] {
            assert_eq!(OperatingSystem::of(name), system, "{name}");
        }
    }

    #[test]
    fn entries_are_brought_to_one_form() {
        assert_eq!(read_country("de"), Ok("DE".to_owned()));
        assert_eq!(read_language("pt-BR"), Ok("pt-br".to_owned()));
        assert!(["", "D", "DEU", "D1"].iter().all(|text| read_country(text).is_err()));
        assert!(["", "*", "de,en", " de", "d\u{e9}"].iter().all(|text| read_language(text).is_err()));
    }

    #[test]
    fn lists_that_are_not_stored_are_empty() {
        assert_eq!(serde_json::from_str::<Targeting>("{}").unwrap(), Targeting::default());
    }
}
