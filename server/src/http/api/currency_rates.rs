//! Exchange rates: what amounts are converted with into an advertiser's currency.

use std::{collections::HashMap, time::Duration};

use actix_web::{HttpRequest, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    db::{db_read, db_write, list::RateListing, rows::setup::CurrencyRate},
    domain::{
        code::Code,
        currency::Currency,
        rate_table::{self, DayRate},
        refusal::{FieldError, Refusal},
        time::Timestamp,
    },
    error::Result,
    http::{
        State,
        body::{self, Body},
        caller::Caller,
        fields::{Fields, read},
        page::{ListName, Page, limit},
    },
};

const MOST_AT_ONCE: usize = 1_000;
/// The largest table that is imported, in bytes.
const LARGEST_TABLE: usize = 1024 * 1024;
/// How many rates one statement writes.
const WRITTEN_AT_ONCE: usize = 5_000;

/// A rate as it is sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCurrencyRate {
    /// The currency that is priced: that of the amounts.
    #[schema(required, value_type = Currency)]
    base: Option<String>,
    /// The currency of the price: the advertiser's.
    #[schema(required, value_type = Currency)]
    quote: Option<String>,
    /// The day from which on it holds, UTC, until a later one: YYYY-MM-DD.
    #[schema(required, value_type = String, pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    date: Option<String>,
    /// What one unit of `base` is worth in `quote`: a decimal string above 0, at most 9000000, with at most 12 decimals.
    #[schema(required, value_type = String)]
    rate: Option<String>,
}

/// Rates to be written.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"rates": [{"base": "USD", "quote": "EUR", "date": "2026-11-24", "rate": "0.92"}]})))]
pub struct PutCurrencyRates {
    /// 1 to 1000 rates, each day of a pair once.
    #[schema(required, value_type = Vec<NewCurrencyRate>)]
    rates: Option<Vec<NewCurrencyRate>>,
}

/// What was written.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"written": 1})))]
pub struct WrittenRates {
    /// How many rates: new ones, and those that stand in place of an earlier one of the same day.
    written: usize,
}

/// A rate.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"base": "USD", "quote": "EUR", "date": "2026-11-24", "rate": "0.92", "updated_at": "2026-11-24T10:00:00Z"})))]
pub struct CurrencyRateView {
    /// The currency that is priced.
    base: Currency,
    /// The currency of the price.
    quote: Currency,
    /// The day from which on it holds, UTC, until a later one.
    date: String,
    /// What one unit of `base` is worth in `quote`: a decimal string.
    rate: String,
    /// When it was written last.
    updated_at: Timestamp,
}

impl From<CurrencyRate> for CurrencyRateView {
    fn from(row: CurrencyRate) -> Self {
        Self {
            base: row.base,
            quote: row.quote,
            date: row.day.to_string().chars().take(10).collect(),
            rate: row.rate.to_decimal(),
            updated_at: row.updated_at,
        }
    }
}

/// Which rates.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListCurrencyRates {
    /// How many, 1 to 100; 25 by default.
    #[param(minimum = 1, maximum = 100, default = 25)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only from this currency.
    #[param(value_type = Option<Currency>)]
    base: Option<String>,
    /// Only into this currency.
    #[param(value_type = Option<Currency>)]
    quote: Option<String>,
    /// Only from this day on: YYYY-MM-DD.
    from: Option<String>,
    /// Only up to this day: YYYY-MM-DD.
    to: Option<String>,
}

/// Writes exchange rates. An amount that comes in another currency than its advertiser's is converted with the rate from
/// the one into the other that is dated on or before the day of the event, UTC, the latest of them; it is rounded half to
/// even to the sixth decimal. An inverse rate is never guessed: each direction is a rate of its own. A rate of the same day
/// is replaced; conversions that are counted keep the rate they were counted with. All of the rates are written, or none.
#[utoipa::path(tag = "Currency rates", request_body = PutCurrencyRates,
    responses((status = 200, description = "What was written.", body = WrittenRates)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "unsupported_media_type", "payload_too_large"]))))]
#[put("/currency-rates")]
pub async fn put_currency_rates(
    caller: Caller,
    Body(body): Body<PutCurrencyRates>,
    state: web::Data<State>,
) -> Result<web::Json<WrittenRates>> {
    let mut fields = Fields::default();
    let rates = read_rates(&mut fields, body.rates);
    let rates = fields.finish(|| Some(rates))?;
    write(&caller, &state, rates).await
}

fn read_rates(fields: &mut Fields, rates: Option<Vec<NewCurrencyRate>>) -> Vec<DayRate> {
    let rates = fields.required("/rates", rates, |rates| match rates.len() {
        1..=MOST_AT_ONCE => Ok(rates),
        count => Err(format!("has {count} rates; 1 to {MOST_AT_ONCE} are taken")),
    });
    let (mut read, mut seen) = (Vec::new(), HashMap::new());
    for (index, rate) in rates.into_iter().flatten().enumerate() {
        let texts = [&rate.base, &rate.quote, &rate.date, &rate.rate];
        match rate_table::read_rate(texts.map(|text| text.as_deref().unwrap_or_default())) {
            Ok(rate) => match seen.insert(rate.key(), index) {
                Some(first) => {
                    let why = format!("says the same day of the same pair as /rates/{first}");
                    fields.error(&format!("/rates/{index}"), why);
                }
                None => read.push(rate),
            },
            Err(errors) => errors
                .into_iter()
                .for_each(|(name, detail)| fields.error(&format!("/rates/{index}/{name}"), detail)),
        }
    }
    read
}

