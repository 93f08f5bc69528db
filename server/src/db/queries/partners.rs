//! Partners, for the operator and for jobs that go through all of them.

use diesel::prelude::*;

use super::Conn;
use crate::{
    db::{
        rows::accounts::{Partner, PartnerChanges},
        schema::partners,
        scope::PartnerScope,
    },
    domain::ids::PartnerId,
};

/// Inserts a partner.
pub fn insert(conn: &mut Conn, partner: &Partner) -> QueryResult<()> {
    diesel::insert_into(partners::table).values(partner).execute(conn).map(drop)
}

/// The partner of a scope.
pub fn get(conn: &mut Conn, scope: &PartnerScope) -> QueryResult<Partner> {
    partners::table.filter(partners::id.eq(scope.id())).select(Partner::as_select()).get_result(conn)
}

/// Changes a partner and returns it as it is then.
pub fn update(conn: &mut Conn, scope: &PartnerScope, changes: &PartnerChanges) -> QueryResult<Partner> {
    if changes.name.is_none() && changes.ip_storage.is_none() {
        return get(conn, scope);
    }
    diesel::update(partners::table.filter(partners::id.eq(scope.id())))
        .set(changes)
        .returning(Partner::as_returning())
        .get_result(conn)
}

/// Every partner's scope, for a job that does the same for each.
pub fn scopes(conn: &mut Conn) -> QueryResult<Vec<PartnerScope>> {
    let ids: Vec<PartnerId> = partners::table.order(partners::id).select(partners::id).load(conn)?;
    Ok(ids.into_iter().map(PartnerScope::established).collect())
}
