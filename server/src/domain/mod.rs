//! Values and rules, pure: no input or output, no clock, no chance, no diesel, no actix.
//! What a postback comes to is decided here, in `attribution`.

pub mod answer;
pub mod api_key;
pub mod attribution;
mod base32;
mod click_class;
pub mod click_id;
pub mod code;
pub mod conversion;
pub mod counted;
pub mod currency;
mod deep_link;
mod destination;
pub mod goal;
pub mod ids;
pub mod landing;
pub mod link_name;
mod macros;
pub mod master_key;
pub mod money;
pub mod month;
mod nearest;
pub mod parameters;
mod percent;
pub mod postback;
pub mod refusal;
pub mod report;
pub mod scopes;
pub mod setup;
pub mod signature;
mod signed_query;
mod signing_secret;
pub mod text;
pub mod time;
pub mod totals;
pub mod visitor;
mod words;