/// Imports exchange rates from a table of comma-separated values. It begins with the header line `base,quote,date,rate`, the
/// columns in any order, and has at most 1 MiB. The rules are those of `PUT /v1/currency-rates`. All of the lines are written, or, if any of
/// them is wrong, none: `errors` names each line (`line 3`), up to a hundred.
#[utoipa::path(tag = "Currency rates",
    request_body(content = String, content_type = "text/csv", description = "The table.", example = "base,quote,date,rate\nUSD,EUR,2026-11-24,0.92\nGBP,EUR,2026-11-24,1.14"),
    responses((status = 200, description = "What was written.", body = WrittenRates)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "unsupported_media_type", "payload_too_large"]))))]
#[post("/currency-rates/import")]
pub async fn import_currency_rates(
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<web::Json<WrittenRates>> {
    body::require_type(request.headers(), "text/csv")?;
    let longest: Duration = state.door.limits.body;
    let table = body::read_up_to(LARGEST_TABLE, &mut payload.into_inner(), longest).await?;
    let table =
        std::str::from_utf8(&table).map_err(|_| Refusal::new(Code::Malformed, "The table is not UTF-8."))?;
    let rates = rate_table::read_table(table)
        .map_err(|errors: Vec<FieldError>| Refusal::fields(Code::ValidationFailed, errors))?;
    write(&caller, &state, rates).await
}

async fn write(caller: &Caller, state: &State, rates: Vec<DayRate>) -> Result<web::Json<WrittenRates>> {
    let (written, now) = (rates.len(), state.clock.now());
    let row = |rate: DayRate| CurrencyRate {
        partner_id: caller.partner.id(),
        base: rate.base,
        quote: rate.quote,
        day: rate.day,
        rate: rate.rate,
        updated_at: now,
    };
    let rows: Vec<CurrencyRate> = rates.into_iter().map(row).collect();
    db_write!(&state.store, |queries, conn| {
        rows.chunks(WRITTEN_AT_ONCE).try_for_each(|rows| queries::currency_rates::put(conn, rows))
    })?;
    Ok(web::Json(WrittenRates { written }))
}

/// Lists exchange rates, latest day first.
#[utoipa::path(tag = "Currency rates", params(ListCurrencyRates),
    responses((status = 200, description = "A page of rates.", body = Page<CurrencyRateView>)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "cursor_invalid"]))))]
#[get("/currency-rates")]
pub async fn list_currency_rates(
    caller: Caller,
    query: web::Query<ListCurrencyRates>,
    state: web::Data<State>,
) -> Result<web::Json<Page<CurrencyRateView>>> {
    let query = query.into_inner();
    let filters = (&query.base, &query.quote, &query.from, &query.to);
    let list = ListName::new(&state, &caller.partner, "currency-rates", &filters);
    let mut fields = Fields::default();
    let limit = fields.optional("limit", Some(query.limit), limit);
    let base = fields.optional("base", query.base, read::currency);
    let quote = fields.optional("quote", query.quote, read::currency);
    let from = fields.optional("from", query.from, date);
    let to = fields.optional("to", query.to, date);
    let limit = fields.finish(|| limit)?;
    let after = list.read(query.cursor.as_deref())?.and_then(position);
    let rows = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let wanted = RateListing { base, quote, from, to, after, rows };
    let rows = db_read!(&state.store, |queries, conn| {
        queries::currency_rates::list(conn, &caller.partner, &wanted)
    })?;
    Ok(web::Json(list.page(rows, limit, cursor, CurrencyRateView::from)))
}

fn date(text: String) -> Result<Timestamp, String> {
    rate_table::parse_date(&text).ok_or_else(|| format!("`{text}` is not a date such as 2026-11-24"))
}

/// Where a list goes on: the day in seconds, and the two codes.
fn cursor(row: &CurrencyRate) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&row.day.seconds().to_be_bytes());
    bytes[8..11].copy_from_slice(row.base.as_str().as_bytes());
    bytes[11..14].copy_from_slice(row.quote.as_str().as_bytes());
    bytes
}

fn position(bytes: [u8; 16]) -> Option<(Timestamp, Currency, Currency)> {
    let currency = |code: &[u8]| Currency::parse(std::str::from_utf8(code).ok()?);
    let seconds = i64::from_be_bytes(bytes[..8].try_into().ok()?);
    Some((Timestamp::from_seconds(seconds), currency(&bytes[8..11])?, currency(&bytes[11..14])?))
}
