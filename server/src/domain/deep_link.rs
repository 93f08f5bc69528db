//! Deep links: a destination that arrives with the click, allowed only on the advertiser's own hosts.
//! A destination that is not allowed is never redirected to; what happens instead is decided elsewhere.

use std::borrow::Cow;

use url::{Host, Url};

use super::landing::LandingPage;

/// Checks the destination of a `url=` parameter against normalised host patterns.
///
/// It must be an absolute `http` or `https` URL on the default port, without credentials, control
/// characters or backslashes; a space, which may be all that the tracking URL's decoding has left of a `%20` or a `+`,
/// only behind the host. Macros in it are not expanded, as the visitor could write them.
pub fn deep_link(url: &str, hosts: &[String]) -> Option<LandingPage> {
    let url = with_encoded_spaces(url);
    let page = LandingPage::literal(&url).ok()?;
    let parsed = Url::parse(&url).ok()?;
    let host = parsed.host_str()?;
    let allowed = parsed.port().is_none() && hosts.iter().any(|pattern| covers(pattern, host));
    allowed.then_some(page)
}

fn with_encoded_spaces(url: &str) -> Cow<'_, str> {
    let authority = url.find("://").map_or(0, |separator| separator + 3);
    let path = url[authority..].find(['/', '?', '#']).map_or(url.len(), |length| authority + length);
    let (before, behind) = url.split_at(path);
    if behind.contains(' ') { format!("{before}{}", behind.replace(' ', "%20")).into() } else { url.into() }
}

/// Says whether a pattern stands for a host: the same, or a subdomain of what follows `*.`.
fn covers(pattern: &str, host: &str) -> bool {
    let Some(parent) = pattern.strip_prefix("*.") else { return pattern.eq_ignore_ascii_case(host) };
    let split = host.len().checked_sub(parent.len()).and_then(|length| host.split_at_checked(length));
    split.is_some_and(|(labels, rest)| {
        rest.eq_ignore_ascii_case(parent) && labels.len() > 1 && labels.ends_with('.')
    })
}

/// Normalises one entry of an allow list: a host, or `*.` and a host of at least two labels.
///
/// # Errors
/// A sentence for the caller that says what to write.
pub fn check_host_pattern(text: &str) -> Result<String, String> {
    let (wildcard, name) = match text.strip_prefix("*.") {
        Some(name) => ("*.", name),
        None => ("", text),
    };
    let host = parse_host(name).ok_or("write only a host, such as shop.example or *.shop.example")?;
    match host {
        Host::Domain(domain) if wildcard.is_empty() || domain.contains('.') => {
            Ok(format!("{wildcard}{domain}"))
        }
        Host::Domain(_) => Err("write at least two labels after *., such as *.shop.example".to_owned()),
        _ if wildcard.is_empty() => Ok(host.to_string()),
        _ => Err("an address has no subdomains; leave out the *.".to_owned()),
    }
}

