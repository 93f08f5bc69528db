//! What is kept of a postback beside what it says, so that its outcome can be explained later: how it came, how far the
//! decision went, and what the decision knew when it was made. Nothing is looked up for it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{
    click_id::Touch,
    conversion::{ConversionStatus, MatchMode},
    currency::Currency,
    facts::CreditedClick,
    goal::{Counting, GoalRules, USUAL_MODES},
    goal_caps::{Cap, Limit, Taken},
    ids::{CampaignId, ConversionId},
    matching::{self, Source},
    money::Micros,
    postback::Report,
    setup::Status,
    time::Timestamp,
    visitor::ClickClass,
    words::words,
};

words! {
    /// A step of the decision, in the fixed order.
    Check {
        /// Nobody could listen.
        Transport = "transport",
        /// The body's size and its content type.
        SizeAndType = "size_and_type",
        /// Who sent it: signature, time, address, scope.
        Authenticate = "authenticate",
        /// How many came.
        RateLimit = "rate_limit",
        /// Whether it can be read at all.
        Parse = "parse",
        /// Each parameter for itself.
        Parameters = "parameters",
        /// The goal, and what it asks of a report.
        Goal = "goal",
        /// The click, the customer or the publisher.
        Source = "source",
        /// How old the click and the event are.
        Windows = "windows",
        /// The conversion that an adjustment is of.
        Target = "target",
        /// Whether it was counted, or the adjustment made, before.
        Duplicates = "duplicates",
        /// Whether the conversion's status allows the adjustment.
        Transition = "transition",
        /// What a conversion is restated to.
        Amount = "amount",
        /// What it is worth, how much the goal takes, and what makes it wait.
        CapsAndFlags = "caps_and_flags",
        /// The conversion is in the ledger, or the adjustment in its history.
        Write = "write",
    }
}

/// How a postback came.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    /// Its sender's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// When it was signed, as the sender wrote it: `webhook-timestamp` or `ts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// How long its query or body was, or its item of a batch.
    pub bytes: usize,
    /// Whether it is a batch that was refused as a whole.
    #[serde(skip_serializing_if = "is_false")]
    pub whole_batch: bool,
    /// What its signature should be of, where it does not hold: the beginning, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed: Option<String>,
    /// The check that refused it before anything about the set-up had to be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_at: Option<Check>,
}

/// The goal that a report names, as it was.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct GoalSeen {
    /// Whether it took reports.
    #[serde(default = "active", skip_serializing_if = "is_active")]
    pub status: Status,
    /// How often it counts.
    pub counting: Counting,
    /// The ways to match that it allowed.
    #[serde(default = "usual_modes", skip_serializing_if = "are_usual_modes")]
    pub modes: Vec<MatchMode>,
    /// The currency that amounts had to be in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Whether it needed an amount.
    #[serde(default, skip_serializing_if = "is_false")]
    pub needs_amount: bool,
    /// How many campaigns it was for; 0: all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub campaigns: usize,
    /// Longest time from event to report, in seconds.
    pub delay: i64,
}

impl GoalSeen {
    /// What of a goal's rules an explanation says.
    pub fn of(goal: &GoalRules) -> Self {
        Self {
            status: goal.status,
            counting: goal.counting,
            modes: goal.modes.clone(),
            currency: goal.currency,
            needs_amount: goal.needs_amount(),
            campaigns: goal.campaign_ids.len(),
            delay: goal.reporting_delay_seconds,
        }
    }
}

/// The click or the impression that a report was matched to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TouchSeen {
    /// Which of the two.
    #[serde(default = "Touch::click", skip_serializing_if = "Touch::is_click")]
    pub touch: Touch,
    /// When it was.
    pub at: Timestamp,
    /// Its class; none: its row was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ClickClass>,
    /// Its campaign.
    pub campaign: CampaignId,
    /// Longest time from it to the event, in seconds.
    pub window: i64,
}

impl TouchSeen {
    fn of(click: &CreditedClick, report: &Report, goal: &GoalRules) -> Self {
        Self {
            touch: click.touch,
            at: click.id.minted_at(),
            class: click.row,
            campaign: click.credit.campaign_id,
            window: matching::window_seconds(report, goal, click),
        }
    }
}

/// A cap, and what was taken before the report.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CapSeen {
    /// The cap.
    pub cap: Cap,
    /// How much it allows: conversions, or millionths of the goal's currency.
    pub most: i64,
    /// How much was taken, in the same.
    pub taken: i64,
}

impl CapSeen {
    /// The caps of a period.
    pub fn of(limit: &Limit, taken: Taken) -> impl Iterator<Item = Self> + use<> {
        let count = limit.conversions.map(|(most, cap)| Self { cap, most, taken: taken.conversions });
        let payout = i64::try_from(taken.payout).unwrap_or(i64::MAX);
        let sum = limit.payout.map(|(Micros(most), cap)| Self { cap, most, taken: payout });
        count.into_iter().chain(sum)
    }
}

/// The conversion that an adjustment is of, as it was before.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct ConversionSeen {
    /// Which one.
    pub id: ConversionId,
    /// Where it stood.
    pub status: ConversionStatus,
    /// Its currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// The other currency that it was reported in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_in: Option<Currency>,
}

/// All that is kept.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Trace {
    /// How it came.
    pub origin: Origin,
    /// The check that the decision ended at; none where no decision was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Check>,
    /// The goal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<GoalSeen>,
    /// The click or the impression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub touch: Option<TouchSeen>,
    /// The conversion that has the same click or order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earlier: Option<ConversionId>,
    /// The goal's caps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<CapSeen>,
    /// The conversion that was to be adjusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adjusted: Option<ConversionSeen>,
}

impl Trace {
    /// The decision goes on to a check.
    pub(super) fn reach(&mut self, check: Check) {
        self.ended_at = Some(check);
    }

    /// The decision knows whom a report is matched to.
    pub(super) fn match_to(&mut self, source: Source<'_>, report: &Report, goal: &GoalRules) {
        if let Source::Click(click) = source {
            self.touch = Some(TouchSeen::of(click, report, goal));
        }
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

// What is as usual takes no room: a line of the log is written for each report.

fn active() -> Status {
    Status::Active
}

fn is_active(status: &Status) -> bool {
    *status == active()
}

fn usual_modes() -> Vec<MatchMode> {
    USUAL_MODES.to_vec()
}

fn are_usual_modes(modes: &[MatchMode]) -> bool {
    modes == USUAL_MODES
}
