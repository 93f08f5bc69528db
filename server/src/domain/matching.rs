//! Whom a report is matched to: by its click, by its customer, or by its publisher; and whether that one may be credited.

use super::{
    click_id::{self, ClickIdError, Touch},
    code::Code,
    conversion::MatchMode,
    facts::{ClickFacts, CreditedClick, Facts, NamedPublisher},
    goal::GoalRules,
    ids::PublisherId,
    overrides::Place,
    postback::Report,
    refusal::Refusal,
    time::Timestamp,
};

/// How long a click's row is kept after everything that could still refer to it, in seconds.
const RETENTION_MARGIN_SECONDS: i64 = 30 * 86_400;

/// Whom a report is matched to.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A click or an impression, that the report names or that its customer is bound to.
    Click(&'a CreditedClick),
    /// A publisher, and no click.
    Publisher(PublisherId),
}

impl Source<'_> {
    /// Who is credited, and where it was clicked.
    pub fn place(&self) -> Place {
        match self {
            Self::Click(click) => Place { publisher: click.credit.publisher_id, country: click.country },
            Self::Publisher(publisher) => Place { publisher: Some(*publisher), country: None },
        }
    }
}

/// The way a report asks to be matched: the click wins over the customer, the customer over the publisher.
pub fn mode(report: &Report) -> MatchMode {
    match (&report.click_id, &report.customer_id) {
        (Some(_), _) => MatchMode::Transaction,
        (None, Some(_)) => MatchMode::Customer,
        (None, None) => MatchMode::Partner,
    }
}

/// Whom a report is matched to.
pub(super) fn source<'a>(report: &Report, facts: &'a Facts) -> Result<Source<'a>, Refusal> {
    match mode(report) {
        MatchMode::Transaction => genuine_click(facts).map(Source::Click),
        MatchMode::Customer => facts
            .customer
            .bound
            .as_ref()
            .map(Source::Click)
            .ok_or_else(|| Refusal::of(Code::CustomerNotFound)),
        MatchMode::Partner => match facts.publisher {
            NamedPublisher::Permitted(publisher) => Ok(Source::Publisher(publisher)),
            _ => Err(Refusal::of(Code::PublisherNotPermitted)),
        },
    }
}

/// The refusal of a text that is no click id of the partner's.
pub fn not_ours(error: ClickIdError) -> Refusal {
    match error {
        ClickIdError::Malformed { received } => {
            Refusal::new(Code::ClickIdMalformed, format!("The click id is malformed: {error}."))
                .fact("received_characters", received)
                .fact("expected_characters", click_id::TEXT_LENGTH)
        }
        ClickIdError::NotGenuine => Refusal::of(Code::ClickNotFound),
    }
}

fn genuine_click(facts: &Facts) -> Result<&CreditedClick, Refusal> {
    match &facts.click {
        ClickFacts::NotOurs(error) => Err(not_ours(*error)),
        ClickFacts::NotSent => Err(Refusal::of(Code::ClickNotFound)),
        ClickFacts::Genuine(click) if !facts.key.covers(click.credit.advertiser_id) => {
            Err(Refusal::of(Code::ClickNotFound))
        }
        ClickFacts::Genuine(click) if click.credit.advertiser_id != facts.advertiser_id => {
            Err(Refusal::of(Code::AdvertiserMismatch)
                .fact("click_advertiser_id", click.credit.advertiser_id.to_string()))
        }
        ClickFacts::Genuine(click) => Ok(click),
    }
}

/// Whether the goal credits this one.
pub(super) fn check_source(goal: &GoalRules, source: Source<'_>, facts: &Facts) -> Result<(), Refusal> {
    if let Source::Click(click) = source {
        check_touch(click, goal)?;
    }
    if matches!(facts.publisher, NamedPublisher::NotPermitted(_)) {
        return Err(Refusal::of(Code::PublisherNotPermitted));
    }
    check_campaign(goal, source)
}

