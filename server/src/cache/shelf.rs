//! One kind of thing that is kept in memory: what was found, and what was looked for in vain.

use std::{
    hash::Hash,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::domain::{ids::PartnerId, time::Timestamp};

/// How long an answer is believed, in seconds, when nobody says that it has changed.
const LIFE_SECONDS: i64 = 10;
/// How long it serves beyond that while somebody looks it up again, in seconds: no longer than a look-up may take, and
/// whatever comes of it.
const AGAIN_SECONDS: i64 = 2;
/// Most things that are kept; beyond it all are dropped and looked up again.
const MOST_FOUND: usize = 100_000;
/// Most names that are known to mean nothing.
const MOST_UNKNOWN: usize = 10_000;

/// Things by name.
pub(super) struct Shelf<K, V> {
    kept: RwLock<Kept<K, V>>,
    /// Counts what was forgotten, so that an answer from before a change is not kept after it.
    changes: AtomicU64,
}

struct Kept<K, V> {
    found: HashMap<K, Found<V>>,
    unknown: HashMap<K, Timestamp>,
}

/// By names that strangers may choose: the hash is seeded with chance, and quick.
type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

struct Found<V> {
    partner: PartnerId,
    value: Arc<V>,
    /// None: it is doubted.
    until: Option<Timestamp>,
    /// Whether somebody looks it up again, since its time is over.
    is_looked_up: AtomicBool,
}

impl<V> Found<V> {
    fn new(partner: PartnerId, value: Arc<V>, until: Option<Timestamp>) -> Self {
        Self { partner, value, until, is_looked_up: AtomicBool::new(false) }
    }

    /// Whether it may serve. When its time is over, one who asks is told that it may not, and looks it up; to the
    /// others, who would all do the same, it serves for a moment until that is done.
    fn may_serve(&self, now: Timestamp) -> bool {
        let Some(until) = self.until else { return false };
        let is_being_looked_up =
            || now < until.plus_seconds(AGAIN_SECONDS) && self.is_looked_up.swap(true, Ordering::Relaxed);
        now < until || is_being_looked_up()
    }
}

/// When a look-up began, in the count of changes.
#[derive(Clone, Copy)]
pub(super) struct Begun(u64);

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        let kept = Kept { found: HashMap::default(), unknown: HashMap::default() };
        Self { kept: RwLock::new(kept), changes: AtomicU64::new(0) }
    }
}

impl<K: Hash + Eq + Clone, V> Shelf<K, V> {
    /// What is known about a name and still believed: `Some(None)` means that it names nothing.
    pub fn get(&self, name: &K, now: Timestamp) -> Option<Option<Arc<V>>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        match kept.found.get(name) {
            Some(found) => found.may_serve(now).then(|| Some(found.value.clone())),
            None => kept.unknown.get(name).filter(|until| now < **until).map(|_| None),
        }
    }

    /// What was last known about a name, however long ago.
    pub fn last(&self, name: &K) -> Option<Arc<V>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.found.get(name).map(|found| found.value.clone())
    }

    /// To be called before a look-up.
    pub fn begin(&self) -> Begun {
        Begun(self.changes.load(Ordering::SeqCst))
    }

    /// Keeps the answer of a look-up, unless something has changed since it began.
    pub fn put(&self, name: K, found: Option<(PartnerId, Arc<V>)>, begun: Begun, now: Timestamp) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if self.changes.load(Ordering::SeqCst) != begun.0 {
            return;
        }
        let until = now.plus_seconds(LIFE_SECONDS);
        match found {
            Some((partner, value)) => {
                make_room(&mut kept.found, MOST_FOUND);
                kept.unknown.remove(&name);
                kept.found.insert(name, Found::new(partner, value, Some(until)));
            }
            None => {
                make_room(&mut kept.unknown, MOST_UNKNOWN);
                kept.found.remove(&name);
                kept.unknown.insert(name, until);
            }
        }
    }

    /// Forgets what is known of a partner, and every name that meant nothing: it may mean something now. Returns the names
    /// of what it has forgotten.
    pub fn forget(&self, partner: PartnerId) -> Vec<K> {
        self.change(|kept| {
            kept.found.extract_if(|_, found| found.partner == partner).map(|(name, _)| name).collect()
        })
    }

    /// Believes nothing any more of a partner, or of any: it serves only where nothing better is to be had.
    pub fn doubt(&self, partner: Option<PartnerId>) {
        self.change(|kept| {
            let doubted = |found: &&mut Found<V>| partner.is_none_or(|partner| found.partner == partner);
            kept.found.values_mut().filter(doubted).for_each(|found| found.until = None);
        });
    }

    /// Something of everything that is known, believed or not.
    pub fn each<T>(&self, of: impl Fn(&K, &V) -> T) -> Vec<T> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.found.iter().map(|(name, found)| of(name, &found.value)).collect()
    }

    /// Takes in what was known earlier, to serve only where nothing better is to be had.
    pub fn restore(&self, earlier: impl Iterator<Item = (K, PartnerId, impl Into<Arc<V>>)>) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        for (name, partner, value) in earlier.take(MOST_FOUND) {
            kept.found.entry(name).or_insert(Found::new(partner, value.into(), None));
        }
    }

    fn change<T>(&self, forget: impl FnOnce(&mut Kept<K, V>) -> T) -> T {
        self.changes.fetch_add(1, Ordering::SeqCst);
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.unknown.clear();
        forget(&mut kept)
    }
}

