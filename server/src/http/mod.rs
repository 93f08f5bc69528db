//! The front of the house: routes, extractors, wire types. A handler parses, calls one operation, presents the
//! answer. No rule about conversions, no SQL.

pub mod api;
mod body;
mod caller;
mod changes;
mod connections;
pub mod docs;
pub mod door;
pub mod fallback;
mod fields;
mod front;
mod head;
mod health;
pub mod metrics;
pub mod openapi;
mod page;
mod problem;
mod request_id;
pub mod routes;
mod schemas;
pub mod server;
mod stopping;
mod track;
mod transport;

use std::sync::{Arc, atomic::AtomicBool};

use ipnet::IpNet;

pub use api::postback_tail::Tails;
pub use track::{batch::Batches, counters::Counters, rate_limits::RateLimits};

use door::Door;

use crate::{
    cache::{Cache, KeyUses},
    clock::Clock,
    db::{Store, spool::Spool},
    domain::master_key::MasterKey,
    geo::Geo,
    ingest::Ingest,
    metrics::Metrics,
};

/// What every handler can reach.
#[derive(Clone)]
pub struct State {
    /// The REST API's share of the database.
    pub store: Store,
    /// All of the database.
    pub whole_store: Store,
    /// Who may come in.
    pub door: Arc<Door>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is known of the partners' set-up.
    pub cache: Cache,
    /// When keys were last used.
    pub key_uses: KeyUses,
    /// How many reports have come in this minute.
    pub rate_limits: Arc<RateLimits>,
    /// How many batches are under way.
    pub batches: Arc<Batches>,
    /// Who watches the log of postbacks.
    pub tails: Arc<Tails>,
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
