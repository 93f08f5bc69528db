//! Campaigns of an advertiser.

use diesel::prelude::*;

use super::{Conn, Db, resource::resource};
use crate::{
    db::{
        errors::taken,
        list::{Listing, narrow},
        rows::setup::{Campaign, CampaignChanges},
        schema::campaigns,
        scope::PartnerScope,
    },
    domain::{
        ids::{CampaignId, Id, Reference},
        setup::Status,
        time::Timestamp,
    },
    error::{Error, Result},
};

resource!(campaigns, CampaignId, Campaign, CampaignChanges, [advertiser_id]);
