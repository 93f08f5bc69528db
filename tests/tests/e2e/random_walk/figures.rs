//! What reports must say: the model's rows, grouped anew, and the server's, read back.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    model::{Conversion, DAY, Link, Status, World},
    money::{Parts, parts, per},
};

/// Statuses that are or may become payable.
const VALID: [Status; 3] = ["pending", "on_hold", "approved"];
const STATUSES: [Status; 5] = ["pending", "on_hold", "approved", "rejected", "reversed"];

/// Conversions, rebills, amount, payout, revenue.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub struct Sums([Parts; 5]);

impl Sums {
    fn add(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }

    fn of(row: &Conversion) -> Self {
        let is_rebill = Parts::from(row.mode == 1);
        Self([1 - is_rebill, is_rebill, row.amount.unwrap_or(0), row.payout, row.revenue])
    }

    fn read(told: &Value) -> Self {
        let count = |name: &str| told[name].as_i64().unwrap().into();
        let money = |name: &str| parts(told[name].as_str().unwrap());
        Self([count("conversions"), count("rebills"), money("amount"), money("payout"), money("revenue")])
    }
}

/// Money in one currency.
#[derive(Default, PartialEq, Debug)]
struct Money {
    total: Sums,
    by_status: BTreeMap<String, Sums>,
    per_click: Option<Parts>,
}

/// One row of a report.
#[derive(Default, PartialEq, Debug)]
pub struct Row {
    clicks: i64,
    bots: i64,
    conversions: BTreeMap<String, i64>,
    rebills: BTreeMap<String, i64>,
    money: BTreeMap<String, Money>,
    /// Conversions that clicks led to, per million clicks.
    rate: Option<i64>,
}

pub type Rows = BTreeMap<Vec<Option<String>>, Row>;

fn named(counts: impl Fn(Status) -> i64) -> BTreeMap<String, i64> {
    let total = VALID.into_iter().map(&counts).sum();
    let by_status = STATUSES.into_iter().map(|status| (status.to_owned(), counts(status)));
    by_status.chain([("total".to_owned(), total)]).collect()
}

impl Row {
    /// The row of so many clicks, and of these conversions.
    fn of(clicks: i64, bots: i64, of: &[&Conversion]) -> Self {
        let count = |is_rebill: bool| {
            named(|status| {
                let fitting = of.iter().filter(|row| row.status == status && (row.mode == 1) == is_rebill);
                fitting.count() as i64
            })
        };
        let mut money: BTreeMap<String, Money> = BTreeMap::new();
        for row in of {
            let Some(currency) = row.currency else { continue };
            let money = money.entry(currency.to_owned()).or_default();
            money.by_status.entry(row.status.to_owned()).or_default().add(Sums::of(row));
            if VALID.contains(&row.status) {
                money.total.add(Sums::of(row));
            }
        }
        for (currency, money) in &mut money {
            let linked = of.iter().filter(|row| {
                row.link.is_some() && VALID.contains(&row.status) && row.currency == Some(currency.as_str())
            });
            let payouts: Parts = linked.map(|row| row.payout).sum();
            money.per_click = (clicks > 0).then(|| per(payouts, clicks));
        }
        let led_to =
            of.iter().filter(|row| row.link.is_some() && row.mode != 1 && VALID.contains(&row.status));
        let rate = (clicks > 0).then(|| per_million(led_to.count() as f64 / clicks as f64));
        Self { clicks, bots, conversions: count(false), rebills: count(true), money, rate }
    }

    /// The row that the server tells.
    pub fn read(told: &Value) -> Self {
        let counts = |name: &str| -> BTreeMap<String, i64> {
            let counts = told[name].as_object().unwrap().iter();
            counts.map(|(status, count)| (status.clone(), count.as_i64().unwrap())).collect()
        };
        let money = |one: &Value| {
            let by_status = one["by_status"].as_object().unwrap().iter();
            let by_status = by_status.map(|(status, sums)| (status.clone(), Sums::read(sums))).collect();
            let money =
                Money { total: Sums::read(one), by_status, per_click: one["epc"].as_str().map(parts) };
            (one["currency"].as_str().unwrap().to_owned(), money)
        };
        Self {
            clicks: told["clicks"].as_i64().unwrap(),
            bots: told["bot_clicks"].as_i64().unwrap(),
            conversions: counts("conversions"),
            rebills: counts("rebills"),
            money: told["money"].as_array().unwrap().iter().map(money).collect(),
            rate: told["conversion_rate"].as_f64().map(per_million),
        }
    }
}

