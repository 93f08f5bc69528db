//! The decision "does this postback count, and as what": one pure function over a report and the facts.
//! Loading the facts and writing the verdict is one transaction in `db`.

use super::{
    click_id::ClickId,
    code::Code,
    conversion::MatchMode,
    counted::{self, Counted},
    currency::Currency,
    goal::{Counting, GoalRules},
    matching::{self, Source},
    money::Micros,
    postback::Report,
    pricing,
    refusal::Refusal,
    setup::Status,
    text,
    trace::{Check, GoalSeen, Trace},
};
pub use super::{
    facts::{
        ClickFacts, Credit, CreditedClick, CustomerFacts, Facts, KeyPowers, Lead, NamedPublisher, Previous,
        Proof,
    },
    matching::mode,
};

/// What a report comes to.
#[derive(Clone, PartialEq, Debug)]
pub enum Verdict {
    /// It counts.
    Count(Box<Counted>),
    /// It has been counted before.
    Again(Previous),
}

/// Decides, in the fixed order: goal; click, customer or publisher; windows; duplicates; flags. What has been counted
/// already stays counted: its repetition is never an error, even when the goal has been paused or the window has closed
/// since. Caps are for whoever writes it: [`Counted::put_over`]. The trace says how far it went, and what it knew.
pub fn decide(report: &Report, facts: &Facts, trace: &mut Trace) -> Result<Verdict, Refusal> {
    trace.reach(Check::Goal);
    let goal = goal_for(report, &facts.rules.goals)?;
    trace.goal = Some(GoalSeen::of(goal));
    trace.earlier = earlier(facts).map(|previous| previous.id);
    if let Some((previous, source)) = repeated(report, facts) {
        trace.match_to(source, report, goal);
        trace.reach(Check::Duplicates);
        return Ok(Verdict::Again(previous));
    }
    check_goal(report, goal, facts)?;
    trace.reach(Check::Source);
    let source = matching::source(report, facts)?;
    trace.match_to(source, report, goal);
    matching::check_source(goal, source, facts)?;
    trace.reach(Check::Windows);
    matching::check_windows(report, goal, source, facts)?;
    trace.reach(Check::Duplicates);
    check_earlier(report, source, facts)?;
    trace.reach(Check::CapsAndFlags);
    let price = pricing::price(report, goal, source.place(), facts)?;
    trace.reach(Check::Write);
    Ok(Verdict::Count(Box::new(counted::count(report, facts, goal, source, price))))
}

/// The goal a report names: the advertiser's own before the partner's.
pub fn goal_for<'a>(report: &Report, goals: &'a [GoalRules]) -> Result<&'a GoalRules, Refusal> {
    let named = goals.iter().find(|goal| goal.event_name == report.goal);
    named.ok_or_else(|| no_goal(&report.goal, goals))
}

/// The refusal of an event name that no goal has.
pub fn no_goal(name: &str, goals: &[GoalRules]) -> Refusal {
    let active = goals.iter().filter(|goal| goal.status == Status::Active);
    let nearest = text::nearest(name, active.map(|goal| goal.event_name.as_str()));
    let refusal = Refusal::new(Code::GoalMismatch, format!("No goal has the event name `{name}`."));
    match nearest.first() {
        Some(name) => refusal.hint(format!("Did you mean `{name}`? Names are compared byte for byte.")),
        None => refusal,
    }
    .fact("nearest", nearest)
}

/// What makes two reports the same conversion: the order where the goal counts per order and where there is no click in
/// the report, the click otherwise.
pub fn count_key(counting: Counting, click: Option<ClickId>, order_id: Option<&str>) -> String {
    match (counting, click, order_id) {
        (Counting::PerOrder, _, Some(order)) | (Counting::Once, None, Some(order)) => {
            format!("{ORDER}{order}")
        }
        (_, Some(click), _) => format!("click:{}", super::base32::encode(click.bytes())),
        (_, None, None) => String::new(),
    }
}

/// What begins a key that is an order, and says no more than that.
const ORDER: &str = "order:";

/// Whether a key is an order.
pub fn is_order(count_key: &str) -> bool {
    count_key.starts_with(ORDER)
}

fn check_goal(report: &Report, goal: &GoalRules, facts: &Facts) -> Result<(), Refusal> {
    if goal.status != Status::Active {
        return Err(Refusal::new(
            Code::GoalInactive,
            format!("The goal `{}` is {}.", goal.event_name, goal.status),
        ));
    }
    check_mode(report, goal)?;
    check_proof(report, facts)?;
    let counts_per_order = goal.counting == Counting::PerOrder;
    if report.order_id.is_none() && (counts_per_order || report.click_id.is_none()) {
        return Err(order_id_required(goal, counts_per_order));
    }
    if goal.needs_amount() && report.amount.is_none() {
        return Err(Refusal::of(Code::AmountRequired));
    }
    pricing::check_currency(report, goal, facts)
}