fn parse_host(name: &str) -> Option<Host<String>> {
    let plain = name.len() <= 253 && !name.contains(['%', '*']) && !name.contains(char::is_whitespace);
    let whole = name.split('.').all(|label| !label.is_empty() && label.len() <= 63);
    if plain && whole { Host::parse(name).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(url: &str) -> Option<String> {
        let hosts = ["ok.test".to_owned(), "*.shop.example".to_owned()];
        deep_link(url, &hosts)?.render(Some("1abc"), "kcid", |_| Some("value".into()))
    }

    #[test]
    fn allowed_hosts_get_the_click_id() {
        for (url, rendered) in [
            ("https://ok.test", "https://ok.test/?kcid=1abc"),
            ("https://OK.test/a?b=1&kcid=evil#c", "https://ok.test/a?b=1&kcid=1abc#c"),
            ("http://ok.test:80/", "http://ok.test/?kcid=1abc"),
            ("https://www.shop.example/", "https://www.shop.example/?kcid=1abc"),
            ("https://a.b.SHOP.example/", "https://a.b.shop.example/?kcid=1abc"),
            ("https://ok.test/a b?q=red shoes#c d", "https://ok.test/a%20b?q=red%20shoes&kcid=1abc#c%20d"),
            ("https://ok.test?q=red shoes ", "https://ok.test/?q=red%20shoes%20&kcid=1abc"),
        ] {
            assert_eq!(target(url).as_deref(), Some(rendered), "{url}");
        }
    }

    #[test]
    fn macros_are_not_expanded() {
        assert_eq!(
            target("https://ok.test/?a={sub1}&b={click_id}").as_deref(),
            Some("https://ok.test/?a={sub1}&b={click_id}&kcid=1abc")
        );
    }

    #[test]
    fn other_destinations_are_refused() {
        for url in [
            "",
            "ok.test",
            "javascript:alert(1)",
            "javascript://ok.test/%0aalert(1)",
            "data:text/html,x",
            "//evil.test",
            "//ok.test",
            "/\\evil.test",
            "\\\\ok.test",
            "https:evil.test",
            "https:ok.test",
            "https:/ok.test",
            "https:///ok.test",
            "https://ok.test.evil.test",
            "https://ok.test@evil.test",
            "https://evil.test@ok.test",
            "https://@ok.test",
            "https://evil.test/.ok.test",
            "https://evil.test/ok.test",
            "https://evil.test?ok.test",
            "https://evil.test#ok.test",
            "https://evil.test\\.ok.test",
            "https://ok.test\\@evil.test",
            "ht\ttps://ok.test",
            "https\n://ok.test",
            "https://ok\t.test",
            " https://ok.test",
            "https://ok.test ",
            "https://ok .test/a",
            "https ://ok.test/a",
            "https://ok.test/a\tb",
            "https://ok.test/a\u{a0}b",
            "https:/ /ok.test/",
            "https://ok.test/\0",
            "https://ok.test:8443/",
            "https://ok.test:443@evil.test",
            "http://ok.test:443/",
            "https://ok.test./",
            "https://xn--k-ijb.test",
            "https://\u{43e}k.test",
            "https://ok.te\u{455}t",
            "https://shop.example",
            "https://evilshop.example",
            "https://.shop.example",
            "https://shop.example.evil.test",
            "https://evil.test/?redir_url=https://ok.test",
            "https://evil.test/?url=https://ok.test",
            "https://evil.test/?next=https://ok.test",
            "ftp://ok.test",
            "https://127.0.0.1",
            "https%3A%2F%2Fok.test",
            "https://ok.test%2eevil.test",
            "https://{sub1}.shop.example",
        ] {
            assert_eq!(target(url), None, "{url:?}");
        }
    }

    #[test]
    fn without_a_list_nothing_is_allowed() {
        assert_eq!(deep_link("https://ok.test", &[]), None);
        assert_eq!(deep_link("https://ok.test", &[String::new(), "*.".to_owned()]), None);
    }

    #[test]
    fn host_patterns_are_normalised() {
        for (text, pattern) in [
            ("Shop.Example", "shop.example"),
            ("*.Shop.Example", "*.shop.example"),
            ("b\u{fc}cher.test", "xn--bcher-kva.test"),
            ("localhost", "localhost"),
            ("127.1", "127.0.0.1"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(check_host_pattern(text).as_deref(), Ok(pattern), "{text}");
        }
    }

    #[test]
    fn other_patterns_are_refused() {
        for text in [
            "",
            "*",
            "*.",
            "*.com",
            "*.localhost",
            "**.shop.example",
            "a.*.example",
            "*shop.example",
            ".shop.example",
            "shop..example",
            "shop.example.",
            "https://shop.example",
            "shop.example/",
            "shop.example:443",
            "a@shop.example",
            "shop.example?a",
            "shop.example#a",
            "shop example",
            " shop.example",
            "shop.example\n",
            "shop%2eexample",
            "*.127.0.0.1",
            "*.[::1]",
            "shop\\example",
        ] {
            assert!(check_host_pattern(text).is_err(), "{text:?}");
        }
        assert!(check_host_pattern(&"a.".repeat(200)).is_err());
    }

    proptest! {
        #[test]
        fn only_listed_hosts_pass(url in "(https?:)?[/\\\\@:?#.a-c \\t]{0,6}(ok\\.test|evil\\.test)[/\\\\@:?#.\\t]{0,4}(evil\\.test)?") {
            if let Some(target) = target(&url) {
                prop_assert_eq!(Url::parse(&target).unwrap().host_str().map(str::to_owned), Some("ok.test".to_owned()), "{}", url);
            }
        }

        #[test]
        fn checking_never_panics(text in "\\PC{0,60}") {
            let _ = check_host_pattern(&text);
            let _ = deep_link(&text, std::slice::from_ref(&text));
        }
    }
}
