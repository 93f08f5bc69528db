//! Visitors who click and buy, one after the other, and everything that they were answered.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{
    Client,
    header::{LOCATION, USER_AGENT},
};
use tallyback::Outcome;
use tokio::task::JoinSet;

use crate::{Acme, BROWSER, client, parameter};

/// A click, as its visitor saw it.
#[derive(Clone, Debug)]
pub struct Clicked {
    /// When it was sent.
    pub at: Instant,
    /// How long the redirect took.
    pub took: Duration,
    /// The id on the landing URL.
    pub id: String,
}

/// A sale, as it was reported.
#[derive(Clone, Debug)]
pub struct Sold {
    /// The order.
    pub order: String,
    /// What the server said.
    pub outcome: Outcome,
}

/// What visitors were answered.
#[derive(Default, Debug)]
pub struct Seen {
    /// Clicks that were redirected with an id.
    pub clicks: Vec<Clicked>,
    /// Reports that were taken.
    pub sales: Vec<Sold>,
    /// Everything else.
    pub failures: Vec<String>,
}

impl Seen {
    /// How many sales had each outcome.
    pub fn outcomes(&self) -> BTreeMap<String, usize> {
        let mut outcomes = BTreeMap::new();
        for sale in &self.sales {
            *outcomes.entry(sale.outcome.code().as_str().to_owned()).or_default() += 1;
        }
        outcomes
    }

    /// The time in which all but one in a hundred of the clicks between two moments were redirected.
    pub fn p99(&self, from: Instant, to: Instant) -> Duration {
        let between = self.clicks.iter().filter(|click| (from..to).contains(&click.at));
        let mut times: Vec<_> = between.map(|click| click.took).collect();
        times.sort();
        times.get(times.len().saturating_sub(1) * 99 / 100).copied().unwrap_or_default()
    }

    fn add(&mut self, other: Self) {
        self.clicks.extend(other.clicks);
        self.sales.extend(other.sales);
        self.failures.extend(other.failures);
    }
}

/// Visitors under way.
pub struct Load {
    visitors: JoinSet<Seen>,
    stop: Arc<AtomicBool>,
    sold: Arc<AtomicU64>,
}

impl Load {
    /// Sends visitors who click, buy and come again. Orders start with `name`.
    pub fn start(acme: &Acme, visitors: usize, name: &str) -> Self {
        let (stop, orders) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let all_sold = Arc::new(AtomicU64::new(0));
        let mut set = JoinSet::new();
        for _ in 0..visitors {
            let (acme, stop, orders, name) = (acme.clone(), stop.clone(), orders.clone(), name.to_owned());
            let sold = all_sold.clone();
            set.spawn(async move {
                let (http, sdk, mut seen) = (client(), acme.sdk_that_sends_once(), Seen::default());
                while !stop.load(Ordering::Relaxed) {
                    let order = format!("{name}-{}", orders.fetch_add(1, Ordering::Relaxed));
                    let before = seen.sales.len();
                    shop(&http, &acme, &sdk, order, &mut seen).await;
                    sold.fetch_add((seen.sales.len() - before) as u64, Ordering::Relaxed);
                }
                seen
            });
        }
        Self { visitors: set, stop, sold: all_sold }
    }

    /// Waits until so many more sales were answered.
    pub async fn more(&self, sales: u64) {
        let wanted = self.sold.load(Ordering::Relaxed) + sales;
        let arrived = async {
            while self.sold.load(Ordering::Relaxed) < wanted {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), arrived).await.expect("sales are answered");
    }

    /// Waits until every visitor has got the answer to the last request.
    pub async fn stop(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        self.visitors.join_all().await.into_iter().for_each(|seen| all.add(seen));
        all
    }
}

/// One click, and one sale of it.
async fn shop(http: &Client, acme: &Acme, sdk: &tallyback::Client, order: String, seen: &mut Seen) {
    let at = Instant::now();
    let sent = http.get(acme.click_url()).header(USER_AGENT, BROWSER).send().await;
    let response = match sent {
        Ok(response) => response,
        Err(error) => return seen.failures.push(format!("a click: {error:?}")),
    };
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let Some(id) = location.and_then(|url| parameter(url, "kcid")) else {
        return seen.failures.push(format!("a click: {}, no id", response.status()));
    };
    seen.clicks.push(Clicked { at, took: at.elapsed(), id: id.clone() });
    match sdk.record(&Acme::sale(&id, &order)).await {
        Ok(recorded) => seen.sales.push(Sold { order, outcome: recorded.outcome }),
        Err(error) => seen.failures.push(format!("{order}: {error:?}")),
    }
}
