//! The decision "does this postback count, and as what": one pure function over a report and the facts.
//! Loading the facts and writing the verdict is one transaction in `db`.

use super::{
    click_id::{ClickId, Touch},
    code::Code,
    conversion::{ConversionStatus, MatchMode},
    counted::{self, Counted},
    currency::Currency,
    goal::{Counting, GoalRules},
    ids::{AdvertiserId, CampaignId, ConversionId, CreativeId, LinkId, PublisherId},
    money::Micros,
    postback::Report,
    refusal::Refusal,
    setup::Status,
    text,
    time::Timestamp,
    visitor::ClickClass,
};

/// How long a click's row is kept after everything that could still refer to it, in seconds.
const RETENTION_MARGIN_SECONDS: i64 = 30 * 86_400;

/// What the key that signed a report may do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyPowers {
    /// The advertisers it covers; empty: all of the partner's.
    pub advertisers: Vec<AdvertiserId>,
    /// Whether it may decide a status on its own.
    pub may_decide_status: bool,
    /// How the report proved that it is the key's owner's.
    pub proof: Proof,
}

/// How a report proved where it comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Proof {
    /// By a signature.
    #[default]
    Signature,
    /// By a token that works from some addresses alone.
    Token,
    /// By a token, wherever it came from.
    WeakToken,
    /// Not at all: the advertiser only observes. Enforcing would have answered this.
    NotEnforced(Code),
}

impl KeyPowers {
    /// Whether the key speaks for an advertiser.
    pub fn covers(&self, advertiser: AdvertiserId) -> bool {
        self.advertisers.is_empty() || self.advertisers.contains(&advertiser)
    }
}

/// Whom a click is credited to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credit {
    /// Whose link it was.
    pub advertiser_id: AdvertiserId,
    /// Its campaign.
    pub campaign_id: CampaignId,
    /// Its creative.
    pub creative_id: Option<CreativeId>,
    /// The link.
    pub link_id: LinkId,
    /// Who sent the visitor.
    pub publisher_id: Option<PublisherId>,
}

/// The click a report names, as far as it is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClickFacts {
    /// The report names none.
    NotSent,
    /// The text has the wrong shape.
    Malformed {
        /// What is wrong with it.
        problem: String,
    },
    /// Altered, invented, or another tenant's.
    NotGenuine,
    /// Genuine. The row may not be there (yet, or any more); then the link says who is credited.
    Genuine {
        /// Whether it is a click's id or an impression's.
        touch: Touch,
        /// The click or the impression.
        id: ClickId,
        /// Its row's class, if there is a row.
        row: Option<ClickClass>,
        /// Who is credited.
        credit: Credit,
        /// Whether the campaign still runs.
        campaign_status: Status,
    },
}

/// A conversion that is counted already.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Previous {
    /// The conversion.
    pub id: ConversionId,
    /// Where it stands.
    pub status: ConversionStatus,
    /// The click it belongs to.
    pub click_id: Option<ClickId>,
    /// Its amount.
    pub amount: Option<Micros>,
    /// Its currency.
    pub currency: Option<Currency>,
    /// When its hold ends.
    pub hold_until: Option<Timestamp>,
}

/// Everything the decision needs to know.
#[derive(Clone, Debug)]
pub struct Facts {
    /// When the report came.
    pub received_at: Timestamp,
    /// What its key may do.
    pub key: KeyPowers,
    /// Whose conversion it is.
    pub advertiser_id: AdvertiserId,
    /// The goals that serve this advertiser: its own first, then the partner's.
    pub goals: Vec<GoalRules>,
    /// Whether the publisher that the report names, if it names one, is there and in use.
    pub publisher_is_permitted: bool,
    /// The click.
    pub click: ClickFacts,
    /// The conversion that has the same key.
    pub same_key: Option<Previous>,
    /// The conversion of the same goal that has the same order id.
    pub same_order: Option<Previous>,
}

/// What a report comes to.
#[derive(Clone, PartialEq, Debug)]
pub enum Verdict {
    /// It counts.
    Count(Box<Counted>),
    /// It has been counted before.
    Again(Previous),
}

