//! Landing pages: URL templates that are checked when written, filled in per click, and checked again.
//! Which page a visitor is sent to is decided elsewhere; a deep link's host is checked in `deep_link`.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::{Position, Url};

pub use super::deep_link::{check_host_pattern, deep_link};
pub use super::destination::LandingError;
use super::destination::origin;
pub use super::macros::Macro;
use super::macros::{CutError, Piece, cut};
use super::text::nearest;

/// Room that most URLs find enough.
const MOST_USUAL_BYTES: usize = 256;
/// Everything but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What could break out of a URL or a header; non-ASCII is always encoded.
const UNSAFE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\');

/// A checked and compiled landing-page template, or a checked deep link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandingPage {
    /// Scheme, host and port, as they must come out again.
    origin: String,
    pieces: Vec<Piece>,
    /// Whether encoded values make it a URL in normal form: so that it need not be parsed again.
    is_normal: bool,
}

impl LandingPage {
    /// Checks and compiles a template: an absolute `http` or `https` URL with a literal host.
    ///
    /// # Errors
    /// The first thing that is wrong, as a sentence for whoever wrote the template.
    pub fn parse(template: &str) -> Result<Self, LandingError> {
        let origin = origin(template)?;
        let pieces = cut(template).map_err(|error| match error {
            CutError::Unbalanced => LandingError::Braces,
            CutError::Unknown(name) => LandingError::UnknownMacro {
                name: name.to_owned(),
                nearest: nearest(name.trim_matches(['!', ' ']), Macro::names()),
            },
        })?;
        Ok(Self::new(origin, pieces))
    }

    /// Takes an URL as it is, without looking for macros.
    pub(super) fn literal(url: &str) -> Result<Self, LandingError> {
        Ok(Self::new(origin(url)?, vec![Piece::Text(url.to_owned())]))
    }

    fn new(origin: String, pieces: Vec<Piece>) -> Self {
        let is_normal = is_normal(&origin, &pieces);
        Self { origin, pieces, is_normal }
    }

    /// Fills in the template for one click.
    ///
    /// Without a click-id macro in the template, `parameter=<id>` is appended to the query, or takes the
    /// place of the parameter if it is there. Without a click id (consent refused, nothing recorded), the
    /// macro stays empty and the parameter goes: what it had is another click's id, or none. `None` if the result would
    /// lead to another host.
    pub fn render<'a>(
        &self,
        click_id: Option<&'a str>,
        parameter: &str,
        value: impl Fn(Macro) -> Option<Cow<'a, str>>,
    ) -> Option<String> {
        let value = |wanted| match wanted {
            Macro::ClickId => click_id.unwrap_or_default().into(),
            other => value(other).unwrap_or_default(),
        };
        let (mut filled, mut has_dots) = (String::with_capacity(MOST_USUAL_BYTES), false);
        for piece in &self.pieces {
            has_dots |= fill(&mut filled, piece, value);
        }
        let complete = match click_id {
            None => without_parameter(filled, parameter),
            Some(_) if self.has_click_id() => filled,
            Some(id) => with_parameter(&filled, parameter, id),
        };
        if self.is_normal && !has_dots {
            return is_within(&self.origin, &complete).then_some(complete);
        }
        let url = Url::parse(&complete).ok()?;
        (url[..Position::BeforePath] == self.origin).then(|| url.into())
    }

    fn has_click_id(&self) -> bool {
        let is_click_id =
            |piece: &Piece| matches!(piece, Piece::Encoded(Macro::ClickId) | Piece::Raw(Macro::ClickId));
        self.pieces.iter().any(is_click_id)
    }
}

/// Whether the URL's parser leaves a page as it is, whatever values are encoded into it.
fn is_normal(origin: &str, pieces: &[Piece]) -> bool {
    let sample: String = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Encoded(_) => "x",
            Piece::Raw(_) => "\\",
        })
        .collect();
    is_within(origin, &sample) && Url::parse(&sample).is_ok_and(|url| url.as_str() == sample)
}

/// Whether a URL in normal form is of an origin.
fn is_within(origin: &str, url: &str) -> bool {
    let rest = url.strip_prefix(origin);
    // All bytes are looked at, whatever the first ones are: many at once.
    let is_graphic = url.bytes().fold(true, |so_far, byte| so_far & byte.is_ascii_graphic());
    is_graphic && rest.is_some_and(|path| path.starts_with('/'))
}

