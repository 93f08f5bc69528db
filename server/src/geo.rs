//! Where an address is, and whose: looked up in database files that the operator names, and that may be replaced while
//! the server runs. Without them, nobody is anywhere.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use maxminddb::{LookupResult, PathElement, Reader, path};

use crate::config::ConfigError;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const PLACES: &str = "TALLYBACK_GEO_DATABASE (--geo-database)";
const PROVIDERS: &str = "TALLYBACK_ISP_DATABASE (--isp-database)";

/// What is known of an address.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Location {
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// ISO 3166-2, such as `DE-BE`.
    pub region: Option<String>,
    /// The provider, or else who runs the network.
    pub isp: Option<String>,
}

/// The open databases.
pub struct Geo {
    places: Option<File>,
    providers: Option<File>,
}

impl Geo {
    /// Opens the files that are configured: one with countries, and perhaps regions; one with providers.
    pub fn open(places: Option<&Path>, providers: Option<&Path>) -> Result<Self, ConfigError> {
        let open = |setting, path: Option<&Path>| path.map(|path| File::open(setting, path)).transpose();
        Ok(Self { places: open(PLACES, places)?, providers: open(PROVIDERS, providers)? })
    }

    /// What the files say about an address.
    pub fn locate(&self, address: IpAddr) -> Location {
        let mut location = Location::default();
        if let Some(reader) = self.places.as_ref().map(File::reader)
            && let Ok(found) = reader.lookup(address)
        {
            location.country = text(&found, &path!["country", "iso_code"]);
            let part = text(&found, &path!["subdivisions", 0, "iso_code"]);
            location.region =
                location.country.as_ref().zip(part).map(|(land, part)| format!("{land}-{part}"));
        }
        if let Some(reader) = self.providers.as_ref().map(File::reader)
            && let Ok(found) = reader.lookup(address)
        {
            let owner = || text(&found, &path!["autonomous_system_organization"]);
            location.isp = text(&found, &path!["isp"]).or_else(owner);
        }
        location
    }

    /// Reads the files again that have changed since they were read. One that cannot be used is told, once, and what
    /// was read before it stays. Blocks.
    pub fn reload(&self) {
        [&self.places, &self.providers].into_iter().flatten().for_each(File::reload);
    }

    /// Looks after the files for as long as the runtime lives.
    pub fn follow(self: Arc<Self>) {
        if self.places.is_none() && self.providers.is_none() {
            return;
        }
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(LOOK_EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let geo = self.clone();
                drop(tokio::task::spawn_blocking(move || geo.reload()).await);
            }
        });
    }
}

fn text(found: &LookupResult<'_, Vec<u8>>, path: &[PathElement<'_>]) -> Option<String> {
    found.decode_path::<String>(path).ok().flatten().filter(|text| !text.is_empty())
}

/// One database file.
struct File {
    setting: &'static str,
    path: PathBuf,
    reader: RwLock<Arc<Reader<Vec<u8>>>>,
    /// What the file looked like when it was last read, used or not.
    seen: Mutex<Option<Stamp>>,
}

/// Changes with the file.
type Stamp = (SystemTime, u64);

impl File {
    fn open(setting: &'static str, path: &Path) -> Result<Self, ConfigError> {
        let seen = Mutex::new(stamp(path));
        let reader = RwLock::new(read(setting, path)?);
        Ok(Self { setting, path: path.to_owned(), reader, seen })
    }

    fn reader(&self) -> Arc<Reader<Vec<u8>>> {
        self.reader.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn reload(&self) {
        let now = stamp(&self.path);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if now == *seen {
            return;
        }
        *seen = now;
        match read(self.setting, &self.path) {
            Ok(fresh) => {
                *self.reader.write().unwrap_or_else(PoisonError::into_inner) = fresh;
                tracing::info!(file = %self.path.display(), "geo database read again");
            }
            Err(error) => tracing::error!(%error, "the old geo database stays"),
        }
    }
}

fn read(setting: &str, path: &Path) -> Result<Arc<Reader<Vec<u8>>>, ConfigError> {
    let reader = Reader::open_readfile(path);
    reader
        .map(Arc::new)
        .map_err(|error| ConfigError::new(setting, format!("cannot use {}: {error}", path.display())))
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
