//! Advertisers: whose conversions are tracked.

use diesel::prelude::*;

use super::{Conn, Db, resource::resource};
use crate::{
    db::{
        errors::taken,
        list::{Listing, narrow},
        rows::setup::{Advertiser, AdvertiserChanges},
        schema::advertisers,
        scope::PartnerScope,
    },
    domain::{
        ids::{AdvertiserId, Id, Reference},
        setup::Status,
        time::Timestamp,
    },
    error::{Error, Result},
};

resource!(advertisers, AdvertiserId, Advertiser, AdvertiserChanges, []);

/// The ids of at most two advertisers that are in use: enough to know whether there is only one.
pub fn first_two(conn: &mut Conn, scope: &PartnerScope) -> QueryResult<Vec<AdvertiserId>> {
    advertisers::table
        .filter(advertisers::partner_id.eq(scope.id()))
        .filter(advertisers::status.ne(Status::Archived))
        .order(advertisers::id)
        .limit(2)
        .select(advertisers::id)
        .load(conn)
}
