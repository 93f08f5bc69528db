//! Where the master key comes from.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use super::{ConfigError, make_private_folder};
use crate::{clock, domain::master_key::MasterKey};

const NAME: &str = "TALLYBACK_MASTER_KEY_FILE (--master-key-file)";

/// Reads a key's text: base64, or several versions in lines.
pub(super) fn parse(name: &str, text: &str) -> Result<MasterKey, ConfigError> {
    MasterKey::parse_versions(text).map_err(|problem| {
        ConfigError::new(
            name,
            format!("is not the base64 of 32 bytes, nor a line of it for each version: {problem}; make one with `openssl rand -base64 32`"),
        )
    })
}

/// Reads the key from its file. A named file must be there; the default one is made.
pub(super) fn read_or_make(named: Option<&Path>, data_dir: &Path) -> Result<MasterKey, ConfigError> {
    let default = data_dir.join("master.key");
    let path = named.unwrap_or(&default);
    match fs::read_to_string(path) {
        Ok(text) => parse(NAME, &text),
        Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => make(path, data_dir),
        Err(error) => Err(ConfigError::new(NAME, format!("cannot read {}: {error}", path.display()))),
    }
}

fn make(path: &Path, data_dir: &Path) -> Result<MasterKey, ConfigError> {
    let key = MasterKey::from_bytes(clock::random());
    let written = make_private_folder(data_dir).and_then(|()| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(key.to_text().as_bytes())?;
        file.sync_all()
    });
    match written {
        Ok(()) => Ok(key),
        // Another process was faster: its key counts.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read_or_make(Some(path), data_dir),
        Err(error) => Err(ConfigError::new(NAME, format!("cannot make {}: {error}", path.display()))),
    }
}
