//! What visitors and advertisers' back ends call: clicks, impressions and postbacks.

pub mod adjustment_batch;
pub mod adjustments;
pub mod batch;
mod click_query;
pub mod clicks;
mod conversion_report;
pub mod counters;
pub mod credentials;
mod describe;
pub mod hints;
pub mod impressions;
mod intake;
mod masked;
mod pages;
pub mod postbacks;
mod preview;
pub mod rate_limits;
mod user_agents;
pub mod visit;
