//! What visitors and advertisers' back ends call: clicks and postbacks.

mod click_query;
pub mod clicks;
mod conversion_report;
pub mod credentials;
mod masked;
mod pages;
pub mod postbacks;
mod user_agents;
