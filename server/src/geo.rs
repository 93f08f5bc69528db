//! Where an address is: looked up in a database file that the operator names. Without one, nobody is anywhere.

use std::{net::IpAddr, path::Path};

use maxminddb::{Reader, path};

use crate::config::ConfigError;

/// An open country database, or none.
pub struct Geo(Option<Reader<Vec<u8>>>);

impl Geo {
    /// Opens the file, if one is configured.
    pub fn open(file: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(file) = file else { return Ok(Self(None)) };
        let reader = Reader::open_readfile(file).map_err(|error| {
            let problem = format!("cannot use {}: {error}", file.display());
            ConfigError::new("TALLYBACK_GEO_DATABASE (--geo-database)", problem)
        })?;
        Ok(Self(Some(reader)))
    }

    /// The country of an address, as ISO 3166-1 alpha-2.
    pub fn country(&self, address: IpAddr) -> Option<String> {
        let found = self.0.as_ref()?.lookup(address).ok()?;
        found.decode_path::<String>(&path!["country", "iso_code"]).ok().flatten()
    }
}
