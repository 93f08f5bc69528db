//! Who drives a connection: the thread that uses it, while it uses it. So a round trip to the database needs no other
//! thread of ours to wake up and to go to sleep again.

use std::{cell::Cell, future::Future};

use diesel_async::async_connection_wrapper::BlockOn;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    /// The runtime on which this thread has just opened a connection.
    static OPENED: Cell<Option<Runtime>> = const { Cell::new(None) };
}

/// A runtime that belongs to one connection.
pub struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    /// Opens a connection on a runtime of its own; what is made of it on this thread next takes the runtime over.
    pub fn open<T>(opening: impl Future<Output = T>) -> std::io::Result<T> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let opened = runtime.block_on(opening);
        OPENED.set(Some(runtime));
        Ok(opened)
    }
}

impl BlockOn for OwnRuntime {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.as_ref().expect("a runtime ends with its connection").block_on(future)
    }

    fn get_runtime() -> Self {
        Self(Some(OPENED.take().expect("a connection is opened by `OwnRuntime::open`")))
    }
}

impl Drop for OwnRuntime {
    /// A connection may be dropped where nobody may wait.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
