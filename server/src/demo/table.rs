//! A report as a table for people.

use serde_json::Value;

const HEADINGS: [&str; 8] =
    ["day", "campaign", "publisher", "clicks", "conversions", "rate", "amount", "payout"];

/// The rows of a report by day, campaign and publisher.
pub fn of(report: &Value) -> String {
    let rows = report["rows"].as_array().into_iter().flatten().map(cells);
    let lines: Vec<Vec<String>> = std::iter::once(HEADINGS.map(str::to_owned).to_vec()).chain(rows).collect();
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| lines.iter().map(|line| line[column].len()).max().unwrap_or(0))
        .collect();
    let line = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("  {}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    lines.iter().map(line).collect()
}

fn cells(row: &Value) -> Vec<String> {
    let dimension = |name: &str| row["dimensions"][name].as_str().unwrap_or("-").to_owned();
    let money = |name: &str| match row["money"].get(0) {
        Some(money) => {
            let part = |name: &str| money[name].as_str().unwrap_or_default().to_owned();
            format!("{} {}", part(name), part("currency"))
        }
        None => "-".to_owned(),
    };
    let rate =
        row["conversion_rate"].as_f64().map_or("-".to_owned(), |rate| format!("{:.1} %", rate * 100.0));
    vec![
        dimension("day"),
        dimension("campaign"),
        dimension("publisher"),
        row["clicks"].to_string(),
        row["conversions"]["total"].to_string(),
        rate,
        money("amount"),
        money("payout"),
    ]
}
