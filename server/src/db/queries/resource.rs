//! The queries that every set-up table has, as one macro: insert, find, get, list, update, archive.

/// Writes the queries of one table. `$filters` are the list's filters that this table has a column for.
macro_rules! resource {
    ($table:ident, $id:ty, $row:ty, $changes:ty, [$($filter:ident),*]) => {
        /// Inserts a row.
        pub fn insert(conn: &mut Conn, row: &$row) -> Result<()> {
            diesel::insert_into($table::table).values(row).execute(conn).map(drop).map_err(taken)
        }

        /// The row that an id or an external id names.
        pub fn find(conn: &mut Conn, scope: &PartnerScope, name: &Reference<$id>) -> QueryResult<Option<$row>> {
            let query = $table::table.filter($table::partner_id.eq(scope.id())).into_boxed::<Db>();
            let query = match name {
                Reference::Id(id) => query.filter($table::id.eq(id)),
                Reference::External(id) => query.filter($table::external_id.eq(id)),
            };
            query.select(<$row>::as_select()).get_result(conn).optional()
        }

        /// The row that an id or an external id names, or "not found".
        pub fn get(conn: &mut Conn, scope: &PartnerScope, name: &Reference<$id>) -> Result<$row> {
            find(conn, scope, name)?.ok_or_else(Error::not_found)
        }

        /// A page, newest first.
        pub fn list(conn: &mut Conn, scope: &PartnerScope, listing: &Listing) -> QueryResult<Vec<$row>> {
            let mut query = $table::table.filter($table::partner_id.eq(scope.id())).into_boxed::<Db>();
            query = match listing.status {
                Some(status) => query.filter($table::status.eq(status)),
                None => query.filter($table::status.ne(Status::Archived)),
            };
            let query = narrow!(query, $(listing.$filter => $table::$filter),*);
            let query = match listing.after {
                Some(id) => query.filter($table::id.lt(<$id>::from_bytes(id))),
                None => query,
            };
            query.order($table::id.desc()).limit(listing.rows()).select(<$row>::as_select()).load(conn)
        }

        /// Changes a row and returns it as it is then.
        pub fn update(conn: &mut Conn, scope: &PartnerScope, id: $id, changes: &$changes) -> Result<$row> {
            diesel::update($table::table.filter($table::partner_id.eq(scope.id())).filter($table::id.eq(id)))
                .set(changes)
                .returning(<$row>::as_returning())
                .get_result(conn)
                .map_err(taken)
        }

        /// Archives a row and returns it as it is then.
        pub fn archive(
            conn: &mut Conn,
            scope: &PartnerScope,
            name: &Reference<$id>,
            now: Timestamp,
        ) -> Result<$row> {
            let id = get(conn, scope, name)?.id;
            let row = $table::table.filter($table::partner_id.eq(scope.id())).filter($table::id.eq(id));
            let archived = diesel::update(row)
                .set(($table::status.eq(Status::Archived), $table::updated_at.eq(now)))
                .returning(<$row>::as_returning())
                .get_result(conn)?;
            Ok(archived)
        }
    };
}
pub(super) use resource;
