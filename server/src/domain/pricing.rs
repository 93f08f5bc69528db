//! The terms of a conversion's money: which rules apply, and how sums come into the advertiser's currency.

use super::{
    code::Code,
    currency::Currency,
    facts::Facts,
    goal::{GoalRules, MoneyRule},
    money::Micros,
    overrides::Place,
    postback::Report,
    refusal::Refusal,
    worth::{Exchange, Terms, Worth},
};

/// What a conversion is worth, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Price {
    /// The terms.
    pub terms: Terms,
    /// What they come to.
    pub worth: Worth,
    /// The payout in the goal's own currency, which its caps are in.
    pub payout_for_caps: Micros,
    /// The override that the payout comes from; none: the goal's own.
    pub payout_rule: Option<String>,
    /// The override that the revenue comes from; none: the goal's own.
    pub revenue_rule: Option<String>,
}

/// Refuses an amount whose currency is missing, not the goal's, or not convertible on that day.
pub(super) fn check_currency(report: &Report, goal: &GoalRules, facts: &Facts) -> Result<(), Refusal> {
    let Some(target) = facts.rules.currency else { return check_goals_currency(report, goal) };
    if report.amount.is_some() && report.currency.is_none() {
        return Err(Refusal::of(Code::CurrencyRequired));
    }
    let needed = [report.amount.and(report.currency), goal.currency.filter(|_| goal.has_sums())];
    for from in needed.into_iter().flatten().filter(|from| *from != target) {
        if facts.rates.from(from).is_none() {
            return Err(no_rate(from, target, report));
        }
    }
    Ok(())
}

fn check_goals_currency(report: &Report, goal: &GoalRules) -> Result<(), Refusal> {
    match (report.amount, report.currency, goal.currency) {
        (Some(_), None, _) => Err(Refusal::of(Code::CurrencyRequired)),
        (Some(_), Some(sent), Some(wanted)) if sent != wanted => {
            let detail =
                format!("The goal `{}` takes amounts in {wanted}; this one is in {sent}.", goal.event_name);
            Err(Refusal::new(Code::CurrencyInvalid, detail).fact("currency", wanted.as_str()))
        }
        _ => Ok(()),
    }
}

fn no_rate(from: Currency, target: Currency, report: &Report) -> Refusal {
    let date: String = report.event_time.to_string().chars().take(10).collect();
    let detail = format!("There is no rate from {from} to {target} for {date} or before.");
    let hint = format!(
        "The partner adds it with `PUT /v1/currency-rates`: base {from}, quote {target}, a date up to {date}. Then \
         send the report again."
    );
    Refusal::new(Code::CurrencyInvalid, detail)
        .hint(hint)
        .fact("base", from.as_str())
        .fact("quote", target.as_str())
        .fact("date", date)
}

/// What a report is worth in a place.
pub(super) fn price(
    report: &Report,
    goal: &GoalRules,
    place: Place,
    facts: &Facts,
) -> Result<Price, Refusal> {
    let (payout, revenue) = goal.money(place);
    let needs_amount = payout.rule.needs_amount() || revenue.rule.needs_amount();
    if needs_amount && report.amount.is_none() {
        return Err(Refusal::of(Code::AmountRequired));
    }
    let reported = report.amount.and(report.currency);
    let target = facts.rules.currency;
    let currency = match target {
        Some(target) => reported.or(goal.currency).map(|_| target),
        None => reported.or(goal.currency),
    };
    let rate_of =
        |from: Option<Currency>| from.filter(|_| target.is_some()).and_then(|from| facts.rates.from(from));
    let exchange = reported
        .filter(|from| Some(*from) != currency)
        .and_then(|from| Some(Exchange { from, rate: rate_of(Some(from))? }));
    let of_goal = rate_of(goal.currency.filter(|own| Some(*own) != currency));
    let converted = |rule: MoneyRule| match (rule, of_goal) {
        (MoneyRule::Fixed(sum), Some(rate)) => rate.convert(sum).map(MoneyRule::Fixed),
        _ => Some(rule),
    };
    let priced = || {
        let terms =
            Terms { payout: converted(payout.rule)?, revenue: converted(revenue.rule)?, currency, exchange };
        Some((terms, terms.worth(report.amount)?))
    };
    let (terms, worth) = priced().ok_or_else(|| too_large(currency))?;
    Ok(Price {
        terms,
        worth,
        payout_for_caps: of_goal.map_or(worth.payout, |rate| rate.undo(worth.payout)),
        payout_rule: payout.name,
        revenue_rule: revenue.name,
    })
}

/// The refusal of an amount that no sum can hold once it is converted.
pub(super) fn too_large(currency: Option<Currency>) -> Refusal {
    let unit = currency.map(|currency| format!(" in {currency}")).unwrap_or_default();
    Refusal::new(Code::AmountInvalid, format!("The amount is too large once it is converted{unit}."))
}
