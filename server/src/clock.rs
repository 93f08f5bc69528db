//! The only reader of the clock, and the only source of chance. Everything else gets both as arguments.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use crate::domain::{ids::Id, time::Timestamp};

/// Where "now" comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that a test sets.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands still at `time` until it is moved.
    pub fn fixed(time: Timestamp) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(time.micros())))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                let micros = since_epoch.map_or(0, |elapsed| elapsed.as_micros());
                Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
            }
            Self::Fixed(micros) => Timestamp::from_micros(micros.load(Ordering::Acquire)),
        }
    }

    /// Moves a fixed clock; the system's cannot be moved.
    pub fn advance(&self, seconds: i64) {
        if let Self::Fixed(micros) = self {
            micros.fetch_add(seconds.saturating_mul(1_000_000), Ordering::AcqRel);
        }
    }

    /// A new id, made now.
    pub fn new_id<I: Id>(&self) -> I {
        I::new(self.now(), random())
    }
}

/// Random bytes that a thread draws at once: for a few of them the generator has as much to do.
const STOCK: usize = 1_024;

thread_local! {
    static DRAWN: RefCell<Drawn> = const { RefCell::new(Drawn { bytes: [0; STOCK], used: STOCK }) };
}

/// Random bytes that were drawn and not given out yet. Each is given out once, and wiped.
struct Drawn {
    bytes: [u8; STOCK],
    used: usize,
}

impl Drawn {
    fn give(&mut self, wanted: &mut [u8]) {
        if STOCK - self.used < wanted.len() {
            fill(&mut self.bytes);
            self.used = 0;
        }
        let given = &mut self.bytes[self.used..self.used + wanted.len()];
        wanted.copy_from_slice(given);
        given.fill(0);
        self.used += wanted.len();
    }
}

/// Random bytes from the system's generator.
pub fn random<const N: usize>() -> [u8; N] {
    const { assert!(N <= STOCK) }
    let mut bytes = [0; N];
    DRAWN.with_borrow_mut(|drawn| drawn.give(&mut bytes));
    bytes
}

fn fill(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the system gives random bytes");
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_random_bytes_are_given_out_twice() {
        let drawn: HashSet<[u8; 16]> = (0..10 * STOCK).map(|_| random()).collect();
        assert_eq!(drawn.len(), 10 * STOCK);
        assert!(!drawn.contains(&[0; 16]));
    }
}
