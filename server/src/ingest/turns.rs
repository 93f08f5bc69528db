//! The order of batches: several writers take them one after the other, get ready beside each other, and commit in the
//! order in which they took, as far as it matters. So of two reports of one order the earlier one counts, whoever is
//! faster; batches that have nothing in common are committed beside each other.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{BuildHasher, Hash},
    sync::Arc,
};

use foldhash::fast::RandomState;
use tokio::sync::watch;

/// Whether batches of a queue have an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Whoever is ready first commits first.
    Any,
    /// They are committed in the order in which they were taken.
    AsTaken,
}

/// What a batch is about, as hashes: two that share none may change places.
type Subjects = HashSet<u64, RandomState>;
/// Batches that are not done yet, by their places.
type UnderWay = BTreeMap<u64, Subjects>;

/// Hands turns out.
pub struct Turns {
    order: Order,
    hash: RandomState,
    taken: u64,
    under_way: Arc<watch::Sender<UnderWay>>,
}

impl Turns {
    /// Turns of a queue.
    pub fn new(order: Order) -> Self {
        let under_way = Arc::new(watch::Sender::new(UnderWay::new()));
        Self { order, hash: RandomState::default(), taken: 0, under_way }
    }

    /// The next one, for whoever has just taken a batch that is about these.
    pub fn next<S: Hash>(&mut self, subjects: impl Iterator<Item = S>) -> Turn {
        if self.order == Order::Any {
            return Turn(None);
        }
        let (place, hash) = (self.taken, &self.hash);
        self.taken += 1;
        let subjects = subjects.map(|subject| hash.hash_one(subject)).collect();
        self.under_way.send_modify(|under_way| drop(under_way.insert(place, subjects)));
        Turn(Some(Arc::new(Place { place, under_way: self.under_way.clone() })))
    }
}

/// The turn of a batch, if there is an order. It passes when the last handle of it is dropped.
#[derive(Clone)]
pub struct Turn(Option<Arc<Place>>);

struct Place {
    place: u64,
    under_way: Arc<watch::Sender<UnderWay>>,
}

impl Turn {
    /// Returns when all earlier ones have passed.
    pub async fn comes(&self) {
        self.wait_for(|_, _| true).await;
    }

    /// Returns when all earlier ones have passed that are about the same.
    pub async fn is_clear(&self) {
        self.wait_for(|own, earlier| !own.is_disjoint(earlier)).await;
    }

    /// Waits for those earlier ones that are in the way.
    async fn wait_for(&self, is_in_the_way: impl Fn(&Subjects, &Subjects) -> bool) {
        let Some(Place { place, under_way }) = self.0.as_deref() else { return };
        let is_free = |under_way: &UnderWay| {
            let own = &under_way[place];
            !under_way.range(..place).any(|(_, earlier)| is_in_the_way(own, earlier))
        };
        // The sender is alive: it is held here.
        drop(under_way.subscribe().wait_for(is_free).await);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.under_way.send_modify(|under_way| drop(under_way.remove(&self.place)));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn has_come(turn: &Turn) -> bool {
        timeout(Duration::from_millis(20), turn.comes()).await.is_ok()
    }

    async fn is_clear(turn: &Turn) -> bool {
        timeout(Duration::from_millis(20), turn.is_clear()).await.is_ok()
    }

    fn turn(turns: &mut Turns, subjects: &[&str]) -> Turn {
        turns.next(subjects.iter())
    }

    #[tokio::test]
    async fn a_turn_comes_when_the_earlier_ones_have_passed() {
        let mut turns = Turns::new(Order::AsTaken);
        let [first, second, third] = [(); 3].map(|()| turn(&mut turns, &[]));
        assert_eq!((has_come(&first).await, has_come(&second).await), (true, false));
        let kept = first.clone();
        drop(first);
        assert!(!has_come(&second).await, "somebody still has it");
        drop(kept);
        assert_eq!((has_come(&second).await, has_come(&third).await), (true, false));
        drop(second);
        assert!(has_come(&third).await);
    }

    #[tokio::test]
    async fn only_what_is_about_the_same_has_an_order() {
        let mut turns = Turns::new(Order::AsTaken);
        let [first, second, third] =
            [&["a", "b"][..], &["c"], &["d", "b"]].map(|subjects| turn(&mut turns, subjects));
        assert_eq!(
            (is_clear(&first).await, is_clear(&second).await, is_clear(&third).await),
            (true, true, false)
        );
        drop(second);
        assert!(!is_clear(&third).await && !has_come(&third).await, "the first one is about the same");
        drop(first);
        assert!(is_clear(&third).await && has_come(&third).await);
    }

    #[tokio::test]
    async fn without_an_order_nobody_waits() {
        let mut turns = Turns::new(Order::Any);
        let [_first, second] = [(); 2].map(|()| turn(&mut turns, &["a"]));
        assert!(has_come(&second).await && is_clear(&second).await);
    }
}
