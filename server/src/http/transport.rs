//! How a request came: from which address, and whether nobody could listen on the way.
//! What a proxy says is believed only from a proxy that the operator trusts.

use std::net::IpAddr;

use actix_web::http::header::{HeaderMap, HeaderName, X_FORWARDED_FOR, X_FORWARDED_PROTO};
use ipnet::IpNet;

use super::head::Head;
use crate::domain::{code::Code, refusal::Refusal};

/// Where a request really came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transport {
    /// The visitor: the rightmost address that no trusted proxy has.
    pub client: IpAddr,
    /// True over TLS, from this machine, or where a trusted proxy says that its side was TLS.
    pub is_private: bool,
}

impl Transport {
    /// Reads it off a request.
    pub fn of(head: &Head<'_>, trusted: &[IpNet]) -> Self {
        judge(head.peer(), head.is_tls, head.headers(), trusted)
    }

    /// Refuses what could have been listened to.
    pub fn require_private(self) -> Result<Self, Refusal> {
        if self.is_private { Ok(self) } else { Err(Refusal::of(Code::HttpsRequired)) }
    }
}

fn judge(peer: IpAddr, is_tls: bool, headers: &HeaderMap, trusted: &[IpNet]) -> Transport {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(&peer) {
        return Transport { client: peer, is_private: is_tls || peer.is_loopback() };
    }
    let told = texts(headers, &X_FORWARDED_FOR).fold(None, |before, hops| client(before, hops, is_trusted));
    let is_private = match texts(headers, &X_FORWARDED_PROTO).flat_map(items).last() {
        Some(scheme) => scheme.eq_ignore_ascii_case("https"),
        None => is_tls || (peer.is_loopback() && told.is_none()),
    };
    Transport { client: told.unwrap_or(peer), is_private }
}

/// The client that a list of hops tells of: the rightmost one that no trusted proxy has, or else the leftmost one that can
/// be read. Where all of them are trusted, it is the one that the list before tells of, if that does.
fn client(before: Option<IpAddr>, hops: &str, is_trusted: impl Fn(&IpAddr) -> bool) -> Option<IpAddr> {
    let mut nearest = None;
    for hop in items(hops).rev() {
        match address(hop) {
            None => return nearest,
            Some(hop) if !is_trusted(&hop) => return Some(hop),
            trusted => nearest = trusted,
        }
    }
    before.or(nearest)
}

/// The values of a header that may be repeated.
fn texts<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).filter_map(|value| value.to_str().ok())
}

/// The items of a value that may hold several, in order.
fn items(value: &str) -> impl DoubleEndedIterator<Item = &str> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').split(']').next()?;
    let parsed: Option<IpAddr> = bare.parse().ok().or_else(|| text.rsplit_once(':')?.0.parse().ok());
    parsed.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn seen(peer: &str, is_tls: bool, headers: &[(&'static str, &'static str)]) -> (String, bool) {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "127.0.0.2/32".parse().unwrap()];
        let mut sent = HeaderMap::new();
        for (name, value) in headers {
            sent.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let transport = judge(peer.parse().unwrap(), is_tls, &sent, &trusted);
        (transport.client.to_string(), transport.is_private)
    }

    #[test]
    fn plain_http_is_private_on_loopback_alone() {
        assert_eq!(seen("192.0.2.1", false, &[]), ("192.0.2.1".into(), false));
        assert_eq!(seen("192.0.2.1", true, &[]), ("192.0.2.1".into(), true));
        assert_eq!(seen("127.0.0.1", false, &[]), ("127.0.0.1".into(), true));
        assert_eq!(seen("::1", false, &[]), ("::1".into(), true));
    }

    #[test]
    fn a_stranger_cannot_speak_for_a_proxy() {
        let lies = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "https")];
        assert_eq!(seen("192.0.2.1", false, &lies), ("192.0.2.1".into(), false));
    }

    #[test]
    fn a_trusted_proxy_is_believed() {
        let https = [("x-forwarded-for", "198.51.100.7, 10.1.1.1"), ("x-forwarded-proto", "https")];
        assert_eq!(seen("10.0.0.1", false, &https), ("198.51.100.7".into(), true));
        let http = [("x-forwarded-for", "evil, 198.51.100.7:4711"), ("x-forwarded-proto", "http")];
        assert_eq!(seen("10.0.0.1", true, &http), ("198.51.100.7".into(), false));
        assert_eq!(seen("10.0.0.1", false, &[]), ("10.0.0.1".into(), false));
        assert!(!seen("127.0.0.2", false, &[("x-forwarded-for", "[2001:db8::1]:80")]).1);
        assert_eq!(seen("127.0.0.2", false, &[]), ("127.0.0.2".into(), true));
    }

    #[test]
    fn hops_are_read_from_the_right_across_headers() {
        let client = |lists: &[&'static str]| {
            let headers: Vec<_> = lists.iter().map(|list| ("x-forwarded-for", *list)).collect();
            seen("10.0.0.1", false, &headers).0
        };
        assert_eq!(client(&["198.51.100.7", "10.1.1.1, 10.1.1.2"]), "198.51.100.7");
        assert_eq!(client(&["198.51.100.7", "198.51.100.8"]), "198.51.100.8");
        assert_eq!(client(&["10.1.1.3", "10.1.1.1,, 10.1.1.2"]), "10.1.1.3", "all are trusted");
        assert_eq!(
            client(&["198.51.100.7", "evil, 10.1.1.1"]),
            "10.1.1.1",
            "nothing beyond what cannot be read"
        );
        assert_eq!(client(&["198.51.100.7", "evil"]), "10.0.0.1");
        assert_eq!(client(&["198.51.100.7", " , "]), "198.51.100.7");
    }
}
