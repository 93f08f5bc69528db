//! Rows as the tables hold them, one struct per table, used to read and to insert. They stay inside the server:
//! none derives `Serialize`, so that a column cannot leak by being added.

pub mod accounts;
pub mod document;
pub mod packed;
pub mod people;
pub mod records;
pub mod setup;
