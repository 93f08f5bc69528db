//! Natural batching: one task takes what is queued, commits it, replies to each.

use std::{future::Future, hash::Hash, iter, sync::Arc};

use tokio::sync::{Mutex, mpsc, oneshot};

use super::{
    BATCH, Queued,
    gathering::{Gathering, Lately, MOMENT},
    replies::{Reply, deliver, reply},
    turns::{Order, Turn, Turns},
};
use crate::error::{Error, Result};

/// How often a batch is tried again that another transaction was in the way of.
const MOST_CONTENDED: usize = 5;
/// How many batches at most go without the quick way after it was of no use.
const LONGEST_DETOUR: usize = 64;

/// What is done with the batches of a queue.
pub(super) trait Write: Clone + Send + Sync + 'static {
    /// What is queued.
    type Item: Clone + Send + Sync + 'static;
    /// What is replied to it.
    type Reply: Send + 'static;

    /// Whether a writer waits a moment for more items, where many are to be expected.
    const GATHERS: bool = false;

    /// What an item is about: two that share none of it may change places.
    fn subjects(_item: &Self::Item) -> impl Iterator<Item = impl Hash> {
        iter::empty::<()>()
    }

    /// Commits, when its turn is clear, what can be committed quickly, and leaves the rest: `None`. Where there is no
    /// quick way, everything is left.
    fn quick(
        &self,
        batch: Arc<Vec<Self::Item>>,
        _turn: Turn,
    ) -> impl Future<Output = Result<Vec<Option<Self::Reply>>>> + Send {
        async move { Ok(batch.iter().map(|_| None).collect()) }
    }

    /// Returns when what was committed quickly is safe.
    fn settled(&self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Commits all of it, safely.
    fn thorough(&self, batch: Arc<Vec<Self::Item>>) -> impl Future<Output = Result<Vec<Self::Reply>>> + Send;

    /// Puts aside what the database cannot have.
    fn aside(&self, batch: Arc<Vec<Self::Item>>) -> impl Future<Output = Vec<Result<Self::Reply>>> + Send;
}

/// Items, and the places for their replies.
type Batch<W> = (Vec<<W as Write>::Item>, Vec<Reply<<W as Write>::Reply>>);
/// Where writers take batches, and their turns.
type Taking<W> = (mpsc::Receiver<Queued<<W as Write>::Item, <W as Write>::Reply>>, Turns, Lately);

/// The way into a queue. Its writers end when the last one is dropped.
pub(super) struct Queue<T, R> {
    sender: mpsc::Sender<Queued<T, R>>,
    gathering: Arc<Gathering>,
}

impl<T, R> Clone for Queue<T, R> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), gathering: self.gathering.clone() }
    }
}

impl<T, R> Queue<T, R> {
    /// Queues an item, if there is room.
    pub fn enqueue(&self, item: T) -> Result<oneshot::Receiver<Result<R>>> {
        let (reply, answer) = reply();
        let sent = self.sender.try_send((item, reply));
        sent.map_err(|_| Error::Unavailable("the queue is full".into()))?;
        self.gathering.has_come(self.waiting());
        Ok(answer)
    }

    /// How many wait for a writer, now.
    pub fn waiting(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }
}

/// Starts `writers` tasks that share one queue of so many places.
pub(super) fn start<W: Write>(
    places: usize,
    writers: usize,
    order: Order,
    way: W,
) -> Queue<W::Item, W::Reply> {
    let (sender, receiver) = mpsc::channel(places);
    let gathering = Arc::new(Gathering::default());
    let receiver = Arc::new(Mutex::new((receiver, Turns::new(order), Lately::default())));
    for _ in 0..writers {
        tokio::spawn(write(receiver.clone(), gathering.clone(), way.clone()));
    }
    Queue { sender, gathering }
}

async fn write<W: Write>(receiver: Arc<Mutex<Taking<W>>>, gathering: Arc<Gathering>, way: W) {
    let mut detour = Detour::default();
    loop {
        let mut queued = Vec::new();
        let turn = {
            let (receiver, turns, lately) = &mut *receiver.lock().await;
            if let Some(expected) = lately.expected().filter(|_| W::GATHERS) {
                gathering.wait(expected, MOMENT, || receiver.len()).await;
                // Where nobody has come, nobody is waited for any more.
                if receiver.is_empty() {
                    *lately = Lately::default();
                }
            }
            if receiver.recv_many(&mut queued, BATCH).await == 0 {
                return;
            }
            lately.took(queued.len());
            turns.next(queued.iter().flat_map(|(item, _)| W::subjects(item)))
        };
        let batch: Batch<W> = queued.into_iter().unzip();
        let left = if detour.is_over() { hurry(batch, &way, &mut detour, &turn).await } else { Some(batch) };
        if let Some(left) = left {
            turn.comes().await;
            settle(left, &way).await;
        }
    }
}

