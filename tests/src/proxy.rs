//! Something that stands between the server and PostgreSQL, and misbehaves when it is told to.

use std::{net::SocketAddr, time::Duration};

use tallyback_server::clock;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
    time::sleep,
};

/// How it behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    /// Passes everything on.
    Good,
    /// Nobody listens, and every connection is closed.
    Refused,
    /// Connections are taken and kept, and nothing is passed on.
    Hanging,
    /// Every connection is reset, a new one too.
    Reset,
    /// Passes everything on two seconds late.
    Slow,
}

/// A proxy in front of one address; it ends with its test.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    line: watch::Sender<Line>,
}

impl Proxy {
    /// A proxy that passes everything on.
    pub async fn start(upstream: String) -> Self {
        let listener = listener_of_its_own().await;
        let address = listener.local_addr().unwrap();
        let (line, behaviour) = watch::channel(Line::Good);
        tokio::spawn(serve(listener, upstream, behaviour));
        Self { address, line }
    }

    /// Behaves differently from now on, on connections that are open too.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

/// On a port that is not handed out for anything else: nobody takes it while the proxy does not listen.
async fn listener_of_its_own() -> TcpListener {
    for _ in 0..100 {
        let port = 10_000 + u16::from_be_bytes(clock::random()) % 10_000;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await {
            return listener;
        }
    }
    panic!("there is no free port");
}

async fn serve(listener: TcpListener, upstream: String, mut line: watch::Receiver<Line>) {
    let address = listener.local_addr().unwrap();
    let (mut listener, behaviour) = (Some(listener), line.clone());
    loop {
        let open = match listener.take() {
            Some(open) => open,
            None => TcpListener::bind(address).await.unwrap(),
        };
        loop {
            tokio::select! {
                accepted = open.accept() => {
                    let (client, _) = accepted.unwrap();
                    tokio::spawn(connection(client, upstream.clone(), behaviour.clone()));
                }
                changed = line.wait_for(|line| *line == Line::Refused) => {
                    if changed.is_err() { return; }
                    break;
                }
            }
        }
        drop(open);
        if line.wait_for(|line| *line != Line::Refused).await.is_err() {
            return;
        }
    }
}

async fn connection(client: TcpStream, upstream: String, mut line: watch::Receiver<Line>) {
    client.set_zero_linger().unwrap();
    let passes = |line: &Line| *line != Line::Hanging;
    let begun = line.wait_for(passes).await.map(|line| *line);
    if !matches!(begun, Ok(Line::Good | Line::Slow)) {
        return;
    }
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    server.set_zero_linger().unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = pump(from_client, to_server, line.clone()) => {}
        () = pump(from_server, to_client, line.clone()) => {}
        _ = line.wait_for(|line| matches!(line, Line::Refused | Line::Reset)) => {}
    }
}

/// Passes on what comes, as soon as the line lets it through.
async fn pump(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, mut line: watch::Receiver<Line>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut buffer).await.unwrap_or(0);
        let Ok(now) = line.wait_for(|line| *line != Line::Hanging).await.map(|line| *line) else { return };
        if now == Line::Slow {
            sleep(Duration::from_secs(2)).await;
        }
        if count == 0 || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
