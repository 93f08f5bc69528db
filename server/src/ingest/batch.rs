//! Natural batching: one task takes what is queued, commits it, replies to each.

use std::{future::Future, sync::Arc};

use tokio::sync::{Mutex, mpsc};

use super::{BATCH, QUEUE, Queued, Reply};
use crate::error::{Error, Result};

/// How often a batch is tried again that another transaction was in the way of.
const MOST_CONTENDED: usize = 5;

/// Starts `writers` tasks that share one queue and commit batches by `commit`. What the database cannot have is put
/// `aside`.
pub(super) fn start<T, R, F, G>(
    writers: usize,
    commit: impl Fn(Arc<Vec<T>>) -> F + Clone + Send + Sync + 'static,
    aside: impl Fn(Arc<Vec<T>>) -> G + Clone + Send + Sync + 'static,
) -> mpsc::Sender<Queued<T, R>>
where
    T: Clone + Send + Sync + 'static,
    R: Send + 'static,
    F: Future<Output = Result<Vec<R>>> + Send + 'static,
    G: Future<Output = Vec<Result<R>>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(QUEUE);
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..writers {
        tokio::spawn(write(receiver.clone(), commit.clone(), aside.clone()));
    }
    sender
}

async fn write<T, R, F, G>(
    receiver: Arc<Mutex<mpsc::Receiver<Queued<T, R>>>>,
    commit: impl Fn(Arc<Vec<T>>) -> F,
    aside: impl Fn(Arc<Vec<T>>) -> G,
) where
    T: Clone,
    F: Future<Output = Result<Vec<R>>>,
    G: Future<Output = Vec<Result<R>>>,
{
    loop {
        let mut queued = Vec::new();
        if receiver.lock().await.recv_many(&mut queued, BATCH).await == 0 {
            return;
        }
        settle(queued, &commit, &aside).await;
    }
}

/// Commits a batch and replies. A batch that fails for a reason of one of its items is halved until the item is
/// found: the others are not harmed.
async fn settle<T, R, F, G>(
    queued: Vec<Queued<T, R>>,
    commit: &impl Fn(Arc<Vec<T>>) -> F,
    aside: &impl Fn(Arc<Vec<T>>) -> G,
) where
    T: Clone,
    F: Future<Output = Result<Vec<R>>>,
    G: Future<Output = Vec<Result<R>>>,
{
    let mut contended = 0;
    let mut waiting: Vec<(Vec<T>, Vec<Reply<R>>)> = vec![queued.into_iter().unzip()];
    while let Some((items, mut replies)) = waiting.pop() {
        let items: Arc<Vec<T>> = Arc::new(items);
        let mut outcome = commit(items.clone()).await;
        while contended < MOST_CONTENDED && matches!(outcome, Err(Error::Contended(_))) {
            contended += 1;
            outcome = commit(items.clone()).await;
        }
        match outcome {
            Ok(results) => {
                replies.into_iter().zip(results).for_each(|(reply, result)| drop(reply.send(Ok(result))))
            }
            Err(Error::Unavailable(_) | Error::Contended(_)) => {
                let outcomes = aside(items).await;
                replies.into_iter().zip(outcomes).for_each(|(reply, outcome)| drop(reply.send(outcome)));
            }
            Err(error) if items.len() == 1 => {
                tracing::error!(%error, "a request could not be written");
                let why = error.to_string();
                replies.into_iter().for_each(|reply| drop(reply.send(Err(Error::Internal(why.clone())))));
            }
            Err(_) => {
                let (first, second) = items.split_at(items.len() / 2);
                let for_second = replies.split_off(first.len());
                waiting.extend([(second.to_vec(), for_second), (first.to_vec(), replies)]);
            }
        }
    }
}
