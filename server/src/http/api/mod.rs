//! The REST API: one file per resource, each with its wire types, its handlers, and what turns one into the other.

/// The id that a filter of a list names, if it names one. A name of somebody else's is not found.
macro_rules! filter {
    ($queries:ident, $conn:ident, $caller:ident, $name:ident, $table:ident, $pointer:literal) => {
        match &$name {
            Some(name) => Some(named($queries::$table::find($conn, &$caller.partner, name)?, $pointer)?.id),
            None => None,
        }
    };
}

pub mod adjustments;
pub mod advertiser_signing;
pub mod advertisers;
pub mod audit_events;
pub mod bulk_decisions;
pub mod bulk_reruns;
mod campaign_targeting;
pub mod campaigns;
pub mod clicks;
pub mod conversions;
pub mod creatives;
pub mod currency_rates;
mod goal_fields;
pub mod goal_forms;
mod goal_money;
mod goal_rules;
pub mod goals;
pub mod impressions;
pub mod links;
pub mod partner;
pub mod postback_explanations;
mod postback_filters;
pub mod postback_tail;
pub mod postbacks;
pub mod publishers;
pub mod reports;
mod rerun_intake;
pub mod reruns;
mod signing_key_views;
pub mod signing_keys;
mod visits;

use crate::{
    domain::ids::{Id, Reference},
    error::{Error, Result},
};

/// The thing that a path names; a text that names nothing is not found.
fn named_in_path<I: Id>(text: &str) -> Result<Reference<I>> {
    Reference::parse(text).map_err(|_| Error::not_found())
}

/// A row's own id in a path, for things that have no external id.
fn id_in_path<I: Id>(text: &str) -> Result<I> {
    I::parse(text).ok_or_else(Error::not_found)
}