/// Adds a piece; true if its value is nothing but dots, which mean something in a path.
fn fill<'a>(filled: &mut String, piece: &Piece, value: impl Fn(Macro) -> Cow<'a, str>) -> bool {
    let (value, kept) = match piece {
        Piece::Text(text) => {
            filled.push_str(text);
            return false;
        }
        Piece::Encoded(wanted) => (value(*wanted), ENCODED),
        Piece::Raw(wanted) => (value(*wanted), UNSAFE),
    };
    filled.extend(utf8_percent_encode(&value, kept));
    !value.is_empty() && value.bytes().all(|byte| byte == b'.')
}

/// Sets a query parameter: in its first place if it is there, else at the end of the query.
fn with_parameter(url: &str, name: &str, value: &str) -> String {
    let (before, fragment) = split_before(url, '#');
    let (base, query) = split_before(before, '?');
    let query = query.strip_prefix('?').unwrap_or_default();
    let encoded = |text| utf8_percent_encode(text, ENCODED);
    if !query.split('&').any(|found| is_named(found, name)) {
        let separator = if query.is_empty() || query.ends_with('&') { "" } else { "&" };
        let mut complete = String::with_capacity(url.len() + name.len() + value.len() + 3);
        complete.extend([base, "?", query, separator].into_iter().chain(encoded(name)));
        complete.extend(["="].into_iter().chain(encoded(value)).chain([fragment]));
        return complete;
    }
    let pair = format!("{}={}", encoded(name), encoded(value));
    let mut pairs: Vec<&str> = query.split('&').collect();
    let place = pairs.iter().position(|found| is_named(found, name));
    pairs.retain(|found| !is_named(found, name));
    pairs.insert(place.unwrap_or(pairs.len()), &pair);
    let query = pairs.join("&");
    format!("{base}?{}{fragment}", query.strip_prefix('&').unwrap_or(&query))
}

/// What a page would have been filled in to without this click id, from what it was with it.
pub fn without_click_id(url: &str, click_id: &str, parameter: &str) -> String {
    without_parameter(url.replace(click_id, ""), parameter)
}

/// Takes a query parameter out, wherever it stands.
fn without_parameter(url: String, name: &str) -> String {
    let (before, fragment) = split_before(&url, '#');
    let (base, query) = split_before(before, '?');
    let pairs = || query.strip_prefix('?').unwrap_or_default().split('&');
    if !pairs().any(|found| is_named(found, name)) {
        return url;
    }
    let kept: Vec<&str> = pairs().filter(|found| !is_named(found, name)).collect();
    let mark = if kept.is_empty() { "" } else { "?" };
    format!("{base}{mark}{}{fragment}", kept.join("&"))
}

fn is_named(pair: &str, name: &str) -> bool {
    let found = pair.split('=').next().unwrap_or_default();
    found == name || (found.contains('%') && percent_decode_str(found).eq(name.bytes()))
}