/// How long the quick way is not taken, because it was of no use: twice as long each time.
#[derive(Default)]
struct Detour {
    length: usize,
    left: usize,
}

impl Detour {
    /// Whether the quick way may be tried with the next batch.
    fn is_over(&mut self) -> bool {
        let is_over = self.left == 0;
        self.left = self.left.saturating_sub(1);
        is_over
    }

    fn was_useful(&mut self, useful: bool) {
        self.length = if useful { 0 } else { (2 * self.length).clamp(1, LONGEST_DETOUR) };
        self.left = self.length;
    }
}

/// Takes the quick way, and has those replied to who could be committed, when that is safe: nobody else waits for it.
/// Hands back the others.
async fn hurry<W: Write>(
    (items, replies): Batch<W>,
    way: &W,
    detour: &mut Detour,
    turn: &Turn,
) -> Option<Batch<W>> {
    let items = Arc::new(items);
    match way.quick(items.clone(), turn.clone()).await {
        Ok(outcomes) => {
            let (mut left, mut done) = ((Vec::new(), Vec::new()), Vec::with_capacity(items.len()));
            for ((position, reply), outcome) in replies.into_iter().enumerate().zip(outcomes) {
                match outcome {
                    Some(outcome) => done.push((position, reply, outcome)),
                    None => left.extend([(items[position].clone(), reply)]),
                }
            }
            detour.was_useful(!done.is_empty());
            if !done.is_empty() {
                tokio::spawn(reply_when_safe(items, done, way.clone()));
            }
            Some(left).filter(|(items, _)| !items.is_empty())
        }
        Err(Error::Unavailable(_)) => {
            turn.comes().await;
            put_aside(items, replies, way).await;
            None
        }
        // Because of one item, or of nobody: the thorough way finds out.
        Err(error) => {
            tracing::warn!(%error, "a batch could not be committed the quick way");
            Some((items.to_vec(), replies))
        }
    }
}

/// Replies to items of a batch that are committed. What may not be safe is put aside as well: it counts once.
async fn reply_when_safe<W: Write>(
    items: Arc<Vec<W::Item>>,
    done: Vec<(usize, Reply<W::Reply>, W::Reply)>,
    way: W,
) {
    match way.settled().await {
        Ok(()) => deliver(done.into_iter().map(|(_, reply, outcome)| (reply, Ok(outcome)))),
        Err(error) => {
            tracing::error!(%error, "what was committed may not be safe");
            let (items, replies) =
                done.into_iter().map(|(position, reply, _)| (items[position].clone(), reply)).unzip();
            put_aside(Arc::new(items), replies, &way).await;
        }
    }
}

async fn put_aside<W: Write>(items: Arc<Vec<W::Item>>, replies: Vec<Reply<W::Reply>>, way: &W) {
    let outcomes = way.aside(items).await;
    deliver(replies.into_iter().zip(outcomes));
}

