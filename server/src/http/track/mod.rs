//! What visitors and advertisers' back ends call: clicks, impressions and postbacks.

pub mod adjustment_batch;
pub mod adjustments;
pub mod batch;
mod click_query;
pub mod clicks;
pub mod conversion_batch;
mod conversion_report;
pub mod counters;
pub mod credentials;
mod describe;
pub mod frequent;
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

/// Where postbacks are sent: whatever is wrong with one, it has the body of an answer to a postback.
pub const POSTBACKS: [&str; 5] =
    ["/v1/postback", "/v1/conversions", "/v1/conversions/batch", "/v1/adjustments", "/v1/adjustments/batch"];
