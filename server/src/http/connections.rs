//! Connections of clients that do not go on: the HTTP library waits without end for the head of a connection's second
//! request, for a body that nobody reads, and for a client that does not take its answer. Whoever has had no request
//! under way for too long is cut off here.

use std::{
    any::Any,
    cell::Cell,
    io::ErrorKind,
    net::Shutdown,
    os::fd::AsFd,
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::{
    dev::Extensions,
    rt::{net::TcpStream, spawn, task::JoinHandle},
};
use tokio::time::{Instant, sleep_until};

use crate::metrics::Metrics;

/// A connection of a client, which can be closed from beside.
pub struct Connection {
    socket: std::net::TcpStream,
    under_way: Cell<usize>,
    quiet_since: Cell<Instant>,
    metrics: Arc<Metrics>,
    watch: Cell<Option<JoinHandle<()>>>,
}

/// A request under way on a connection, until it is dropped.
pub struct UnderWay(Rc<Connection>);

/// Watches a connection that has been made. If the system has no file left to hold it by, it is not watched.
pub fn watch(io: &dyn Any, data: &mut Extensions, quiet: Duration, metrics: &Arc<Metrics>) {
    let plain = io.downcast_ref::<TcpStream>();
    let stream = plain.or_else(|| Some(io.downcast_ref::<TlsStream<TcpStream>>()?.get_ref().0));
    let Some(socket) = stream.and_then(|stream| stream.as_fd().try_clone_to_owned().ok()) else { return };
    metrics.open_connection();
    let connection = Rc::new(Connection {
        socket: socket.into(),
        under_way: Cell::default(),
        quiet_since: Cell::new(Instant::now()),
        metrics: metrics.clone(),
        watch: Cell::default(),
    });
    connection.watch.set(Some(spawn(close_when_quiet(Rc::downgrade(&connection), quiet))));
    data.insert(connection);
}

async fn close_when_quiet(connection: Weak<Connection>, quiet: Duration) {
    while let Some(due) = connection.upgrade().map(|connection| connection.due(quiet)) {
        sleep_until(due).await;
        let Some(connection) = connection.upgrade() else { return };
        if connection.due(quiet) <= Instant::now() {
            // One that has gone by itself needs no closing.
            drop(connection.socket.shutdown(Shutdown::Both));
            return;
        }
    }
}

impl Connection {
    /// A request has come.
    pub fn begin(self: &Rc<Self>) -> UnderWay {
        self.under_way.set(self.under_way.get() + 1);
        UnderWay(self.clone())
    }

    /// The client takes an answer that has no end.
    pub fn takes_its_answer(&self) {
        self.quiet_since.set(Instant::now());
    }

    /// Whether the client has gone, or will at least send nothing more.
    pub fn is_left(&self) -> bool {
        match self.socket.peek(&mut [0]) {
            Ok(bytes) => bytes == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }

    /// When it will have been quiet for too long, as it looks now.
    fn due(&self, quiet: Duration) -> Instant {
        let since = if self.under_way.get() > 0 { Instant::now() } else { self.quiet_since.get() };
        since + quiet
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
        self.0.quiet_since.set(Instant::now());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.metrics.close_connection();
        if let Some(watch) = self.watch.take() {
            watch.abort();
        }
    }
}