/// Commits a batch and replies. A batch that fails for a reason of one of its items is halved until the item is
/// found: the others are not harmed.
async fn settle<W: Write>(batch: Batch<W>, way: &W) {
    let mut contended = 0;
    let mut waiting = vec![batch];
    while let Some((items, mut replies)) = waiting.pop() {
        let items = Arc::new(items);
        let mut outcome = way.thorough(items.clone()).await;
        while contended < MOST_CONTENDED && matches!(outcome, Err(Error::Contended(_))) {
            contended += 1;
            outcome = way.thorough(items.clone()).await;
        }
        match outcome {
            Ok(results) => deliver(replies.into_iter().zip(results.into_iter().map(Ok))),
            Err(Error::Unavailable(_) | Error::Contended(_)) => put_aside(items, replies, way).await,
            Err(error) if items.len() == 1 => {
                tracing::error!(%error, "a request could not be written");
                let why = error.to_string();
                deliver(replies.into_iter().map(|reply| (reply, Err(Error::Internal(why.clone())))));
            }
            Err(_) => {
                let (first, second) = items.split_at(items.len() / 2);
                let for_second = replies.split_off(first.len());
                waiting.extend([(second.to_vec(), for_second), (first.to_vec(), replies)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as Shared;

    use tokio::sync::{Notify, oneshot, watch};

    use super::*;

    /// Takes numbers as they come, and commits them into a log of the test's own.
    #[derive(Clone)]
    struct Numbers {
        log: Arc<Shared<Vec<u32>>>,
        /// Tells of each batch that is taken.
        taken: mpsc::UnboundedSender<u32>,
        /// What the batch that begins with 0 waits for before it is ready.
        gate: Arc<Notify>,
        /// What has to be there before anything is safe, and whether it is.
        safe: watch::Receiver<Option<bool>>,
    }

    impl Write for Numbers {
        type Item = u32;
        type Reply = &'static str;

        /// Numbers with the same last digit are about the same.
        fn subjects(number: &u32) -> impl Iterator<Item = impl Hash> {
            iter::once(number % 10)
        }

        async fn quick(&self, batch: Arc<Vec<u32>>, turn: Turn) -> Result<Vec<Option<&'static str>>> {
            self.taken.send(batch[0]).unwrap();
            if batch[0] == 0 {
                self.gate.notified().await;
            }
            turn.is_clear().await;
            self.log.lock().unwrap().extend(batch.iter());
            Ok(vec![Some("committed"); batch.len()])
        }

        async fn settled(&self) -> Result<()> {
            let mut safe = self.safe.clone();
            match *safe.wait_for(Option::is_some).await.unwrap() {
                Some(true) => Ok(()),
                _ => Err(Error::Unavailable("the disk has failed".into())),
            }
        }

        async fn thorough(&self, batch: Arc<Vec<u32>>) -> Result<Vec<&'static str>> {
            Ok(vec!["committed thoroughly"; batch.len()])
        }

        async fn aside(&self, batch: Arc<Vec<u32>>) -> Vec<Result<&'static str>> {
            batch.iter().map(|_| Ok("put aside")).collect()
        }
    }

    /// A queue of numbers with two writers.
    struct Line {
        way: Numbers,
        queue: Queue<u32, &'static str>,
        was_taken: mpsc::UnboundedReceiver<u32>,
        disk: watch::Sender<Option<bool>>,
    }

    impl Line {
        fn start(order: Order) -> Self {
            let ((taken, was_taken), disk) = (mpsc::unbounded_channel(), watch::Sender::new(None));
            let way = Numbers { log: Arc::default(), taken, gate: Arc::default(), safe: disk.subscribe() };
            Self { queue: start(9, 2, order, way.clone()), way, was_taken, disk }
        }

        /// Queues a number, and waits until a writer has it.
        async fn put(&mut self, number: u32) -> oneshot::Receiver<Result<&'static str>> {
            let written = self.queue.enqueue(number).unwrap();
            assert_eq!(self.was_taken.recv().await, Some(number));
            written
        }
    }

    /// In which order two writers commit 0 and another number, which is taken before 0 is ready, and, where it need not
    /// wait, committed.
    async fn committed(order: Order, other: u32) -> Vec<u32> {
        let mut queue = Line::start(order);
        queue.disk.send_replace(Some(true));
        let (first, second) = (queue.put(0).await, queue.put(other).await);
        if order == Order::Any || !other.is_multiple_of(10) {
            second.await.unwrap().unwrap();
            queue.way.gate.notify_one();
        } else {
            queue.way.gate.notify_one();
            second.await.unwrap().unwrap();
        }
        first.await.unwrap().unwrap();
        queue.way.log.lock().unwrap().clone()
    }

    #[tokio::test]
    async fn who_took_first_commits_first_where_there_is_an_order() {
        assert_eq!(committed(Order::AsTaken, 10).await, [0, 10]);
        assert_eq!(committed(Order::AsTaken, 1).await, [1, 0], "they have nothing to do with each other");
        assert_eq!(committed(Order::Any, 10).await, [10, 0]);
    }

    #[tokio::test]
    async fn one_slow_batch_keeps_only_those_waiting_that_are_about_the_same() {
        let mut queue = Line::start(Order::AsTaken);
        queue.disk.send_replace(Some(true));
        let slow = queue.put(0).await;
        for other in 1..=5 {
            assert_eq!(queue.put(other).await.await.unwrap().unwrap(), "committed");
        }
        queue.way.gate.notify_one();
        slow.await.unwrap().unwrap();
        assert_eq!(*queue.way.log.lock().unwrap(), [1, 2, 3, 4, 5, 0]);
    }

    #[tokio::test]
    async fn nobody_is_told_of_a_commit_before_it_is_safe_and_the_next_one_does_not_wait_for_that() {
        for (is_safe, told) in [(true, "committed"), (false, "put aside")] {
            let mut queue = Line::start(Order::AsTaken);
            let mut replies = Vec::new();
            for number in 1..=5 {
                replies.push(queue.put(number).await);
            }
            assert!(replies.iter_mut().all(|reply| reply.try_recv().is_err()));
            queue.disk.send_replace(Some(is_safe));
            for reply in replies {
                assert_eq!(reply.await.unwrap().unwrap(), told);
            }
            assert_eq!(*queue.way.log.lock().unwrap(), [1, 2, 3, 4, 5]);
        }
    }
}
