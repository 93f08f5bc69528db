//! A key of postbacks as it is kept in memory: ready to check what it signs.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use ipnet::IpNet;

use crate::{
    db::{rows::accounts::SigningKey, scope::PartnerScope},
    domain::{
        attribution::{KeyPowers, Proof},
        click_id::ClickIdKey,
        ids::KeyId,
        master_key::MasterKey,
        scopes::Scope,
        signature::SigningSecret,
        signing::KeyKind,
        time::Timestamp,
    },
};

/// How many seconds a use is not noted again.
const NOTE_EVERY_SECONDS: i64 = 10;

/// A signing key or a token.
pub struct KnownKey {
    /// Whose key it is.
    pub scope: PartnerScope,
    /// The row.
    pub row: SigningKey,
    /// Its secret; none if it is a token, or if it cannot be opened.
    pub secret: Option<SigningSecret>,
    /// Where it works; empty: everywhere.
    pub allowed_ips: Vec<IpNet>,
    /// The key of the partner's click ids.
    pub click_ids: ClickIdKey,
    /// When it was last noted that it was used, in Unix seconds.
    noted: AtomicI64,
}

impl KnownKey {
    pub(super) fn new(scope: PartnerScope, row: SigningKey, master_key: &MasterKey) -> Self {
        let secret = SigningSecret::open(master_key, scope.id(), row.id, &row.secret_sealed);
        if secret.is_none() && row.kind == KeyKind::Signature {
            let version = master_key.version_of(&row.secret_sealed);
            tracing::error!(key_id = %row.id, version, "the secret of a signing key cannot be opened; what it signs is refused");
        }
        // They were read when they were stored: one that cannot be read now allows nothing.
        let allowed_ips = row.allowed_ips.0.iter().filter_map(|text| text.parse().ok()).collect();
        let click_ids = ClickIdKey::derive(master_key, scope.id());
        Self { scope, row, secret, allowed_ips, click_ids, noted: AtomicI64::new(0) }
    }

    /// What it may do with a report that proved so much.
    pub fn powers(&self, proof: Proof) -> KeyPowers {
        let may_decide = self.has(Scope::StatusWrite) && !matches!(proof, Proof::NotEnforced(_));
        KeyPowers { advertisers: self.row.advertiser_ids.0.clone(), may_decide_status: may_decide, proof }
    }

    /// Whether it has a scope.
    pub fn has(&self, scope: Scope) -> bool {
        self.row.scopes.0.iter().any(|word| word == scope.as_str())
    }

    /// Whether it works from an address.
    pub fn works_from(&self, address: IpAddr) -> bool {
        self.row.allowed_ips.0.is_empty() || self.allowed_ips.iter().any(|network| network.contains(&address))
    }
}

/// When keys were last used, as this process knows it. Cheap to clone.
#[derive(Clone, Default)]
pub struct KeyUses(Arc<Mutex<HashMap<KeyId, Use>>>);

/// A use of a key.
#[derive(Clone, Copy)]
pub struct Use {
    /// Whose key.
    pub scope: PartnerScope,
    /// When it was.
    pub at: Timestamp,
    is_written: bool,
}

impl KeyUses {
    /// Notes that a key was used, now and then.
    pub fn note(&self, key: &KnownKey, now: Timestamp) {
        if now.seconds() - key.noted.load(Ordering::Relaxed) >= NOTE_EVERY_SECONDS {
            key.noted.store(now.seconds(), Ordering::Relaxed);
            let used = Use { scope: key.scope, at: now, is_written: false };
            self.with(|uses| uses.insert(key.row.id, used));
        }
    }

    /// When a key was last used.
    pub fn last(&self, key: KeyId) -> Option<Timestamp> {
        self.with(|uses| uses.get(&key).map(|used| used.at))
    }

    /// What is to be written down.
    pub fn unwritten(&self) -> Vec<(KeyId, Use)> {
        self.with(|uses| {
            uses.iter().filter(|(_, used)| !used.is_written).map(|(id, used)| (*id, *used)).collect()
        })
    }

    /// A use has been written down.
    pub fn written(&self, key: KeyId, at: Timestamp) {
        self.with(|uses| {
            if let Some(used) = uses.get_mut(&key).filter(|used| used.at == at) {
                used.is_written = true;
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<KeyId, Use>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
