//! What is known, in a file, so that a server that starts without its database knows it too. It is sealed under the
//! master key: what was damaged, altered or made by another installation does not open.

use std::{
    fs,
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use tokio::time::Instant;

use super::{
    Cache, KnownKey, KnownRoute,
    forms::{Key, Known, LinkRoute, RestKey, Rules, owner},
};
use crate::{clock, domain::link_name::LinkName};

/// Names the form; another one gets another name.
const CONTEXT: &[u8] = b"known set-up/3";
/// How often it is written, if it has changed.
const EVERY: Duration = Duration::from_secs(10);
/// The most of a processor that it takes where very much is known: one part in so many.
const SHARE: u32 = 20;

/// What is known, to be kept in a file. Cheap to clone.
#[derive(Clone)]
pub struct Snapshot(Arc<Kept>);

struct Kept {
    cache: Cache,
    path: PathBuf,
    /// The hash of what was written last.
    written: Mutex<Option<Vec<u8>>>,
}

impl Snapshot {
    /// What is known, to be kept in a file.
    pub fn new(cache: &Cache, path: PathBuf) -> Self {
        Self(Arc::new(Kept { cache: cache.clone(), path, written: Mutex::default() }))
    }

    /// Takes in what the file says. Without one, or with one that does not open, nothing is known.
    pub fn load(&self) {
        let Kept { cache, path, .. } = &*self.0;
        let why = match fs::read(path).map(|sealed| cache.read(&sealed)) {
            Ok(Some(known)) => return cache.restore(known),
            Ok(None) => "it is damaged, or was made with another master key or by another version".to_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) => error.to_string(),
        };
        tracing::warn!(path = %path.display(), why, "what was known of the set-up cannot be read");
    }

    /// Writes the file again and again, and at once when the database goes away.
    pub async fn keep(self) {
        let gate = self.0.cache.0.store.gate().clone();
        loop {
            let began = Instant::now();
            self.save().await;
            let pause = EVERY.max(began.elapsed() * SHARE);
            drop(tokio::time::timeout(pause, gate.closing()).await);
        }
    }

    /// Writes the file if anything has changed since.
    pub async fn save(&self) {
        let kept = self.0.clone();
        drop(tokio::task::spawn_blocking(move || kept.save()).await);
    }
}

impl Kept {
    fn save(&self) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let plain = self.cache.write();
        let hash = digest(&SHA256, &plain).as_ref().to_vec();
        if written.as_ref() == Some(&hash) {
            return;
        }
        let sealed = self.cache.0.master_key.seal(CONTEXT, clock::random(), &plain);
        match replace(&self.path, &sealed) {
            Ok(()) => *written = Some(hash),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "what is known of the set-up cannot be kept");
            }
        }
    }
}

/// Puts a file in place of another, whole, for its owner alone.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let fresh = PathBuf::from(name);
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(content).and_then(|()| file.sync_all())?;
    fs::rename(&fresh, path)
}

/// A link is known under two names, and written once.
fn once(name: LinkName, known: &KnownRoute) -> Option<LinkRoute> {
    matches!(name, LinkName::Number(_)).then(|| LinkRoute(known.route.clone()))
}

impl Cache {
    fn write(&self) -> Vec<u8> {
        let shelves = &self.0;
        let known = Known {
            routes: shelves.routes.each(|name, known| once(*name, known)).into_iter().flatten().collect(),
            keys: shelves.keys.each(|_, known| Key(known.row.clone())),
            api_keys: shelves.api_keys.each(|_, row| RestKey(row.clone())),
            rules: shelves
                .rules
                .each(|(partner, advertiser), rules| (*partner, *advertiser, Rules(rules.clone()))),
            rates: shelves.rates.each(|(partner, pair), dated| (*partner, *pair, dated.clone())),
            advertisers: shelves.advertisers.each(|(partner, name), known| (*partner, name.clone(), *known)),
            links: shelves.links.each(|(partner, name), id| (*partner, name.clone(), *id)),
            publishers: shelves.publishers.each(|(partner, name), id| (*partner, name.clone(), *id)),
            creatives: shelves.creatives.each(|(partner, name), found| (*partner, name.clone(), *found)),
            some_advertisers: shelves.some_advertisers.each(|partner, ids| (*partner, ids.clone())),
        };
        serde_json::to_vec(&known).unwrap_or_default()
    }

    fn read(&self, sealed: &[u8]) -> Option<Known> {
        serde_json::from_slice(&self.0.master_key.open(CONTEXT, sealed)?).ok()
    }

    fn restore(&self, known: Known) {
        let shelves = &self.0;
        shelves.routes.restore(known.routes.into_iter().flat_map(|LinkRoute(route)| {
            let known = Arc::new(KnownRoute::new(route, &shelves.master_key));
            known.names().map(|name| (name, known.route.scope.id(), known.clone()))
        }));
        shelves.keys.restore(known.keys.into_iter().map(|Key(row)| {
            let scope = owner::of(row.partner_id);
            (row.id, scope.id(), KnownKey::new(scope, row, &shelves.master_key))
        }));
        let api_keys = known.api_keys.into_iter();
        shelves.api_keys.restore(api_keys.map(|RestKey(row)| (row.id, row.partner_id, row)));
        shelves.rules.restore(
            known
                .rules
                .into_iter()
                .map(|(partner, advertiser, Rules(rules))| ((partner, advertiser), partner, rules)),
        );
        macro_rules! by_name { ($($shelf:ident),*) => { $(shelves.$shelf.restore(
            known.$shelf.into_iter().map(|(partner, name, value)| ((partner, name), partner, value)),
        );)* } }
        by_name!(advertisers, links, publishers, creatives, rates);
        let some = known.some_advertisers.into_iter();
        shelves.some_advertisers.restore(some.map(|(partner, ids)| (partner, partner, ids)));
    }
}
