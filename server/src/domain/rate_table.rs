//! Exchange rates as a table of text: comma-separated values with a header line.

use super::{currency::Currency, rate::Rate, refusal::FieldError, time::Timestamp};

/// The columns, in any order.
pub const COLUMNS: [&str; 4] = ["base", "quote", "date", "rate"];
/// Most errors that are told of one table.
const MOST_ERRORS: usize = 100;

/// What one unit of a currency is worth in another, from the start of a day on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DayRate {
    /// The currency that is priced.
    pub base: Currency,
    /// The currency of the price.
    pub quote: Currency,
    /// The first moment of the day, UTC.
    pub day: Timestamp,
    /// The price.
    pub rate: Rate,
}

impl DayRate {
    /// What it is the only one of.
    pub fn key(&self) -> (Currency, Currency, Timestamp) {
        (self.base, self.quote, self.day)
    }
}

/// Reads a date such as `2026-11-24`, as its first moment in UTC.
pub fn parse_date(text: &str) -> Option<Timestamp> {
    let is_date = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    Timestamp::parse(&format!("{text}T00:00:00Z")).filter(|_| is_date)
}

/// Reads a rate from its four texts; an error for each that is wrong, with its name.
pub fn read_rate(texts: [&str; 4]) -> Result<DayRate, Vec<(&'static str, String)>> {
    let [base_text, quote_text, date_text, rate_text] = texts;
    let mut errors = Vec::new();
    let currency = |text: &str| {
        Currency::parse(text).ok_or_else(|| format!("`{text}` is not an ISO 4217 code such as EUR"))
    };
    let mut note = |name, error: Option<String>| errors.extend(error.map(|error| (name, error)));
    let (base, quote) = (currency(base_text), currency(quote_text));
    note("base", base.as_ref().err().cloned());
    note("quote", quote.as_ref().err().cloned());
    if base.is_ok() && base == quote {
        note("quote", Some("must be another currency than `base`".to_owned()));
    }
    let day = parse_date(date_text).ok_or_else(|| format!("`{date_text}` is not a date such as 2026-11-24"));
    note("date", day.as_ref().err().cloned());
    let rate = Rate::parse(rate_text);
    note("rate", rate.as_ref().err().map(|error| format!("`{rate_text}`: {error}")));
    match (base, quote, day, rate) {
        (Ok(base), Ok(quote), Ok(day), Ok(rate)) if errors.is_empty() => {
            Ok(DayRate { base, quote, day, rate })
        }
        _ => Err(errors),
    }
}

/// Reads a table: a header line that names the columns, then a rate on each line.
///
/// # Errors
/// Every line that is wrong, up to a hundred of them: `line 3`, and what is wrong with it.
pub fn read_table(text: &str) -> Result<Vec<DayRate>, Vec<FieldError>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let (number, header) = lines.next().unwrap_or_default();
    let places = read_header(header).map_err(|detail| vec![at(number, &detail)])?;
    let (mut rates, mut errors) = (Vec::new(), Vec::new());
    let mut seen = std::collections::HashMap::new();
    for (number, line) in lines {
        match read_line(line, places) {
            Ok(rate) => match seen.insert(rate.key(), number) {
                Some(first) => errors
                    .push(at(number, &format!("says the same day of the same pair as line {}", first + 1))),
                None => rates.push(rate),
            },
            Err(detail) => errors.push(at(number, &detail)),
        }
        if errors.len() == MOST_ERRORS {
            break;
        }
    }
    match (errors.is_empty(), rates.is_empty()) {
        (true, false) => Ok(rates),
        (true, true) => Err(vec![at(number, "is the header; no line with a rate follows")]),
        _ => Err(errors),
    }
}

fn at(number: usize, detail: &str) -> FieldError {
    FieldError::new(format!("line {}", number + 1), detail)
}

