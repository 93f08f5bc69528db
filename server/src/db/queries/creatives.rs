//! Creatives of an advertiser.

use diesel::prelude::*;

use super::{Conn, Db, resource::resource};
use crate::{
    db::{
        list::{Listing, narrow},
        rows::setup::{Creative, CreativeChanges},
        schema::creatives,
        scope::PartnerScope,
    },
    domain::{
        ids::{CreativeId, Id, Reference},
        setup::Status,
    },
    error::{Error, Result},
};

resource!(creatives, CreativeId, Creative, CreativeChanges, [advertiser_id]);
