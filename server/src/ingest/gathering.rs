//! What keeps a writer from committing too few. When a batch is answered, hundreds of clients send the next request at
//! once; who took the first of them alone would have all others wait for a commit that costs nearly as much as theirs. So
//! a writer waits for as many as the last batches let it expect, but no longer than a moment; and where few come, not at
//! all.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

/// The fewest that are worth waiting for.
const FEWEST: usize = 32;
/// The most that are waited for: of more, each one's share of a commit is small.
const MOST: usize = 64;
/// How long a writer waits for them.
pub(super) const MOMENT: Duration = Duration::from_millis(2);

/// Tells a writer when enough have come.
#[derive(Default)]
pub(super) struct Gathering {
    /// How many are enough; 0 while nobody waits.
    enough: AtomicUsize,
    there: Notify,
}

impl Gathering {
    /// Somebody has come, and so many are there now.
    pub fn has_come(&self, there: usize) {
        let enough = self.enough.load(Ordering::Relaxed);
        if enough != 0 && there >= enough && self.enough.swap(0, Ordering::Relaxed) != 0 {
            self.there.notify_one();
        }
    }

    /// Waits until as many are there as are expected, or the moment has passed.
    pub async fn wait(&self, expected: usize, moment: Duration, there: impl Fn() -> usize) {
        self.enough.store(expected, Ordering::Relaxed);
        if there() < expected {
            // Whoever has come is there, whether it was enough or not.
            drop(timeout(moment, self.there.notified()).await);
        }
        self.enough.store(0, Ordering::Relaxed);
    }
}

/// How many came lately.
#[derive(Default)]
pub(super) struct Lately {
    last: usize,
    before: usize,
}

impl Lately {
    /// So many were taken at once.
    pub fn took(&mut self, count: usize) {
        (self.last, self.before) = (count, self.last);
    }

    /// How many are worth waiting for, if any. Whoever sends again when it is answered is in every second batch, or in
    /// each.
    pub fn expected(&self) -> Option<usize> {
        let half = (self.last + self.before) / 2;
        (half >= FEWEST).then_some(half.min(MOST))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn expected(counts: &[usize]) -> Option<usize> {
        let mut lately = Lately::default();
        counts.iter().for_each(|count| lately.took(*count));
        lately.expected()
    }

    #[test]
    fn as_many_are_expected_as_came_lately() {
        assert_eq!(expected(&[]), None);
        assert_eq!(expected(&[9, 40]), None, "few are not waited for");
        assert_eq!(expected(&[60, 40]), Some(50));
        assert_eq!(expected(&[200, 5]), Some(MOST));
        assert_eq!(expected(&[200, 5, 5]), None, "what is long ago says nothing");
    }

    #[tokio::test]
    async fn who_waits_is_told_when_enough_are_there() {
        let gathering = Arc::new(Gathering::default());
        let waiting = tokio::spawn({
            let gathering = gathering.clone();
            async move { gathering.wait(40, Duration::MAX, || 39).await }
        });
        tokio::task::yield_now().await;
        gathering.has_come(39);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        gathering.has_come(40);
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn nobody_is_waited_for_longer_than_a_moment() {
        let gathering = Gathering::default();
        gathering.wait(40, Duration::MAX, || 40).await;
        gathering.wait(40, Duration::from_millis(1), || 39).await;
        gathering.has_come(40);
        let waiting = timeout(MOMENT, gathering.wait(40, Duration::MAX, || 39));
        waiting.await.expect_err("who came while nobody waited is not told of later");
    }
}
