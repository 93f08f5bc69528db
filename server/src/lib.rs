//! Tallyback: self-hosted server-to-server conversion tracking. The modules, in reading order.
//! Arrows point down only: `app` over `http` and `jobs`, these over `ingest`, all over `db`, `db` over `domain`.

pub mod clock;
pub mod config;
pub mod db;
pub mod domain;
pub mod error;
pub mod ingest;
pub mod jobs;
