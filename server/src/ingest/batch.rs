//! Natural batching: one task takes what is queued, commits it, replies to each.

use std::{future::Future, sync::Arc};

use tokio::sync::{Mutex, mpsc};

use super::{
    BATCH, QUEUE, Queued,
    replies::{Reply, deliver},
    turns::{Order, Turn, Turns},
};
use crate::error::{Error, Result};

/// How often a batch is tried again that another transaction was in the way of.
const MOST_CONTENDED: usize = 5;
/// How many batches at most go without the quick way after it was of no use.
const LONGEST_DETOUR: usize = 64;

/// Where writers take batches, and their turns.
type Taking<T, R> = (mpsc::Receiver<Queued<T, R>>, Turns);

/// What is done with a batch.
#[derive(Clone)]
pub(super) struct Ways<Q, C, A> {
    /// Commits, when its turn has come, what can be committed quickly, and leaves the rest: `None`.
    pub quick: Q,
    /// Commits all of it.
    pub thorough: C,
    /// Puts aside what the database cannot have.
    pub aside: A,
}

/// The quick way where there is none: everything is left.
pub(super) async fn none<T, R>(items: Arc<Vec<T>>, _turn: Turn) -> Result<Vec<Option<R>>> {
    Ok(items.iter().map(|_| None).collect())
}

/// Starts `writers` tasks that share one queue.
pub(super) fn start<T, R, Q, C, A, FQ, FC, FA>(
    writers: usize,
    order: Order,
    ways: Ways<Q, C, A>,
) -> mpsc::Sender<Queued<T, R>>
where
    T: Clone + Send + Sync + 'static,
    R: Send + 'static,
    Q: Fn(Arc<Vec<T>>, Turn) -> FQ + Clone + Send + Sync + 'static,
    C: Fn(Arc<Vec<T>>) -> FC + Clone + Send + Sync + 'static,
    A: Fn(Arc<Vec<T>>) -> FA + Clone + Send + Sync + 'static,
    FQ: Future<Output = Result<Vec<Option<R>>>> + Send + 'static,
    FC: Future<Output = Result<Vec<R>>> + Send + 'static,
    FA: Future<Output = Vec<Result<R>>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(QUEUE);
    let receiver = Arc::new(Mutex::new((receiver, Turns::new(order))));
    for _ in 0..writers {
        tokio::spawn(write(receiver.clone(), ways.clone()));
    }
    sender
}

