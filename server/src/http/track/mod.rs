//! What visitors and advertisers' back ends call: clicks and postbacks.

pub mod clicks;
mod conversion_report;
pub mod credentials;
mod masked;
mod pages;
pub mod postbacks;
