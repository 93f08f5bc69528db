//! The front of the house: routes, extractors, wire types. A handler parses, calls one operation, presents the
//! answer. No rule about conversions, no SQL.

pub mod api;
mod body;
mod caller;
mod changes;
pub mod docs;
pub mod fallback;
mod fields;
mod health;
pub mod openapi;
mod page;
mod problem;
mod request_id;
pub mod routes;
mod schemas;
mod stopping;
mod track;
mod transport;

use std::sync::{Arc, atomic::AtomicBool};

use ipnet::IpNet;

pub use changes::forget_what_changed;
pub use request_id::with_request_id;
pub use stopping::say_when_stopping;
pub use track::counters::Counters;

use crate::{
    cache::Cache,
    clock::Clock,
    db::{Store, spool::Spool},
    domain::master_key::MasterKey,
    geo::Geo,
    ingest::Ingest,
};

/// What every handler can reach.
#[derive(Clone)]
pub struct State {
    /// The database.
    pub store: Store,
    /// What is known of the partners' set-up.
    pub cache: Cache,
    /// The writers of clicks and postbacks.
    pub ingest: Ingest,
    /// Where clicks and postbacks wait while the database is away.
    pub spool: Spool,
    /// Whether the server is about to stop.
    pub is_stopping: Arc<AtomicBool>,
    /// The clock.
    pub clock: Clock,
    /// Seals signing secrets and derives the keys of click ids.
    pub master_key: Arc<MasterKey>,
    /// Countries, regions and providers.
    pub geo: Arc<Geo>,
    /// What visits left no row.
    pub counters: Arc<Counters>,
    /// Proxies that are believed.
    pub trusted_proxies: Arc<[IpNet]>,
    /// What tracking links start with.
    pub public_url: Arc<str>,
}
