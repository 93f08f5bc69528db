//! The queries, written once. This folder is mounted by `db::postgres` and by `db::sqlite`; `Conn` and `Db` are
//! theirs. One file per table group, and one per operation that takes several steps.
//!
//! What has a unique key is read with `get_result`: `first` binds a `LIMIT`, and a statement with one is prepared again
//! by SQLite each time: that was three quarters of what it took to look a link up.

use super::{
    Conn, Db, bulk, has_flag, lock_conversions, lock_postbacks, names_goal, snapshot, spill, start_of_hour,
};

pub mod adjust;
pub mod adjustments;
pub mod advertisers;
pub mod api_keys;
pub mod audit_events;
pub mod campaigns;
pub mod click_counts;
pub mod clicks;
pub mod conversions;
pub mod creatives;
pub mod currency_rates;
pub mod customer_bindings;
pub mod goal_counts;
pub mod goals;
pub mod health;
pub mod impressions;
pub mod installation;
pub mod leads;
pub mod links;
pub mod partners;
pub mod postbacks;
pub mod publishers;
pub mod record_adjustments;
pub mod record_capped_clicks;
pub mod record_clicks;
pub mod record_postbacks;
pub mod record_sightings;
pub mod replay;
pub mod reports;
pub mod rerun;
pub mod reruns;
mod resource;
pub mod settle_holds;
pub mod signing_keys;
pub mod totals;
pub mod verify;
