//! Natural batching: one task takes what is queued, commits it, replies to each.

use std::{future::Future, sync::Arc};

use tokio::sync::{Mutex, mpsc};

use super::{BATCH, QUEUE, Queued};
use crate::error::{Error, Result};

/// Starts `writers` tasks that share one queue and commit batches by `commit`.
pub(super) fn start<T, R, F>(
    writers: usize,
    commit: impl Fn(Vec<T>) -> F + Clone + Send + Sync + 'static,
) -> mpsc::Sender<Queued<T, R>>
where
    T: Clone + Send + Sync + 'static,
    R: Send + 'static,
    F: Future<Output = Result<Vec<R>>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(QUEUE);
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..writers {
        tokio::spawn(write(receiver.clone(), commit.clone()));
    }
    sender
}

async fn write<T, R, F>(receiver: Arc<Mutex<mpsc::Receiver<Queued<T, R>>>>, commit: impl Fn(Vec<T>) -> F)
where
    T: Clone,
    F: Future<Output = Result<Vec<R>>>,
{
    loop {
        let mut queued = Vec::new();
        if receiver.lock().await.recv_many(&mut queued, BATCH).await == 0 {
            return;
        }
        settle(queued, &commit).await;
    }
}

/// Commits a batch and replies. A batch that fails for a reason of one of its items is halved until the item is
/// found: the others are not harmed.
async fn settle<T, R, F>(queued: Vec<Queued<T, R>>, commit: &impl Fn(Vec<T>) -> F)
where
    T: Clone,
    F: Future<Output = Result<Vec<R>>>,
{
    let mut waiting = vec![queued];
    while let Some(mut batch) = waiting.pop() {
        let outcome = commit(batch.iter().map(|(item, _)| item.clone()).collect()).await;
        match outcome {
            Ok(results) => {
                batch.into_iter().zip(results).for_each(|((_, reply), result)| drop(reply.send(Ok(result))))
            }
            Err(Error::Unavailable(why)) => reply_unavailable(batch, &why),
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

fn reply_unavailable<T, R>(batch: Vec<Queued<T, R>>, why: &str) {
    tracing::error!(requests = batch.len(), why, "the database is unavailable");
    batch.into_iter().for_each(|(_, reply)| drop(reply.send(Err(Error::Unavailable(why.to_owned())))));
}
