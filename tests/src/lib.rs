//! The harness of the end-to-end tests: a database, a server, an agency with an advertiser, a visitor.
//!
//! A test runs on SQLite, or on PostgreSQL when `TEST_DATABASE_URL` names a server on which databases can be made
//! (`tests/postgres COMMAND` starts one). Every test has a database of its own.
//!
//! | module | holds |
//! | --- | --- |
//! | `database` | a fresh database |
//! | `cluster` | a PostgreSQL of one test's own, which can be stopped |
//! | `app` | the server in this process, with a clock that a test can set |
//! | `process` | the server as a program of its own, which can be killed |
//! | `kills` | kill -9 under load, and what is there afterwards |
//! | `agency` | a partner and its API key |
//! | `acme` | an advertiser with everything that a conversion needs |
//! | `answer` | what came back |
//! | `raw` | bytes on a connection |
//! | `proxy`, `outage` | what can happen to a database |
//! | `load` | visitors who click and buy, and what they were answered |
//! | `signer` | signatures, made by other code than the server's |
#![expect(clippy::unwrap_used, reason = "a harness that cannot go on is a failed test")]

mod acme;
mod agency;
mod answer;
mod app;
mod cluster;
mod database;
mod kills;
mod load;
mod outage;
mod process;
mod proxy;
mod raw;
mod signer;

pub use acme::{Acme, now, signer};
pub use agency::Agency;
pub use answer::{Answer, Visit, client, parameter, visit, with_parameter};
pub use app::{TestApp, master_key};
pub use cluster::Cluster;
pub use database::{Held, TestDatabase};
pub use kills::{Acknowledged, Tally, kill_under_load, texts};
pub use load::{Clicked, Load, Seen, Sold};
pub use outage::{Frail, Outage};
pub use process::{Ended, Process, run};
pub use proxy::{Line, Proxy};
pub use raw::Raw;
pub use signer::Signer;

/// A browser, as it names itself.
pub const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
