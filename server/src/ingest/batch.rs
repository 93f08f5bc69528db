//! Natural batching: one task takes what is queued, commits it, replies to each.

use std::{future::Future, sync::Arc};

use tokio::sync::{Mutex, mpsc};

use super::{BATCH, QUEUE, Queued};
use crate::error::{Error, Result};

/// How often a batch is tried again that another transaction was in the way of.
const MOST_CONTENDED: usize = 5;

/// Starts `writers` tasks that share one queue and commit batches by `commit`. What the database cannot have is put
/// `aside`.
pub(super) fn start<T, R, F, G>(
    writers: usize,
    commit: impl Fn(Vec<T>) -> F + Clone + Send + Sync + 'static,
    aside: impl Fn(Vec<T>) -> G + Clone + Send + Sync + 'static,
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
    commit: impl Fn(Vec<T>) -> F,
    aside: impl Fn(Vec<T>) -> G,
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
    commit: &impl Fn(Vec<T>) -> F,
    aside: &impl Fn(Vec<T>) -> G,
) where
    T: Clone,
    F: Future<Output = Result<Vec<R>>>,
    G: Future<Output = Vec<Result<R>>>,
{
    let (mut waiting, mut contended) = (vec![queued], 0);
    while let Some(mut batch) = waiting.pop() {
        let outcome = commit(batch.iter().map(|(item, _)| item.clone()).collect()).await;
        match outcome {
            Ok(results) => {
                batch.into_iter().zip(results).for_each(|((_, reply), result)| drop(reply.send(Ok(result))))
            }
            Err(Error::Contended(_)) if contended < MOST_CONTENDED => {
                contended += 1;
                waiting.push(batch);
            }
            Err(Error::Unavailable(_) | Error::Contended(_)) => put_aside(batch, aside).await,
            Err(error) if batch.len() == 1 => {
                tracing::error!(%error, "a request could not be written");
                batch
                    .into_iter()
                    .for_each(|(_, reply)| drop(reply.send(Err(Error::Internal(error.to_string())))));
            }
            Err(_) => {
                let second = batch.split_off(batch.len() / 2);
                waiting.extend([second, batch]);
            }
        }
    }
}

async fn put_aside<T, R, G>(batch: Vec<Queued<T, R>>, aside: &impl Fn(Vec<T>) -> G)
where
    G: Future<Output = Vec<Result<R>>>,
{
    let (items, replies): (Vec<T>, Vec<_>) = batch.into_iter().unzip();
    let outcomes = aside(items).await;
    replies.into_iter().zip(outcomes).for_each(|(reply, outcome)| drop(reply.send(outcome)));
}
