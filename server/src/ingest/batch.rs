//! Natural batching: one task takes what is queued, commits it, replies to each.

use std::{future::Future, sync::Arc};

use tokio::sync::{Mutex, mpsc};

use super::{
    BATCH, QUEUE, Queued,
    replies::{Reply, deliver},
};
use crate::error::{Error, Result};

/// How often a batch is tried again that another transaction was in the way of.
const MOST_CONTENDED: usize = 5;
/// How many batches at most go without the quick way after it was of no use.
const LONGEST_DETOUR: usize = 64;

/// What is done with a batch.
#[derive(Clone)]
pub(super) struct Ways<Q, C, A> {
    /// Commits what can be committed quickly, and leaves the rest: `None`.
    pub quick: Q,
    /// Commits all of it.
    pub thorough: C,
    /// Puts aside what the database cannot have.
    pub aside: A,
}

/// The quick way where there is none: everything is left.
pub(super) async fn none<T, R>(items: Arc<Vec<T>>) -> Result<Vec<Option<R>>> {
    Ok(items.iter().map(|_| None).collect())
}

/// Starts `writers` tasks that share one queue.
pub(super) fn start<T, R, Q, C, A, FQ, FC, FA>(
    writers: usize,
    ways: Ways<Q, C, A>,
) -> mpsc::Sender<Queued<T, R>>
where
    T: Clone + Send + Sync + 'static,
    R: Send + 'static,
    Q: Fn(Arc<Vec<T>>) -> FQ + Clone + Send + Sync + 'static,
    C: Fn(Arc<Vec<T>>) -> FC + Clone + Send + Sync + 'static,
    A: Fn(Arc<Vec<T>>) -> FA + Clone + Send + Sync + 'static,
    FQ: Future<Output = Result<Vec<Option<R>>>> + Send + 'static,
    FC: Future<Output = Result<Vec<R>>> + Send + 'static,
    FA: Future<Output = Vec<Result<R>>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(QUEUE);
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..writers {
        tokio::spawn(write(receiver.clone(), ways.clone()));
    }
    sender
}

async fn write<T, R, Q, C, A, FQ, FC, FA>(
    receiver: Arc<Mutex<mpsc::Receiver<Queued<T, R>>>>,
    ways: Ways<Q, C, A>,
) where
    T: Clone,
    R: Send + 'static,
    Q: Fn(Arc<Vec<T>>) -> FQ,
    C: Fn(Arc<Vec<T>>) -> FC,
    A: Fn(Arc<Vec<T>>) -> FA,
    FQ: Future<Output = Result<Vec<Option<R>>>>,
    FC: Future<Output = Result<Vec<R>>>,
    FA: Future<Output = Vec<Result<R>>>,
{
    let mut detour = Detour::default();
    loop {
        let mut queued = Vec::new();
        if receiver.lock().await.recv_many(&mut queued, BATCH).await == 0 {
            return;
        }
        let batch: (Vec<T>, Vec<Reply<R>>) = queued.into_iter().unzip();
        let left = if detour.is_over() { hurry(batch, &ways, &mut detour).await } else { Some(batch) };
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
) -> Option<(Vec<T>, Vec<Reply<R>>)>
where
    T: Clone,
    R: Send + 'static,
    Q: Fn(Arc<Vec<T>>) -> FQ,
    A: Fn(Arc<Vec<T>>) -> FA,
    FQ: Future<Output = Result<Vec<Option<R>>>>,
    FA: Future<Output = Vec<Result<R>>>,
{
    let items = Arc::new(items);
    match (ways.quick)(items.clone()).await {
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
