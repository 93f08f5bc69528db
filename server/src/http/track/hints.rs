//! What a request tells about the visitor.

use std::net::IpAddr;

use actix_web::http::header::{ACCEPT_LANGUAGE, HeaderMap, HeaderName, REFERER, USER_AGENT};

use crate::http::{State, head::Head, transport::Transport};

/// Where browsers say that they only fetch ahead.
const PURPOSES: [HeaderName; 3] = [
    HeaderName::from_static("sec-purpose"),
    HeaderName::from_static("purpose"),
    HeaderName::from_static("x-moz"),
];

/// What tells about the visitor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints<'a> {
    /// The address.
    pub address: Option<IpAddr>,
    /// The header `User-Agent`.
    pub user_agent: Option<&'a str>,
    /// The header `Sec-Purpose`, or one of its forerunners.
    pub purpose: Option<&'a str>,
    /// The header `Accept-Language`.
    pub language: Option<&'a str>,
    /// The header `Referer`.
    pub referrer: Option<&'a str>,
}

impl<'a> Hints<'a> {
    /// What a visitor's own request tells.
    pub fn of(head: &Head<'a>, state: &State) -> Self {
        let headers = head.headers();
        Self {
            address: Some(Transport::of(head, &state.trusted_proxies).client),
            user_agent: text(headers, &USER_AGENT),
            purpose: PURPOSES.iter().find_map(|name| text(headers, name)),
            language: text(headers, &ACCEPT_LANGUAGE),
            referrer: text(headers, &REFERER),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
