//! The head of a request, as whoever answers it needs it: the same for requests of the framework and for those that are
//! answered in front of it.

use std::{
    cell::Cell,
    net::{IpAddr, Ipv4Addr},
};

use actix_web::{HttpRequest, dev::RequestHead, http::header::HeaderMap};

use super::track::rate_limits::Standing;

/// The head of a request.
pub struct Head<'a> {
    head: &'a RequestHead,
    /// Whether the request came over TLS.
    pub is_tls: bool,
    /// Where its sender stands, once that was looked at.
    pub standing: Cell<Option<Standing>>,
}

impl<'a> Head<'a> {
    /// A head, and whether it came over TLS.
    pub fn new(head: &'a RequestHead, is_tls: bool) -> Self {
        Self { head, is_tls, standing: Cell::default() }
    }

    /// The head of a request that the framework has found a handler for.
    pub fn of(request: &'a HttpRequest) -> Self {
        Self::new(request.head(), request.app_config().secure())
    }

    /// The path.
    pub fn path(&self) -> &'a str {
        self.head.uri.path()
    }

    /// The query; empty if there is none.
    pub fn query(&self) -> &'a str {
        self.head.uri.query().unwrap_or_default()
    }

    /// The headers.
    pub fn headers(&self) -> &'a HeaderMap {
        self.head.headers()
    }

    /// The address at the other end of the connection.
    pub fn peer(&self) -> IpAddr {
        let peer = self.head.peer_addr.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        peer.to_canonical()
    }
}
