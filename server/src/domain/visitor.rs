//! What a click's headers tell about the visitor: device, language, referrer, and how much of the IP to keep.
//! Whether the visitor is a person at all is judged in `click_class`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Url;
use woothee::parser::{Parser, WootheeResult};

pub use super::click_class::{ClickClass, classify};
use super::words::words;

/// Real ones are shorter; what lies beyond is not worth the time of the patterns.
const MOST_USER_AGENT_BYTES: usize = 1_024;
/// RFC 5646, section 4.4.1, recommends room for 35 characters.
const MOST_LANGUAGE_BYTES: usize = 35;
const MOST_VERSION_BYTES: usize = 32;
/// RFC 1035, section 2.3.4, without the dot at the end.
const MOST_HOST_BYTES: usize = 253;

/// Marks of televisions and streaming sticks, in lower case.
const TV_MARKS: [&str; 13] = [
    "smart-tv",
    "smarttv",
    "smart tv",
    "googletv",
    "google tv",
    "appletv",
    "apple tv",
    "android tv",
    "hbbtv",
    "web0s",
    "crkey",
    "roku",
    "bravia",
];

/// What a User-Agent says about the visitor's device; `None` where it says nothing we know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visitor {
    /// The browser's name, such as `Chrome`.
    pub browser: Option<String>,
    /// The operating system, such as `Windows 10`.
    pub os: Option<String>,
    /// The operating system's version, as it was written.
    pub os_version: Option<String>,
    /// `desktop`, `mobile`, `tablet`, `tv` or `other`.
    pub device_type: Option<String>,
}

impl Visitor {
    /// Reads a User-Agent header.
    pub fn parse(user_agent: &str) -> Self {
        let user_agent = shortened(user_agent, MOST_USER_AGENT_BYTES);
        let Some(found) = Parser::new().parse(user_agent) else { return Self::default() };
        Self {
            browser: known(found.name),
            os: known(found.os),
            os_version: known(shortened(&found.os_version, MOST_VERSION_BYTES)),
            device_type: device_type(user_agent, &found).map(str::to_owned),
        }
    }
}

fn known(text: &str) -> Option<String> {
    (!text.is_empty() && text != woothee::woothee::VALUE_UNKNOWN).then(|| text.to_owned())
}