/// Where each column stands.
fn read_header(line: &str) -> Result<[usize; 4], String> {
    let names = split(line);
    let place = |column: &str| {
        let found: Vec<usize> =
            names.iter().enumerate().filter(|(_, name)| **name == column).map(|(place, _)| place).collect();
        <[usize; 1]>::try_from(found).map(|[place]| place).ok()
    };
    let [base, quote, date, rate] = COLUMNS.map(place);
    let places = || Some([base?, quote?, date?, rate?]);
    places().filter(|_| names.len() == COLUMNS.len()).ok_or_else(|| {
        format!("must be a header line with the columns {}, separated by commas", COLUMNS.join(","))
    })
}

fn read_line(line: &str, places: [usize; 4]) -> Result<DayRate, String> {
    let cells = split(line);
    if cells.len() != COLUMNS.len() {
        return Err(format!("has {} cells; {} are wanted, separated by commas", cells.len(), COLUMNS.len()));
    }
    let told = |errors: Vec<(&str, String)>| {
        errors.into_iter().map(|(name, error)| format!("{name}: {error}")).collect::<Vec<_>>().join("; ")
    };
    read_rate(places.map(|place| cells.get(place).copied().unwrap_or_default())).map_err(told)
}

/// The cells of a line, without the blanks around them and without quotes. No cell may have a comma in it.
fn split(line: &str) -> Vec<&str> {
    let unquoted = |cell: &'_ str| -> Option<usize> { (cell.len() >= 2).then(|| cell.len() - 1) };
    line.split(',')
        .map(str::trim)
        .map(|cell| match (cell.strip_prefix('"'), unquoted(cell)) {
            (Some(_), Some(end)) if cell.ends_with('"') => cell.get(1..end).unwrap_or(cell),
            _ => cell,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &str) -> Vec<String> {
        let errors = read_table(text).expect_err(text);
        errors.into_iter().map(|error| format!("{}: {}", error.pointer, error.detail)).collect()
    }

    #[test]
    fn columns_come_in_any_order_and_quotes_and_blanks_say_nothing() {
        let rates = read_table(
            "\u{feff}date, rate,base,quote\r\n2026-11-24,0.92,USD,EUR\r\n\r\n\"2026-11-24\", \"163.2\" ,EUR,JPY\r\n",
        )
        .unwrap();
        let told: Vec<_> = rates
            .iter()
            .map(|rate| format!("{} {} {} {}", rate.base, rate.quote, rate.day, rate.rate.to_decimal()))
            .collect();
        assert_eq!(told, ["USD EUR 2026-11-24T00:00:00Z 0.92", "EUR JPY 2026-11-24T00:00:00Z 163.2"]);
    }

    #[test]
    fn every_line_that_is_wrong_is_told() {
        let told = lines(
            "base,quote,date,rate\nUSD,EUR,2026-11-24,0.92\nusd,EUR,24.11.2026,0\nUSD,EUR,2026-11-24,0.93\nEUR,EUR,2026-02-30,1\nUSD;EUR;2026-11-24;1\n",
        );
        let expected = [
            "line 3: base: `usd` is not an ISO 4217 code such as EUR; date: `24.11.2026` is not a date such as 2026-11-24; rate: `0`: must be above 0",
            "line 4: says the same day of the same pair as line 2",
            "line 5: quote: must be another currency than `base`; date: `2026-02-30` is not a date such as 2026-11-24",
            "line 6: has 1 cells; 4 are wanted, separated by commas",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_table_needs_a_header_and_a_rate() {
        for text in [
            "",
            "\n",
            "USD,EUR,2026-11-24,0.92",
            "base,quote,date",
            "base,base,date,rate",
            "base,quote,date,rate,x",
        ] {
            assert!(lines(text)[0].contains("must be a header line"), "{text}");
        }
        assert_eq!(lines("base,quote,date,rate\n"), ["line 1: is the header; no line with a rate follows"]);
        let many = format!("base,quote,date,rate\n{}", "x\n".repeat(1_000));
        assert_eq!(lines(&many).len(), MOST_ERRORS);
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "(base,quote,date,rate\n)?[\\PC\n\",]{0,60}") {
            let _ = read_table(&text);
        }
    }
}
