//! Exchange rates between currencies, by day.

use diesel::prelude::*;

use super::{Conn, Db, bulk};
use crate::{
    db::{list::RateListing, rows::setup::CurrencyRate, schema::currency_rates, scope::PartnerScope},
    domain::{currency::Currency, rate::Rate, time::Timestamp},
};

/// The rates of a pair, in the order of their days.
pub fn of_pair(
    conn: &mut Conn,
    scope: &PartnerScope,
    (base, quote): (Currency, Currency),
) -> QueryResult<Vec<(Timestamp, Rate)>> {
    currency_rates::table
        .filter(currency_rates::partner_id.eq(scope.id()))
        .filter(currency_rates::base.eq(base).and(currency_rates::quote.eq(quote)))
        .order(currency_rates::day)
        .select((currency_rates::day, currency_rates::rate))
        .load(conn)
}

/// Writes rates, in place of those of the same day. Each day of a pair stands in `rates` once.
pub fn put(conn: &mut Conn, rates: &[CurrencyRate]) -> QueryResult<()> {
    bulk::put_currency_rates(conn, rates)
}

/// A page, latest day first.
pub fn list(conn: &mut Conn, scope: &PartnerScope, wanted: &RateListing) -> QueryResult<Vec<CurrencyRate>> {
    use currency_rates::{base, day, quote};
    let mut query =
        currency_rates::table.filter(currency_rates::partner_id.eq(scope.id())).into_boxed::<Db>();
    if let Some(only) = wanted.base {
        query = query.filter(base.eq(only));
    }
    if let Some(only) = wanted.quote {
        query = query.filter(quote.eq(only));
    }
    if let Some(from) = wanted.from {
        query = query.filter(day.ge(from));
    }
    if let Some(to) = wanted.to {
        query = query.filter(day.le(to));
    }
    if let Some((last, last_base, last_quote)) = wanted.after {
        let same_day = base.gt(last_base).or(base.eq(last_base).and(quote.gt(last_quote)));
        query = query.filter(day.lt(last).or(day.eq(last).and(same_day)));
    }
    query.order((day.desc(), base, quote)).limit(wanted.rows).select(CurrencyRate::as_select()).load(conn)
}