fn per_million(rate: f64) -> i64 {
    (rate * 1_000_000.0).round() as i64
}

/// The rows that the server tells.
pub fn read(report: &Value) -> Rows {
    let dimensions: Vec<&str> =
        report["dimensions"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let values = |row: &Value| {
        dimensions.iter().map(|name| row["dimensions"][name].as_str().map(str::to_owned)).collect()
    };
    report["rows"].as_array().unwrap().iter().map(|row| (values(row), Row::read(row))).collect()
}

/// What a report is narrowed to: one thing of one dimension, or nothing.
pub type Only<'a> = Option<(&'a str, &'a str)>;

impl World {
    /// The rows of a report.
    pub fn rows(&self, dimensions: &[&str], only: Only<'_>) -> Rows {
        let mut rows: BTreeMap<_, (i64, i64, Vec<&Conversion>)> = BTreeMap::new();
        let clicks = self.clicks.iter().map(|click| (click.at, click.link, 1, 0));
        let bots = self.bots.iter().map(|(at, link)| (*at, *link, 0, 1));
        for (at, link, click, bot) in clicks.chain(bots) {
            let of = |name: &str| self.of_click(name, at, &self.links[link]);
            if only.is_none_or(|(name, id)| name == "goal" || of(name).as_deref() == Some(id)) {
                let row = rows.entry(dimensions.iter().map(|name| of(name)).collect::<Vec<_>>()).or_default();
                (row.0, row.1) = (row.0 + click, row.1 + bot);
            }
        }
        for conversion in &self.conversions {
            let of = |name: &str| self.of_conversion(name, conversion);
            if only.is_none_or(|(name, id)| of(name).as_deref() == Some(id)) {
                rows.entry(dimensions.iter().map(|name| of(name)).collect()).or_default().2.push(conversion);
            }
        }
        rows.into_iter().map(|(values, (clicks, bots, of))| (values, Row::of(clicks, bots, &of))).collect()
    }

    fn of_click(&self, dimension: &str, at: i64, link: &Link) -> Option<String> {
        match dimension {
            "hour" => Some(format!("{}T{:02}:00:00Z", date(at), at.rem_euclid(DAY) / 3_600)),
            "day" => Some(date(at)),
            "advertiser" => Some(self.shops[link.shop].id.clone()),
            "campaign" => Some(link.campaign.clone()),
            "creative" => link.creative.clone(),
            "link" => Some(link.id.clone()),
            "publisher" => link.publisher.map(|publisher| self.publishers[publisher].clone()),
            _ => None,
        }
    }

    fn of_conversion(&self, dimension: &str, row: &Conversion) -> Option<String> {
        match (dimension, row.link) {
            ("goal", _) => Some(self.goals[row.goal].id.clone()),
            ("advertiser", _) => Some(self.shops[row.shop].id.clone()),
            ("publisher", _) => row.publisher.map(|publisher| self.publishers[publisher].clone()),
            ("campaign" | "creative" | "link", None) => Some("(not linked)".to_owned()),
            (_, link) => self.of_click(dimension, row.event_time, &self.links[link.unwrap_or(0)]),
        }
    }
}

/// The date of a time: days since 1970 in the Gregorian calendar.
pub fn date(at: i64) -> String {
    let (mut day, mut year) = (at.div_euclid(DAY), 1970);
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = |year: i64| if is_leap(year) { 366 } else { 365 };
    while day >= length(year) {
        day -= length(year);
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 0;
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while day >= months[month] {
        day -= months[month];
        month += 1;
    }
    format!("{year}-{:02}-{:02}", month + 1, day + 1)
}
