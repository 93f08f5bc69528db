//! Tallyback: self-hosted server-to-server conversion tracking. The modules, in reading order.
//! Arrows point down only: `app` over `http` and `jobs`, these over `cache` and `ingest`, all over `db`, `db` over `domain`.

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
pub mod operator;

pub mod http;
pub mod jobs;
pub mod tls;

pub mod cache;
pub mod ingest;

pub mod db;

pub mod domain;

pub mod clock;
pub mod error;
pub mod geo;
pub mod metrics;