/// Whether the click is still known and young enough, and the report comes in time after its event.
pub(super) fn check_windows(
    report: &Report,
    goal: &GoalRules,
    source: Source<'_>,
    facts: &Facts,
) -> Result<(), Refusal> {
    if let Source::Click(click) = source {
        check_retention(report, click, goal, facts)?;
        check_window(report, goal, click)?;
    }
    check_delay(report, goal, facts.received_at)
}

/// An impression is credited only where the goal has a window for it.
fn check_touch(click: &CreditedClick, goal: &GoalRules) -> Result<(), Refusal> {
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

fn check_campaign(goal: &GoalRules, source: Source<'_>) -> Result<(), Refusal> {
    let refused = |detail: String| Err(Refusal::new(Code::GoalNotInCampaign, detail));
    match source {
        _ if goal.campaign_ids.is_empty() => Ok(()),
        Source::Click(click) if goal.campaign_ids.contains(&click.credit.campaign_id) => Ok(()),
        Source::Click(click) => {
            let campaign = click.credit.campaign_id;
            refused(format!("The goal `{}` is not for the click's campaign {campaign}.", goal.event_name))
        }
        Source::Publisher(_) => refused(format!(
            "The goal `{}` is for some campaigns, and `publisher_id` names none.",
            goal.event_name
        )),
    }
}

/// Longest time from a click to the event of a report.
pub(super) fn window_seconds(report: &Report, goal: &GoalRules, click: &CreditedClick) -> i64 {
    match mode(report) {
        MatchMode::Customer => goal.rebill_window_seconds,
        _ => goal.window_seconds(click.touch),
    }
}

/// What a binding says stays: only a click that the report names itself can be too old to be known.
fn check_retention(
    report: &Report,
    click: &CreditedClick,
    goal: &GoalRules,
    facts: &Facts,
) -> Result<(), Refusal> {
    let kept = goal.window_seconds(click.touch) + goal.reporting_delay_seconds + RETENTION_MARGIN_SECONDS;
    let age = facts.received_at.seconds_since(click.id.minted_at());
    if mode(report) == MatchMode::Transaction && click.row.is_none() && age > kept {
        return Err(Refusal::of(Code::ClickPurged).fact("click_age_seconds", age).fact("kept_seconds", kept));
    }
    Ok(())
}

fn check_window(report: &Report, goal: &GoalRules, click: &CreditedClick) -> Result<(), Refusal> {
    let (touch, clicked_at) = (click.touch, click.id.minted_at());
    let age = report.event_time.seconds() - clicked_at.seconds();
    let window = window_seconds(report, goal, click);
    if age > window {
        let (which, setting) = match (mode(report), touch) {
            (MatchMode::Customer, _) => ("rebill window", "rebill_window_seconds"),
            (_, Touch::Impression) => ("window", "view_window_seconds"),
            (_, Touch::Click) => ("window", "click_window_seconds"),
        };
        let detail = format!("The {touch} was {age} s old, the goal's {which} is {window} s.");
        return Err(Refusal::new(Code::ClickExpired, detail)
            .hint(format!("The partner may widen the goal's `{setting}`."))
            .fact("age_seconds", age)
            .fact("window_seconds", window));
    }
    if age < 0 {
        let detail = format!("The event is {} s older than the {touch}.", -age);
        let (event, clicked) = (report.event_time.to_string(), clicked_at.to_string());
        let refusal = Refusal::new(Code::ConversionPrecedesClick, detail);
        return Err(refusal.fact("event_time", event).fact("clicked_at", clicked));
    }
    Ok(())
}

/// Whether a report comes in time after its event.
fn check_delay(report: &Report, goal: &GoalRules, received_at: Timestamp) -> Result<(), Refusal> {
    let delay = received_at.seconds_since(report.event_time);
    let longest = goal.reporting_delay_seconds;
    if delay > longest {
        let detail = format!("Reported {delay} s after the event, the goal allows {longest} s.");
        let refusal = Refusal::new(Code::ReportingDelayExceeded, detail);
        return Err(refusal.fact("delay_seconds", delay).fact("longest_seconds", longest));
    }
    Ok(())
}

#[cfg(test)]
#[path = "matching_tests.rs"]
mod tests;