fn make_room<K, V>(map: &mut HashMap<K, V>, most: usize) {
    if map.len() >= most {
        map.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Id;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn partner(number: u8) -> PartnerId {
        PartnerId::from_bytes([number; 16])
    }

    fn shelf(partners: &[u8]) -> Shelf<u32, u8> {
        let shelf = Shelf::default();
        for (name, number) in (0..).zip(partners) {
            shelf.put(name, Some((partner(*number), Arc::new(*number))), shelf.begin(), NOW);
        }
        shelf
    }

    #[test]
    fn an_answer_is_believed_for_a_while() {
        let shelf = shelf(&[1]);
        shelf.put(9, None, shelf.begin(), NOW);
        let just_before = NOW.plus_seconds(LIFE_SECONDS - 1);
        assert_eq!(
            (shelf.get(&0, just_before), shelf.get(&9, just_before)),
            (Some(Some(Arc::new(1))), Some(None))
        );
        let then = NOW.plus_seconds(LIFE_SECONDS);
        assert_eq!((shelf.get(&0, then), shelf.get(&9, then), shelf.get(&5, NOW)), (None, None, None));
        assert_eq!(shelf.last(&0), Some(Arc::new(1)), "for want of a better one");
    }

    #[test]
    fn one_looks_up_again_what_serves_the_others_meanwhile() {
        let shelf = shelf(&[1]);
        let after = |seconds| NOW.plus_seconds(LIFE_SECONDS + seconds);
        let old = Some(Some(Arc::new(1)));
        assert_eq!((shelf.get(&0, after(0)), shelf.get(&0, after(0))), (None, old.clone()));
        assert_eq!(shelf.get(&0, after(AGAIN_SECONDS - 1)), old);
        let too_late = [AGAIN_SECONDS, AGAIN_SECONDS + 1].map(|seconds| shelf.get(&0, after(seconds)));
        assert_eq!(too_late, [None, None], "whatever became of the look-up");
        shelf.put(0, Some((partner(1), Arc::new(2))), shelf.begin(), after(AGAIN_SECONDS));
        assert_eq!(shelf.get(&0, after(AGAIN_SECONDS)), Some(Some(Arc::new(2))));
        shelf.doubt(None);
        assert_eq!((shelf.get(&0, NOW), shelf.get(&0, NOW)), (None, None), "what has changed serves nobody");
    }

    #[test]
    fn a_change_concerns_one_partner_and_what_meant_nothing() {
        let shelf = shelf(&[1, 2]);
        shelf.put(9, None, shelf.begin(), NOW);
        assert_eq!(shelf.forget(partner(1)), [0]);
        assert_eq!(
            (shelf.get(&0, NOW), shelf.get(&1, NOW), shelf.get(&9, NOW)),
            (None, Some(Some(Arc::new(2))), None)
        );
        assert!(shelf.forget(partner(1)).is_empty());
        shelf.doubt(Some(partner(1)));
        assert_eq!(shelf.get(&1, NOW), Some(Some(Arc::new(2))), "somebody else's");
        shelf.doubt(None);
        assert_eq!(
            (shelf.get(&1, NOW), shelf.last(&1)),
            (None, Some(Arc::new(2))),
            "for want of a better one"
        );
    }

    #[test]
    fn an_answer_from_before_a_change_is_not_kept_after_it() {
        let shelf = shelf(&[]);
        let begun = shelf.begin();
        shelf.forget(partner(1));
        shelf.put(0, Some((partner(1), Arc::new(1))), begun, NOW);
        assert_eq!(shelf.get(&0, NOW), None);
    }

    #[test]
    fn scanning_takes_no_more_than_its_room() {
        let shelf = shelf(&[1]);
        for name in 100..100 + 3 * u32::try_from(MOST_UNKNOWN).unwrap() {
            shelf.put(name, None, shelf.begin(), NOW);
        }
        assert!(shelf.kept.read().unwrap().unknown.len() <= MOST_UNKNOWN);
        assert_eq!(shelf.get(&0, NOW), Some(Some(Arc::new(1))), "what is known stays");
    }
}
