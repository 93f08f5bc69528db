//! A tiny HTTP server that plays a script, one reply per connection, and keeps what it was sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server does once it has read a request.
#[derive(Clone)]
pub(crate) enum Reply {
    Answer { status: u16, headers: String, body: String },
    Drop,
    Hang,
    HalfAnswer,
    EndlessAnswer,
}

impl Reply {
    pub(crate) fn json(status: u16, body: serde_json::Value) -> Self {
        Self::answer(status, "application/json", &body.to_string())
    }

    pub(crate) fn answer(status: u16, content_type: &str, body: &str) -> Self {
        Self::Answer { status, headers: format!("content-type: {content_type}\r\n"), body: body.to_owned() }
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        match self {
            Self::Answer { status, headers, body } => {
                Self::Answer { status, headers: format!("{headers}{name}: {value}\r\n"), body }
            }
            other => other,
        }
    }

    pub(crate) fn accepted() -> Self {
        let body = serde_json::json!({"result": "accepted", "code": "accepted", "message": "Counted.",
            "postback_id": "pb_1", "conversion_id": "cv_1", "status": "approved", "hold_until": null,
            "retry": "no", "hint": null, "flags": []});
        Self::json(201, body)
    }
}

/// One request as it was on the wire. Header names are in lower case.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    pub(crate) at: Instant,
}

pub(crate) struct FakeServer {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl FakeServer {
    /// Starts on a free port. A request beyond the script is kept, and gets the last reply again.
    pub(crate) async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::default();
        tokio::spawn(play(listener, script.into_iter().collect(), Arc::clone(&requests)));
        Self { port, requests }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn play(listener: TcpListener, script: Vec<Reply>, requests: Arc<Mutex<Vec<Request>>>) {
    let mut open = Vec::new();
    for turn in 0.. {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read(&mut stream).await;
        requests.lock().unwrap().push(request);
        match script.get(turn).or(script.last()).unwrap() {
            Reply::Answer { status, headers, body } => write(&mut stream, *status, headers, body).await,
            Reply::HalfAnswer => {
                stream
                    .write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"code\"")
                    .await
                    .unwrap();
            }
            Reply::EndlessAnswer => {
                stream.write_all(b"HTTP/1.1 201 Created\r\nconnection: close\r\n\r\n").await.unwrap();
                while stream.write_all(&[b' '; 4096]).await.is_ok() {}
            }
            Reply::Hang => open.push(stream),
            Reply::Drop => {}
        }
    }
}

async fn read(stream: &mut TcpStream) -> Request {
    let mut bytes = Vec::new();
    let head_end = loop {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the request was cut");
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.lines();
    let line = lines.next().unwrap().to_owned();
    let headers: BTreeMap<String, String> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers["content-length"].parse().unwrap();
    while bytes.len() < head_end + 4 + length {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the body was cut");
    }
    let body = String::from_utf8(bytes[head_end + 4..].to_vec()).unwrap();
    Request { line, headers, body, at: Instant::now() }
}

async fn write(stream: &mut TcpStream, status: u16, headers: &str, body: &str) {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} Fake\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
}
