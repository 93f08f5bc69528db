//! Replies to requests that wait. To wake a thread costs a system call, and a batch has hundreds of replies: so they are
//! handed over to each worker at once, and there, on its own thread, to the requests.

use std::{cell::OnceCell, sync::Arc};

use tokio::sync::{mpsc, oneshot};

use crate::error::Result;

/// Replies of one batch for one worker, as what is to be done with them.
type Delivery = Box<dyn FnOnce() + Send>;

/// Where a worker takes deliveries.
type Worker = Arc<mpsc::UnboundedSender<Delivery>>;

thread_local! {
    static HERE: OnceCell<Worker> = const { OnceCell::new() };
}

/// Takes deliveries on this thread from now on, in a local task that ends with it.
pub fn take_here() {
    HERE.with(|here| {
        here.get_or_init(|| {
            let (sender, mut deliveries) = mpsc::unbounded_channel::<Delivery>();
            tokio::task::spawn_local(async move {
                while let Some(deliver) = deliveries.recv().await {
                    deliver();
                }
            });
            Arc::new(sender)
        });
    });
}

/// A place for the reply to one request.
pub struct Reply<R> {
    request: oneshot::Sender<Result<R>>,
    /// Where the request waits; none: on a thread that takes no deliveries.
    worker: Option<Worker>,
}

/// A place for a reply, and who waits for it on this thread.
pub fn reply<R>() -> (Reply<R>, oneshot::Receiver<Result<R>>) {
    let (request, waiting) = oneshot::channel();
    (Reply { request, worker: HERE.with(|here| here.get().cloned()) }, waiting)
}

/// Replies to requests. Whoever does not wait any more gets none.
pub fn deliver<R: Send + 'static>(outcomes: impl IntoIterator<Item = (Reply<R>, Result<R>)>) {
    let mut by_worker: Vec<(Option<Worker>, Vec<_>)> = Vec::new();
    for (Reply { request, worker }, outcome) in outcomes {
        let is_same =
            |known: &Option<Worker>| known.as_ref().map(Arc::as_ptr) == worker.as_ref().map(Arc::as_ptr);
        match by_worker.iter_mut().find(|(known, _)| is_same(known)) {
            Some((_, replies)) => replies.push((request, outcome)),
            None => by_worker.push((worker, vec![(request, outcome)])),
        }
    }
    for (worker, replies) in by_worker {
        let deliver = move || replies.into_iter().for_each(|(request, outcome)| drop(request.send(outcome)));
        match worker {
            None => deliver(),
            // A worker that has ended has nobody who waits.
            Some(worker) => drop(worker.send(Box::new(deliver))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::task::LocalSet;

    use super::*;

    /// Replies from another thread, as a writer does.
    fn deliver_elsewhere(replies: Vec<Reply<usize>>) {
        let numbered = replies.into_iter().enumerate().map(|(number, reply)| (reply, Ok(number)));
        let numbered: Vec<_> = numbered.collect();
        thread::spawn(move || deliver(numbered)).join().unwrap();
    }

    #[tokio::test]
    async fn each_request_gets_its_own_reply() {
        let requests = async {
            take_here();
            take_here();
            let (replies, waiting): (Vec<_>, Vec<_>) = (0..3).map(|_| reply()).unzip();
            assert!(replies.iter().all(|reply| reply.worker.is_some()));
            deliver_elsewhere(replies);
            for (number, request) in waiting.into_iter().enumerate() {
                assert_eq!(request.await.unwrap().unwrap(), number);
            }
        };
        LocalSet::new().run_until(requests).await;
    }

    #[test]
    fn a_thread_that_takes_no_deliveries_is_told_at_once() {
        let (reply, mut waiting) = reply();
        deliver_elsewhere(vec![reply]);
        assert_eq!(waiting.try_recv().unwrap().unwrap(), 0);
    }

    #[test]
    fn a_worker_that_has_ended_is_nobodys_fault() {
        let replies = thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let taken = LocalSet::new().block_on(&runtime, async {
                take_here();
                reply().0
            });
            vec![taken]
        });
        deliver_elsewhere(replies.join().unwrap());
    }
}
