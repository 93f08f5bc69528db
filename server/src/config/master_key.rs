//! Where the master key comes from.

use std::{
    fs,
    io::{ErrorKind, Write},
    path::Path,
};

use tempfile::NamedTempFile;

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

/// Makes the file. It appears with the whole key in it, so that whoever starts at the same time reads all of it.
fn make(path: &Path, data_dir: &Path) -> Result<MasterKey, ConfigError> {
    let key = MasterKey::from_bytes(clock::random());
    let written = make_private_folder(data_dir).and_then(|()| {
        let mut file = NamedTempFile::new_in(data_dir)?;
        file.write_all(key.to_text().as_bytes())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path)?;
        fs::File::open(data_dir)?.sync_all()
    });
    match written {
        Ok(()) => Ok(key),
        // Another process was faster: its key counts.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read_or_make(Some(path), data_dir),
        Err(error) => Err(ConfigError::new(NAME, format!("cannot make {}: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, thread};

    use super::*;

    #[test]
    fn whoever_starts_at_the_same_time_has_the_same_key() {
        const STARTS: usize = 8;
        for _ in 0..50 {
            let folder = tempfile::tempdir().unwrap();
            let start = || read_or_make(None, folder.path()).unwrap().to_text();
            let keys: Vec<_> = thread::scope(|scope| {
                let starts: Vec<_> = (0..STARTS).map(|_| scope.spawn(start)).collect();
                starts.into_iter().map(|start| start.join().unwrap()).collect()
            });
            assert!(keys.iter().all(|key| key == &keys[0]));
            let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
            assert_eq!(files.len(), 1, "{files:?}");
            assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
