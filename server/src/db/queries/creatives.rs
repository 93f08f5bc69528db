//! Creatives of an advertiser.

use diesel::prelude::*;

use super::{Conn, Db, resource::resource};
use crate::{
    db::{
        errors::taken,
        list::{Listing, narrow},
        rows::setup::{Creative, CreativeChanges},
        schema::creatives,
        scope::PartnerScope,
    },
    domain::{
        ids::{CreativeId, Id, Reference},
        setup::Status,
        time::Timestamp,
    },
    error::{Error, Result},
};

resource!(creatives, CreativeId, Creative, CreativeChanges, [advertiser_id]);
