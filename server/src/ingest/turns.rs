//! The order of batches: several writers take them one after the other, get ready beside each other, and commit in the
//! order in which they took. So of two reports in one queue the earlier one counts, whoever is faster.

use std::sync::Arc;

use tokio::sync::watch;

/// Whether batches of a queue have an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Whoever is ready first commits first.
    Any,
    /// They are committed in the order in which they were taken.
    AsTaken,
}

/// Hands turns out.
pub struct Turns {
    order: Order,
    taken: u64,
    /// How many have passed.
    passed: Arc<watch::Sender<u64>>,
}

impl Turns {
    /// Turns of a queue.
    pub fn new(order: Order) -> Self {
        Self { order, taken: 0, passed: Arc::new(watch::Sender::new(0)) }
    }

    /// The next one, for whoever has just taken a batch.
    pub fn next(&mut self) -> Turn {
        self.taken += 1;
        let place = (self.order == Order::AsTaken).then_some(self.taken - 1);
        Turn(Arc::new(Place { place, passed: self.passed.clone() }))
    }
}

/// The turn of a batch. It passes when the last handle of it is dropped, which is to be after it has come.
#[derive(Clone)]
pub struct Turn(Arc<Place>);

struct Place {
    /// None: there is no order.
    place: Option<u64>,
    passed: Arc<watch::Sender<u64>>,
}

impl Turn {
    /// Returns when all earlier ones have passed.
    pub async fn comes(&self) {
        if let Some(place) = self.0.place {
            // The sender is alive: it is held here.
            drop(self.0.passed.subscribe().wait_for(|passed| *passed >= place).await);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.passed.send_modify(|passed| *passed = (*passed).max(place + 1));
        }
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

    #[tokio::test]
    async fn a_turn_comes_when_the_earlier_ones_have_passed() {
        let mut turns = Turns::new(Order::AsTaken);
        let [first, second, third] = [turns.next(), turns.next(), turns.next()];
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
    async fn without_an_order_nobody_waits() {
        let mut turns = Turns::new(Order::Any);
        let [_first, second] = [turns.next(), turns.next()];
        assert!(has_come(&second).await);
    }
}
