//! Links, and the directory from a link's number to its partner.

use diesel::prelude::*;

use super::{Conn, Db, advertisers, campaigns, partners, publishers, resource::resource};
use crate::{
    db::{
        errors::taken,
        list::{Listing, narrow},
        rows::setup::{Link, LinkChanges, Route},
        schema::{link_directory, links},
        scope::PartnerScope,
    },
    domain::{
        click_id::LinkNumber,
        ids::{Id, LinkId, Reference},
        link_name::LinkName,
        setup::Status,
        time::Timestamp,
    },
    error::{Error, Result},
};

resource!(links, LinkId, Link, LinkChanges, [advertiser_id, campaign_id, publisher_id]);

/// Claims a number for a link; false when the number is taken.
pub fn claim_number(
    conn: &mut Conn,
    scope: &PartnerScope,
    link: LinkId,
    number: LinkNumber,
) -> QueryResult<bool> {
    let entry = (
        link_directory::number.eq(i64::from(number.0)),
        link_directory::link_id.eq(link),
        link_directory::partner_id.eq(scope.id()),
    );
    let inserted = diesel::insert_into(link_directory::table)
        .values(entry)
        .on_conflict(link_directory::number)
        .do_nothing()
        .execute(conn)?;
    Ok(inserted == 1)
}

/// The way of a click on a link: one of the few places that lead from the outside to a partner.
pub fn route(conn: &mut Conn, name: LinkName) -> Result<Option<Route>> {
    let directory = link_directory::table.select((link_directory::partner_id, link_directory::link_id));
    let entry = match name {
        LinkName::Number(number) => directory.find(i64::from(number.0)).get_result(conn).optional(),
        LinkName::Id(id) => directory.filter(link_directory::link_id.eq(id)).get_result(conn).optional(),
    }?;
    let Some((partner_id, link_id)) = entry else { return Ok(None) };
    let scope = PartnerScope::established(partner_id);
    let Some(link) = find(conn, &scope, &Reference::Id(link_id))? else { return Ok(None) };
    let campaign = campaigns::get(conn, &scope, &Reference::Id(link.campaign_id))?;
    let advertiser = advertisers::get(conn, &scope, &Reference::Id(link.advertiser_id))?;
    let partner = partners::get(conn, &scope)?;
    let publisher =
        link.publisher_id.map(|id| publishers::get(conn, &scope, &Reference::Id(id))).transpose()?;
    let publisher_status = publisher.map(|publisher| publisher.status);
    Ok(Some(Route { scope, partner, link, campaign, advertiser, publisher_status }))
}