fn split_before(text: &str, separator: char) -> (&str, &str) {
    text.split_at(text.find(separator).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "1abc";

    fn rendered(template: &str, value: &str) -> String {
        let page = LandingPage::parse(template).unwrap();
        page.render(Some(ID), "kcid", |_| Some(value.into())).unwrap()
    }

    #[test]
    fn the_click_id_is_appended_to_the_query() {
        for (template, url) in [
            ("https://shop.test", "https://shop.test/?kcid=1abc"),
            ("https://shop.test/a", "https://shop.test/a?kcid=1abc"),
            ("https://shop.test/a?", "https://shop.test/a?kcid=1abc"),
            ("https://shop.test/a?b=1#top", "https://shop.test/a?b=1&kcid=1abc#top"),
            ("https://shop.test/#/a?b=1", "https://shop.test/?kcid=1abc#/a?b=1"),
            ("HTTP://Shop.Test:80/", "http://shop.test/?kcid=1abc"),
            ("https://shop.test:8443/?a=%20&a=+", "https://shop.test:8443/?a=%20&a=+&kcid=1abc"),
            ("https://b\u{fc}cher.test/\u{fc}", "https://xn--bcher-kva.test/%C3%BC?kcid=1abc"),
        ] {
            assert_eq!(rendered(template, ""), url);
        }
    }

    #[test]
    fn a_parameter_that_is_there_is_replaced() {
        for (template, url) in [
            ("https://shop.test/?kcid=old", "https://shop.test/?kcid=1abc"),
            ("https://shop.test/?kcid", "https://shop.test/?kcid=1abc"),
            ("https://shop.test/?a=1&%6bcid=old&b=2&kcid=x#f", "https://shop.test/?a=1&kcid=1abc&b=2#f"),
            ("https://shop.test/?xkcid=1&KCID=2", "https://shop.test/?xkcid=1&KCID=2&kcid=1abc"),
        ] {
            assert_eq!(rendered(template, ""), url);
        }
    }

    #[test]
    fn macros_are_filled_in_and_encoded() {
        assert_eq!(
            rendered("https://shop.test/{sub1}?c={click_id}&s={sub2}#{sub3}", "a b&c=d/\u{e9}~#?"),
            "https://shop.test/a%20b%26c%3Dd%2F%C3%A9~%23%3F?c=1abc\
             &s=a%20b%26c%3Dd%2F%C3%A9~%23%3F#a%20b%26c%3Dd%2F%C3%A9~%23%3F"
        );
        for alias in ["click_id", "kcid", "transaction_id", "clickid", "!click_id"] {
            let template = format!("https://shop.test/?t={{{alias}}}");
            assert_eq!(rendered(&template, ""), "https://shop.test/?t=1abc");
        }
    }

    #[test]
    fn dots_are_resolved_where_they_mean_something() {
        assert_eq!(rendered("https://shop.test/a/{sub1}/b", ".."), "https://shop.test/b?kcid=1abc");
        assert_eq!(rendered("https://shop.test/a/{sub1}/b", "..."), "https://shop.test/a/.../b?kcid=1abc");
    }

    #[test]
    fn an_unresolved_macro_is_empty() {
        let page = LandingPage::parse("https://shop.test/?a={sub1}&t={click_id}").unwrap();
        assert_eq!(page.render(Some(ID), "kcid", |_| None).unwrap(), "https://shop.test/?a=&t=1abc");
    }

    #[test]
    fn without_a_click_id_nothing_is_appended_and_no_other_one_stays() {
        for (template, url) in [
            ("https://shop.test/?t={click_id}", "https://shop.test/?t="),
            ("https://shop.test/?kcid=1other&t={click_id}", "https://shop.test/?t="),
            ("https://shop.test/?a=1&kcid={click_id}", "https://shop.test/?a=1"),
            ("https://shop.test/?a=1", "https://shop.test/?a=1"),
            ("https://shop.test/a?kcid=1other&b=%201#top", "https://shop.test/a?b=%201#top"),
            ("https://shop.test/a?b=1&%6bcid=1&kcid=#/?kcid=2", "https://shop.test/a?b=1#/?kcid=2"),
            ("https://shop.test/?kcid=1other", "https://shop.test/"),
        ] {
            let page = LandingPage::parse(template).unwrap();
            assert_eq!(page.render(None, "kcid", |_| None).as_deref(), Some(url));
        }
    }

    #[test]
    fn a_click_id_can_be_taken_out_again() {
        for template in [
            "https://shop.test",
            "https://shop.test/a?b=1#top",
            "https://shop.test/?a=%20&kcid=old&c=2",
            "https://shop.test/?a={sub1}&t={click_id}&kcid=old",
            "https://shop.test/{click_id}/{sub1}?u={!sub1}",
            "https://shop.test:8443/#{!click_id}",
        ] {
            let page = LandingPage::parse(template).unwrap();
            let url = |click_id| page.render(click_id, "kcid", |_| Some("x y".into())).unwrap();
            assert_eq!(without_click_id(&url(Some(ID)), ID, "kcid"), url(None), "{template}");
        }
    }

    #[test]
    fn raw_values_cannot_break_the_header_or_change_the_host() {
        assert_eq!(
            rendered("https://shop.test/?u={!sub1}", "a/b?c=d&e"),
            "https://shop.test/?u=a/b?c=d&e&kcid=1abc"
        );
        for value in [
            "\r\nSet-Cookie: a=b",
            "//evil.test",
            "@evil.test",
            "\\evil.test",
            "\t/\n/evil.test",
            "../../..//evil.test",
            ":80@evil.test",
            "\0",
            "\u{202e}",
            "?url=https://evil.test",
            "#@evil.test",
            ".evil.test",
            "\u{ff0f}",
        ] {
            for template in
                ["https://shop.test/{!sub1}", "https://shop.test?{!sub1}", "https://shop.test#{!sub1}"]
            {
                let url = rendered(template, value);
                assert_eq!(Url::parse(&url).unwrap().host_str(), Some("shop.test"), "{url}");
                assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url}");
            }
        }
    }

    #[test]
    fn a_raw_value_cannot_bring_a_click_id_of_its_own() {
        assert_eq!(
            rendered("https://shop.test/?u={!sub1}", "x&kcid=evil"),
            "https://shop.test/?u=x&kcid=1abc"
        );
    }

    #[test]
    fn other_destinations_are_refused() {
        use LandingError::*;
        for (template, error) in [
            ("", NotHttp),
            ("shop.test", NotHttp),
            ("javascript:alert(1)", NotHttp),
            ("javascript://shop.test/%0aalert(1)", NotHttp),
            ("data:text/html,x", NotHttp),
            ("//evil.test", NotHttp),
            ("/\\evil.test", Backslash),
            ("https:evil.test", NotHttp),
            ("https:/evil.test", NotHttp),
            ("https:///evil.test", NoHost),
            ("ftp://shop.test", NotHttp),
            ("file:///etc/passwd", NotHttp),
            ("{sub1}://shop.test", NotHttp),
            ("https://", NoHost),
            ("https://?a", NoHost),
            ("https://shop.test:99999/", NoHost),
            ("https://sh^op.test/", NoHost),
            ("https://ok.test@evil.test", Credentials),
            ("https://user:pw@shop.test/", Credentials),
            ("https://@shop.test/", Credentials),
            ("https://ok.test\\@evil.test", Backslash),
            ("https://{sub1}.test/", MacroInHost),
            ("https://shop.test{sub1}", MacroInHost),
            ("https://shop.test:{sub1}/", MacroInHost),
            ("ht\ttps://shop.test", ControlOrSpace),
            ("https://shop.test/\r\nX: y", ControlOrSpace),
            (" https://shop.test", ControlOrSpace),
            ("https://shop.test/\u{2028}", ControlOrSpace),
            ("https://shop.test/a b", ControlOrSpace),
            ("https://shop.test/{sub1", Braces),
            ("https://shop.test/}", Braces),
        ] {
            assert_eq!(LandingPage::parse(template), Err(error), "{template:?}");
        }
    }

    #[test]
    fn an_unknown_macro_is_named_with_its_neighbours() {
        let said = |template: &str| LandingPage::parse(template).unwrap_err().to_string();
        assert_eq!(
            said("https://shop.test/?t={clickId}"),
            "there is no macro {clickId}; did you mean {clickid} or {click_id}?"
        );
        assert_eq!(said("https://shop.test/?t={wxyzwxyz}"), "there is no macro {wxyzwxyz}");
        assert_eq!(said("https://shop.test/}"), "each { needs its }; write other braces as %7B and %7D");
    }

    #[test]
    fn another_parameter_name_is_used_as_it_is() {
        let page = LandingPage::parse("https://shop.test/?kcid=1").unwrap();
        assert_eq!(page.render(Some(ID), "tid", |_| None).unwrap(), "https://shop.test/?kcid=1&tid=1abc");
    }

    proptest! {
        #[test]
        fn no_value_leads_elsewhere(value in any::<String>(), place in 0..3usize) {
            let template = ["https://shop.test/{!sub1}", "https://shop.test?{sub1}", "https://shop.test#{!sub1}"][place];
            let url = rendered(template, &value);
            prop_assert!(url.starts_with("https://shop.test/"), "{}", url);
            prop_assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{}", url);
            prop_assert!(url.contains("kcid=1abc"), "{}", url);
        }

        #[test]
        fn parsing_never_panics(template in "(https://)?\\PC{0,60}") {
            let _ = LandingPage::parse(&template);
        }
    }
}
