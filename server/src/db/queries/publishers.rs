//! Publishers: who sends the traffic.

use diesel::prelude::*;

use super::{Conn, Db, resource::resource};
use crate::{
    db::{
        errors::taken,
        list::{Listing, narrow},
        rows::setup::{Publisher, PublisherChanges},
        schema::publishers,
        scope::PartnerScope,
    },
    domain::{
        ids::{Id, PublisherId, Reference},
        setup::Status,
        time::Timestamp,
    },
    error::{Error, Result},
};

resource!(publishers, PublisherId, Publisher, PublisherChanges, []);