async fn write<T, R, Q, C, A, FQ, FC, FA>(receiver: Arc<Mutex<Taking<T, R>>>, ways: Ways<Q, C, A>)
where
    T: Clone,
    R: Send + 'static,
    Q: Fn(Arc<Vec<T>>, Turn) -> FQ,
    C: Fn(Arc<Vec<T>>) -> FC,
    A: Fn(Arc<Vec<T>>) -> FA,
    FQ: Future<Output = Result<Vec<Option<R>>>>,
    FC: Future<Output = Result<Vec<R>>>,
    FA: Future<Output = Vec<Result<R>>>,
{
    let mut detour = Detour::default();
    loop {
        let mut queued = Vec::new();
        let turn = {
            let (receiver, turns) = &mut *receiver.lock().await;
            if receiver.recv_many(&mut queued, BATCH).await == 0 {
                return;
            }
            turns.next()
        };
        let batch: (Vec<T>, Vec<Reply<R>>) = queued.into_iter().unzip();
        let left = if detour.is_over() { hurry(batch, &ways, &mut detour, &turn).await } else { Some(batch) };
        turn.comes().await;
        if let Some(left) = left {
            settle(left, &ways).await;
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

/// Takes the quick way, and replies to those who could be committed; hands back the others.
async fn hurry<T, R, Q, C, A, FQ, FA>(
    (items, replies): (Vec<T>, Vec<Reply<R>>),
    ways: &Ways<Q, C, A>,
    detour: &mut Detour,
    turn: &Turn,
) -> Option<(Vec<T>, Vec<Reply<R>>)>
where
    T: Clone,
    R: Send + 'static,
    Q: Fn(Arc<Vec<T>>, Turn) -> FQ,
    A: Fn(Arc<Vec<T>>) -> FA,
    FQ: Future<Output = Result<Vec<Option<R>>>>,
    FA: Future<Output = Vec<Result<R>>>,
{
    let items = Arc::new(items);
    match (ways.quick)(items.clone(), turn.clone()).await {
        Ok(outcomes) => {
            let mut left = (Vec::new(), Vec::new());
            let mut done = Vec::with_capacity(items.len());
            for ((item, reply), outcome) in items.iter().zip(replies).zip(outcomes) {
                match outcome {
                    Some(result) => done.push((reply, Ok(result))),
                    None => left.extend([(item.clone(), reply)]),
                }
            }
            deliver(done);
            detour.was_useful(left.0.len() < items.len());
            Some(left).filter(|(items, _)| !items.is_empty())
        }
        Err(Error::Unavailable(_)) => {
            turn.comes().await;
            put_aside(items, replies, &ways.aside).await;
            None
        }
        // Because of one item, or of nobody: the thorough way finds out.
        Err(error) => {
            tracing::warn!(%error, "a batch could not be committed the quick way");
            Some((items.to_vec(), replies))
        }
    }
}

async fn put_aside<T, R, FA>(items: Arc<Vec<T>>, replies: Vec<Reply<R>>, aside: impl Fn(Arc<Vec<T>>) -> FA)
where
    R: Send + 'static,
    FA: Future<Output = Vec<Result<R>>>,
{
    let outcomes = aside(items).await;
    deliver(replies.into_iter().zip(outcomes));
}

/// Commits a batch and replies. A batch that fails for a reason of one of its items is halved until the item is
/// found: the others are not harmed.
async fn settle<T, R, Q, C, A, FC, FA>(batch: (Vec<T>, Vec<Reply<R>>), ways: &Ways<Q, C, A>)
where
    T: Clone,
    R: Send + 'static,
    C: Fn(Arc<Vec<T>>) -> FC,
    A: Fn(Arc<Vec<T>>) -> FA,
    FC: Future<Output = Result<Vec<R>>>,
    FA: Future<Output = Vec<Result<R>>>,
{
    let mut contended = 0;
    let mut waiting = vec![batch];
    while let Some((items, mut replies)) = waiting.pop() {
        let items: Arc<Vec<T>> = Arc::new(items);
        let mut outcome = (ways.thorough)(items.clone()).await;
        while contended < MOST_CONTENDED && matches!(outcome, Err(Error::Contended(_))) {
            contended += 1;
            outcome = (ways.thorough)(items.clone()).await;
        }
        match outcome {
            Ok(results) => deliver(replies.into_iter().zip(results.into_iter().map(Ok))),
            Err(Error::Unavailable(_) | Error::Contended(_)) => put_aside(items, replies, &ways.aside).await,
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

    use tokio::sync::{Notify, oneshot};

    use super::{super::replies::reply, *};

    /// In which order two writers commit two numbers, the first of which is not ready before the second is taken, and,
    /// where it need not wait, committed.
    async fn committed(order: Order) -> Vec<u32> {
        let (log, gate): (Arc<Shared<Vec<u32>>>, Arc<Notify>) = Default::default();
        let (taken, mut was_taken) = mpsc::unbounded_channel();
        let (into, opened) = (log.clone(), gate.clone());
        let quick = move |batch: Arc<Vec<u32>>, turn: Turn| {
            let (log, gate, taken) = (into.clone(), opened.clone(), taken.clone());
            async move {
                taken.send(batch[0]).unwrap();
                if batch[0] == 0 {
                    gate.notified().await;
                }
                turn.comes().await;
                log.lock().unwrap().extend(batch.iter());
                Ok(vec![Some(()); batch.len()])
            }
        };
        let thorough = |batch: Arc<Vec<u32>>| async move { Ok(vec![(); batch.len()]) };
        let aside = |_: Arc<Vec<u32>>| async { Vec::new() };
        let queue = start(2, order, Ways { quick, thorough, aside });
        let mut waiting: Vec<oneshot::Receiver<Result<()>>> = Vec::new();
        for number in 0..2 {
            let (reply, written) = reply();
            queue.try_send((number, reply)).unwrap();
            assert_eq!(was_taken.recv().await, Some(number));
            waiting.push(written);
        }
        if order == Order::Any {
            waiting.pop().unwrap().await.unwrap().unwrap();
        }
        gate.notify_one();
        for written in waiting {
            written.await.unwrap().unwrap();
        }
        let log = log.lock().unwrap();
        log.clone()
    }

    #[tokio::test]
    async fn who_took_first_commits_first_where_there_is_an_order() {
        assert_eq!(committed(Order::AsTaken).await, [0, 1]);
        assert_eq!(committed(Order::Any).await, [1, 0]);
    }
}
