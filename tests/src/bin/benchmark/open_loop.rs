//! A load that does not wait for the server: requests come at a rate, whatever becomes of those before them, as long as
//! there is a connection that is free.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime,
    sync::Semaphore,
    task::LocalSet,
    time::{MissedTickBehavior, interval, timeout},
};

/// How long the last answers are waited for.
const DRAIN: Duration = Duration::from_secs(10);
/// Requests become due in steps of this.
const STEP: Duration = Duration::from_millis(1);

/// How many requests come.
#[derive(Clone, Copy)]
pub enum Rate {
    /// So many a second.
    PerSecond(f64),
    /// On each connection one after the other.
    AsFastAsAnswered,
}

/// One answer: when its request was sent, from the beginning, and how long it took, both in seconds.
#[derive(Clone, Copy)]
pub struct Took {
    /// When.
    pub sent: f64,
    /// How long.
    pub seconds: f64,
}

/// What came of a load.
#[derive(Default)]
pub struct Outcome {
    /// Answers that say that the click is stored.
    pub good: Vec<Took>,
    /// 503.
    pub shed: Vec<Took>,
    /// Everything else: other answers, and connections that ended without one.
    pub failed: u64,
    /// Requests that were due and found no free connection to the end.
    pub unsent: u64,
    /// From the first request to the end of the load.
    pub seconds: f64,
    /// From then to the last answer.
    pub drain_seconds: f64,
}

impl Outcome {
    /// Good answers in a second.
    pub fn goodput(&self) -> f64 {
        self.good.len() as f64 / self.seconds
    }

    /// Requests that were answered with 503, of all that were answered.
    pub fn shed_share(&self) -> f64 {
        self.shed.len() as f64 / (self.good.len() + self.shed.len()).max(1) as f64
    }
}

/// The 99th percentile in milliseconds.
pub fn p99_ms(answers: &[Took]) -> f64 {
    let mut seconds: Vec<f64> = answers.iter().map(|took| took.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len().saturating_sub(1) * 99 / 100).map_or(0.0, |seconds| seconds * 1e3)
}

struct Load {
    address: String,
    requests: Vec<String>,
    following: Cell<usize>,
    began: Instant,
    until: Instant,
    rate: Rate,
    tokens: Semaphore,
    outcome: RefCell<Outcome>,
}

/// Drives the server for some seconds, on a thread of its own.
pub async fn drive(
    address: &str,
    requests: &[String],
    rate: Rate,
    connections: usize,
    length: Duration,
) -> Outcome {
    let (address, requests) = (address.to_owned(), requests.to_vec());
    let run = move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, run(address, requests, rate, connections, length))
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

async fn run(
    address: String,
    requests: Vec<String>,
    rate: Rate,
    connections: usize,
    length: Duration,
) -> Outcome {
    let mut streams = Vec::new();
    for _ in 0..connections {
        streams.push(TcpStream::connect(&address).await.unwrap());
    }
    let began = Instant::now();
    let load = Rc::new(Load {
        address,
        requests,
        following: Cell::new(0),
        began,
        until: began + length,
        rate,
        tokens: Semaphore::new(0),
        outcome: RefCell::default(),
    });
    let visitors: Vec<_> =
        streams.into_iter().map(|stream| tokio::task::spawn_local(load.clone().visit(stream))).collect();
    load.schedule().await;
    let all = async {
        for visitor in visitors {
            drop(visitor.await);
        }
    };
    let drained = timeout(DRAIN, all).await.is_ok();
    assert!(drained, "some requests were never answered");
    let mut outcome = load.outcome.take();
    outcome.seconds = length.as_secs_f64();
    outcome.drain_seconds = began.elapsed().as_secs_f64() - outcome.seconds;
    outcome
}

impl Load {
    /// Makes requests due until the time is over; what nobody has taken by then is not sent.
    async fn schedule(&self) {
        let mut ticks = interval(STEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut made = 0;
        while Instant::now() < self.until {
            ticks.tick().await;
            if let Rate::PerSecond(rate) = self.rate {
                let wanted = (self.began.elapsed().as_secs_f64() * rate) as usize;
                self.tokens.add_permits(wanted - made);
                made = wanted;
            }
        }
        self.outcome.borrow_mut().unsent = self.tokens.available_permits() as u64;
        self.tokens.close();
    }

    /// Waits until the next request of a connection is due; none when the time is over.
    async fn next(&self) -> Option<()> {
        match self.rate {
            Rate::AsFastAsAnswered => (Instant::now() < self.until).then_some(()),
            Rate::PerSecond(_) => {
                self.tokens.acquire().await.ok()?.forget();
                Some(())
            }
        }
    }

    fn note(&self, answer: Option<u16>, took: Took) {
        let mut outcome = self.outcome.borrow_mut();
        match answer {
            Some(302) => outcome.good.push(took),
            Some(503) => outcome.shed.push(took),
            _ => outcome.failed += 1,
        }
    }

    /// One connection, made again when it ends.
    async fn visit(self: Rc<Self>, mut stream: TcpStream) {
        let mut bytes = Vec::with_capacity(4_096);
        while self.next().await.is_some() {
            let number = self.following.replace(self.following.get() + 1);
            let request = &self.requests[number % self.requests.len()];
            let sent = Instant::now();
            let answer = exchange(&mut stream, request, &mut bytes).await;
            let since = sent.duration_since(self.began).as_secs_f64();
            let took = Took { sent: since, seconds: sent.elapsed().as_secs_f64() };
            self.note(answer, took);
            if answer.is_none() {
                match TcpStream::connect(&self.address).await {
                    Ok(fresh) => stream = fresh,
                    Err(_) => return,
                }
            }
        }
    }
}

/// Sends a request and reads its answer: the status, or none if the connection ends before.
async fn exchange(stream: &mut TcpStream, request: &str, bytes: &mut Vec<u8>) -> Option<u16> {
    stream.write_all(request.as_bytes()).await.ok()?;
    bytes.clear();
    loop {
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(status) = whole(bytes) {
            return Some(status);
        }
    }
}

/// The status of an answer that has arrived whole.
fn whole(bytes: &[u8]) -> Option<u16> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&bytes[..head]).ok()?;
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap_or_default());
    (bytes.len() >= head + 4 + length).then(|| text.get(9..12)?.parse().ok())?
}