fn device_type(user_agent: &str, found: &WootheeResult<'_>) -> Option<&'static str> {
    let lower = user_agent.to_ascii_lowercase();
    if TV_MARKS.iter().any(|mark| lower.contains(mark)) {
        return Some("tv");
    }
    match found.category {
        _ if found.os == "iPad" || lower.contains("tablet") => Some("tablet"),
        "smartphone" if found.os == "Android" && !lower.contains("mobile") => Some("tablet"),
        "smartphone" | "mobilephone" => Some("mobile"),
        "pc" => Some("desktop"),
        woothee::woothee::VALUE_UNKNOWN => None,
        _ => Some("other"),
    }
}

fn shortened(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// Returns the first language of an Accept-Language header, in lower case; `None` for `*` and for nonsense.
pub fn language(accept_language: &str) -> Option<String> {
    let tag = accept_language.split([',', ';']).next()?.trim();
    let valid = (1..=MOST_LANGUAGE_BYTES).contains(&tag.len())
        && tag.starts_with(|first: char| first.is_ascii_alphabetic())
        && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    valid.then(|| tag.to_ascii_lowercase())
}

/// Returns the host of a Referer header in normal form; the rest of the URL may be private and is not kept.
pub fn referrer_host(referer: &str) -> Option<String> {
    if let Some(host) = plain_host(referer) {
        return Some(host.to_owned());
    }
    let url = Url::parse(referer).ok()?;
    let known = matches!(url.scheme(), "http" | "https" | "android-app" | "ios-app");
    let host = url.host_str().filter(|host| known && !host.is_empty() && host.len() <= MOST_HOST_BYTES)?;
    Some(host.to_ascii_lowercase())
}

/// The host of a web address that is in normal form without any doubt, as nearly all are: a name in lower case whose last
/// part is letters, before a slash.
fn plain_host(referer: &str) -> Option<&str> {
    let rest = referer.strip_prefix("https://").or_else(|| referer.strip_prefix("http://"))?;
    let (host, _) = rest.split_once('/')?;
    let (_, last) = host.rsplit_once('.')?;
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let is_name = host.len() <= MOST_HOST_BYTES
        && host.bytes().all(is_plain)
        && !host.starts_with('.')
        && !host.contains("xn--")
        && !last.is_empty()
        && last.bytes().all(|byte| byte.is_ascii_lowercase());
    is_name.then_some(host)
}

words! {
    /// How much of a visitor's IP address a partner keeps.
    IpStorage {
        /// All of it.
        Full = "full",
        /// The network: /24 of IPv4, /48 of IPv6.
        Truncated = "truncated",
        /// Nothing.
        None = "none",
    }
}

impl IpStorage {
    /// Returns the text to store; an IPv4 address inside IPv6 is treated as IPv4.
    pub fn apply(self, address: IpAddr) -> Option<String> {
        let address = address.to_canonical();
        match self {
            Self::Full => Some(address.to_string()),
            Self::Truncated => Some(network(address).to_string()),
            Self::None => None,
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & !0 << 8).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !0 << 80).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";
    const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1";
    const IPAD: &str = "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1";
    const ANDROID: &str = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36";
    const ANDROID_TABLET: &str = "Mozilla/5.0 (Linux; Android 13; SM-X700) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";
    const TV: &str = "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/3.1 Chrome/76.0 TV Safari/537.36";

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn devices_are_told_apart() {
        for (user_agent, device) in [
            (WINDOWS, "desktop"),
            (IPHONE, "mobile"),
            (IPAD, "tablet"),
            (ANDROID, "mobile"),
            (ANDROID_TABLET, "tablet"),
            (TV, "tv"),
            ("curl/8.5.0", "other"),
        ] {
            assert_eq!(Visitor::parse(user_agent).device_type, some(device), "{user_agent}");
        }
    }

    #[test]
    fn browser_and_system_are_read() {
        let visitor = Visitor::parse(IPHONE);
        assert_eq!(
            (visitor.browser, visitor.os, visitor.os_version),
            (some("Safari"), some("iPhone"), some("17.5"))
        );
        let visitor = Visitor::parse(WINDOWS);
        assert_eq!((visitor.browser, visitor.os), (some("Chrome"), some("Windows 10")));
    }

    #[test]
    fn an_unknown_user_agent_says_nothing() {
        for user_agent in ["", "x", "\0", "Mozilla/5.0"] {
            assert_eq!(Visitor::parse(user_agent), Visitor::default(), "{user_agent}");
        }
        assert_eq!(Visitor::parse(&"é".repeat(5_000)), Visitor::default());
    }

    #[test]
    fn the_first_language_counts() {
        for (header, tag) in [
            ("de-CH,de;q=0.9,en;q=0.8", "de-ch"),
            ("en", "en"),
            (" fr ;q=1", "fr"),
            ("zh-Hant-TW", "zh-hant-tw"),
        ] {
            assert_eq!(language(header), some(tag), "{header}");
        }
        for header in ["", "*", ",en", "d\u{e9}", "en_US", "-", "1", "<script>", &"a".repeat(36)] {
            assert_eq!(language(header), None, "{header}");
        }
    }

    #[test]
    fn only_the_referrers_host_is_kept() {
        for (referer, host) in [
            ("https://News.Example/a?b#c", "news.example"),
            ("https://news.example/a?b#c", "news.example"),
            ("https://a@news.example/", "news.example"),
            ("http://127.1/", "127.0.0.1"),
            ("http://user:pw@news.example:8080/", "news.example"),
            ("android-app://com.google.android.gm/", "com.google.android.gm"),
        ] {
            assert_eq!(referrer_host(referer), some(host));
        }
        for referer in [
            "",
            "about:blank",
            "news.example",
            "file:///etc/passwd",
            "data:text/html,x",
            "https://",
            "javascript:1",
            "https://news..0x7/",
        ] {
            assert_eq!(referrer_host(referer), None, "{referer}");
        }
        assert_eq!(referrer_host(&format!("https://{}.test", "a".repeat(300))), None);
    }

    #[test]
    fn ip_addresses_are_cut_as_the_partner_says() {
        for (address, full, truncated) in [
            ("203.0.113.77", "203.0.113.77", "203.0.113.0"),
            ("::ffff:203.0.113.77", "203.0.113.77", "203.0.113.0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
            ("::1", "::1", "::"),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(IpStorage::Full.apply(address), some(full));
            assert_eq!(IpStorage::Truncated.apply(address), some(truncated));
            assert_eq!(IpStorage::None.apply(address), None);
        }
        for storage in [IpStorage::Full, IpStorage::Truncated, IpStorage::None] {
            assert_eq!(IpStorage::parse(storage.as_str()), Some(storage));
        }
        assert_eq!(IpStorage::parse("Full"), None);
    }

    proptest! {
        #[test]
        fn a_plain_host_is_what_the_parser_finds(referer in "https?://[a-z0-9.-]{0,12}/?[a-z?]{0,3}") {
            let parsed = Url::parse(&referer).ok().and_then(|url| url.host_str().map(str::to_owned));
            if let Some(host) = plain_host(&referer) {
                prop_assert_eq!(Some(host.to_owned()), parsed);
            }
        }

        #[test]
        fn reading_headers_never_panics(text in any::<String>()) {
            let _ = (Visitor::parse(&text), language(&text), referrer_host(&text));
        }
    }
}