fn order_id_required(goal: &GoalRules, counts_per_order: bool) -> Refusal {
    if counts_per_order {
        return Refusal::of(Code::OrderIdRequired);
    }
    let detail = format!(
        "Without `click_id` the goal `{}` counts per order, and there is no order id.",
        goal.event_name
    );
    Refusal::new(Code::OrderIdRequired, detail)
}

fn check_mode(report: &Report, goal: &GoalRules) -> Result<(), Refusal> {
    let mode = matching::mode(report);
    if goal.modes.contains(&mode) {
        return Ok(());
    }
    let names = |mode: &MatchMode| format!("`{}`", parameter(*mode));
    let allowed = goal.modes.iter().map(names).collect::<Vec<_>>().join(" or ");
    let detail = format!("The goal `{}` is matched by {allowed}, not by {}.", goal.event_name, names(&mode));
    let modes: Vec<&str> = goal.modes.iter().map(|mode| mode.as_str()).collect();
    Err(Refusal::new(Code::ModeNotAllowed, detail)
        .hint(format!("Send {allowed}, or have the partner add `{mode}` to the goal's `modes`."))
        .fact("mode", mode.as_str())
        .fact("modes", modes))
}

/// Where nothing but a publisher is named, only a signature says that there was a sale, also while others are observed.
fn check_proof(report: &Report, facts: &Facts) -> Result<(), Refusal> {
    let code = match facts.key.proof {
        _ if matching::mode(report) != MatchMode::Partner => return Ok(()),
        Proof::Signature => return Ok(()),
        Proof::Token | Proof::WeakToken => Code::SignatureMissing,
        Proof::NotEnforced(code) => code,
    };
    let detail = "A report that is matched by `publisher_id` alone needs a signature that holds.";
    Err(Refusal::new(code, detail))
}

/// The parameter that asks for a way to match.
fn parameter(mode: MatchMode) -> &'static str {
    match mode {
        MatchMode::Transaction => "click_id",
        MatchMode::Customer => "customer_id",
        MatchMode::Partner => "publisher_id",
    }
}

/// The conversion of the same click, publisher or order, for the same money. It is that of a publisher, too, who may not
/// be named any more.
fn repeated<'a>(report: &Report, facts: &'a Facts) -> Option<(Previous, Source<'a>)> {
    let previous = earlier(facts)?;
    let source = match (matching::mode(report), facts.publisher) {
        (MatchMode::Partner, NamedPublisher::NotPermitted(publisher)) => Source::Publisher(publisher?),
        _ => matching::source(report, facts).ok()?,
    };
    let is_same = belongs_to(previous, source)
        && (previous.amount, previous.currency) == (report.amount, report.amount.and(report.currency));
    is_same.then(|| (previous.clone(), source))
}

fn earlier(facts: &Facts) -> Option<&Previous> {
    facts.same_key.as_ref().or(facts.same_order.as_ref())
}

fn belongs_to(previous: &Previous, source: Source<'_>) -> bool {
    match source {
        Source::Click(click) => previous.click_id == Some(click.id),
        Source::Publisher(publisher) => previous.publisher_id == Some(publisher),
    }
}

/// Refuses what contradicts a conversion that is there.
fn check_earlier(report: &Report, source: Source<'_>, facts: &Facts) -> Result<(), Refusal> {
    match earlier(facts) {
        None => Ok(()),
        Some(previous) if belongs_to(previous, source) => Err(conflict(report, previous)),
        Some(previous) => {
            let refusal = Refusal::of(Code::OrderAttributedElsewhere);
            Err(refusal.fact("conversion_id", previous.id.to_string()))
        }
    }
}

fn conflict(report: &Report, previous: &Previous) -> Refusal {
    let money = |amount: Option<Micros>, currency: Option<Currency>| match (amount, currency) {
        (Some(amount), Some(currency)) => format!("{} {currency}", amount.to_decimal(currency)),
        _ => "no amount".to_owned(),
    };
    let (first, now) = (money(previous.amount, previous.currency), money(report.amount, report.currency));
    Refusal::new(Code::DuplicateConflict, format!("Counted with {first}; this report says {now}."))
        .fact("conversion_id", previous.id.to_string())
        .fact("conversion_status", previous.status.as_str())
        .fact("counted", first)
        .fact("received", now)
}

#[cfg(test)]
#[path = "attribution_tests.rs"]
mod tests;
