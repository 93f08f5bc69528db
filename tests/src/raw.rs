//! A client that sends what it likes, when it likes: bytes on a connection.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A connection.
pub struct Raw(TcpStream);

impl Raw {
    /// Connects to a URL's host and port.
    pub async fn connect(base_url: &str) -> Self {
        let (_, address) = base_url.split_once("://").unwrap();
        Self(TcpStream::connect(address.replace("localhost", "127.0.0.1")).await.unwrap())
    }

    /// Connects and sends.
    pub async fn sending(base_url: &str, text: &str) -> Self {
        let mut raw = Self::connect(base_url).await;
        raw.send(text).await;
        raw
    }

    /// Sends; the server may have closed by now.
    pub async fn send(&mut self, text: &str) {
        drop(self.0.write_all(text.as_bytes()).await);
    }

    /// Sends a byte now and then, for ever.
    pub async fn dribble(mut self, text: &str) {
        for byte in text.bytes().cycle() {
            if self.0.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// One answer: its head, and as much of its body as the head says.
    pub async fn answer(&mut self) -> String {
        let mut text = String::new();
        while !is_whole(&text) {
            let mut bytes = [0; 4_096];
            match timeout(PATIENCE, self.0.read(&mut bytes)).await.expect("there is an answer").unwrap() {
                0 => panic!("closed after {text:?}"),
                read => text += &String::from_utf8_lossy(&bytes[..read]),
            }
        }
        text
    }

    /// Everything that comes until the server closes.
    pub async fn until_closed(&mut self) -> String {
        let mut bytes = Vec::new();
        // A reset is an end, too.
        drop(timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await.expect("the server closes"));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| body.len() >= length.parse::<usize>().unwrap())
}