/// Decides, in the fixed order: goal, click, publisher, windows, duplicates, flags. What has been counted already stays counted:
/// its repetition is never an error, even when the goal has been paused or the window has closed since.
pub fn decide(report: &Report, facts: &Facts) -> Result<Verdict, Refusal> {
    let goal = goal_for(report, &facts.goals)?;
    if let Some(previous) = repeated(report, facts) {
        return Ok(Verdict::Again(previous));
    }
    check_goal(report, goal)?;
    let click = genuine_click(facts)?;
    check_touch(&click, goal)?;
    if !facts.publisher_is_permitted {
        return Err(Refusal::of(Code::PublisherNotPermitted));
    }
    check_retention(&click, goal, facts)?;
    check_windows(report, goal, &click, facts.received_at)?;
    check_earlier(report, &click, facts)?;
    Ok(Verdict::Count(Box::new(counted::count(report, facts, goal, &click))))
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

/// What makes two reports the same conversion: the click, or the order.
pub fn count_key(counting: Counting, click: ClickId, order_id: Option<&str>) -> String {
    match (counting, order_id) {
        (Counting::PerOrder, Some(order)) => format!("order:{order}"),
        _ => format!("click:{}", super::base32::encode(click.bytes())),
    }
}

fn check_goal(report: &Report, goal: &GoalRules) -> Result<(), Refusal> {
    if goal.status != Status::Active {
        return Err(Refusal::new(
            Code::GoalInactive,
            format!("The goal `{}` is {}.", goal.event_name, goal.status),
        ));
    }
    if report.click_id.is_none() {
        let mode = if report.customer_id.is_some() { "customer_id" } else { "publisher_id" };
        let detail = format!("The goal `{}` is matched by `click_id`, not by `{mode}`.", goal.event_name);
        return Err(Refusal::new(Code::ModeNotAllowed, detail).fact("mode", MatchMode::Transaction.as_str()));
    }
    if goal.counting == Counting::PerOrder && report.order_id.is_none() {
        return Err(Refusal::of(Code::OrderIdRequired));
    }
    if goal.needs_amount() && report.amount.is_none() {
        return Err(Refusal::of(Code::AmountRequired));
    }
    check_currency(report, goal)
}

fn check_currency(report: &Report, goal: &GoalRules) -> Result<(), Refusal> {
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

/// The facts of a click that may be credited.
pub struct GenuineClick<'a> {
    /// Whether it is a click or an impression.
    pub touch: Touch,
    /// The click or the impression.
    pub id: ClickId,
    /// Its row's class, if there is a row.
    pub row: Option<ClickClass>,
    /// Who is credited.
    pub credit: &'a Credit,
    /// Whether the campaign still runs.
    pub campaign_status: Status,
}

fn genuine_click(facts: &Facts) -> Result<GenuineClick<'_>, Refusal> {
    match &facts.click {
        ClickFacts::Malformed { problem } => {
            Err(Refusal::new(Code::ClickIdMalformed, format!("The click id is malformed: {problem}.")))
        }
        ClickFacts::NotSent | ClickFacts::NotGenuine => Err(Refusal::of(Code::ClickNotFound)),
        ClickFacts::Genuine { credit, .. } if !facts.key.covers(credit.advertiser_id) => {
            Err(Refusal::of(Code::ClickNotFound))
        }
        ClickFacts::Genuine { credit, .. } if credit.advertiser_id != facts.advertiser_id => {
            Err(Refusal::of(Code::AdvertiserMismatch)
                .fact("click_advertiser_id", credit.advertiser_id.to_string()))
        }
        ClickFacts::Genuine { touch, id, row, credit, campaign_status } => {
            Ok(GenuineClick { touch: *touch, id: *id, row: *row, credit, campaign_status: *campaign_status })
        }
    }
}

/// An impression is credited only where the goal has a window for it.
fn check_touch(click: &GenuineClick<'_>, goal: &GoalRules) -> Result<(), Refusal> {
    if click.touch == Touch::Impression && goal.view_window_seconds == 0 {
        let name = &goal.event_name;
        let detail =
            format!("`click_id` is an impression's, and the goal `{name}` is not matched by impressions.");
        return Err(Refusal::new(Code::ModeNotAllowed, detail)
            .hint("Send the id of a click, or have the partner set the goal's `view_window_seconds`.")
            .fact("mode", MatchMode::Transaction.as_str()));
    }
    Ok(())
}

fn check_retention(click: &GenuineClick<'_>, goal: &GoalRules, facts: &Facts) -> Result<(), Refusal> {
    let kept = goal.window_seconds(click.touch) + goal.reporting_delay_seconds + RETENTION_MARGIN_SECONDS;
    let age = facts.received_at.seconds_since(click.id.minted_at());
    if click.row.is_none() && age > kept {
        return Err(Refusal::of(Code::ClickPurged).fact("click_age_seconds", age).fact("kept_seconds", kept));
    }
    Ok(())
}

fn check_windows(
    report: &Report,
    goal: &GoalRules,
    click: &GenuineClick<'_>,
    received_at: Timestamp,
) -> Result<(), Refusal> {
    let (touch, clicked_at) = (click.touch, click.id.minted_at());
    let age = report.event_time.seconds() - clicked_at.seconds();
    let window = goal.window_seconds(touch);
    if age > window {
        let detail = format!("The {touch} was {age} s old, the goal's window is {window} s.");
        return Err(Refusal::new(Code::ClickExpired, detail)
            .fact("age_seconds", age)
            .fact("window_seconds", window));
    }
    if age < 0 {
        let detail = format!("The event is {} s older than the {touch}.", -age);
        let (event, clicked) = (report.event_time.to_string(), clicked_at.to_string());
        let refusal = Refusal::new(Code::ConversionPrecedesClick, detail);
        return Err(refusal.fact("event_time", event).fact("clicked_at", clicked));
    }
    let delay = received_at.seconds_since(report.event_time);
    let longest = goal.reporting_delay_seconds;
    if delay > longest {
        let detail = format!("Reported {delay} s after the event, the goal allows {longest} s.");
        let refusal = Refusal::new(Code::ReportingDelayExceeded, detail);
        return Err(refusal.fact("delay_seconds", delay).fact("longest_seconds", longest));
    }
    Ok(())
}

/// The conversion of the same click or order, for the same money.
fn repeated(report: &Report, facts: &Facts) -> Option<Previous> {
    let click = genuine_click(facts).ok()?;
    let previous = earlier(facts)?;
    let is_same = previous.click_id == Some(click.id)
        && (previous.amount, previous.currency) == (report.amount, report.amount.and(report.currency));
    is_same.then(|| previous.clone())
}

fn earlier(facts: &Facts) -> Option<&Previous> {
    facts.same_key.as_ref().or(facts.same_order.as_ref())
}

/// Refuses what contradicts a conversion that is there.
fn check_earlier(report: &Report, click: &GenuineClick<'_>, facts: &Facts) -> Result<(), Refusal> {
    match earlier(facts) {
        None => Ok(()),
        Some(previous) if previous.click_id == Some(click.id) => Err(conflict(report, previous)),
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
