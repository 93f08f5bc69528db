//! Why a conversion waits for a decision, or what is noteworthy about it. The words are the answer's `flags`.

use super::{
    facts::{ClickFacts, Facts, NamedPublisher},
    matching::Source,
    postback::Report,
};

/// The goal wants every conversion decided.
pub const GOAL_NEEDS_APPROVAL: &str = "goal_needs_approval";
/// The advertiser asked for `pending`.
pub const REQUESTED_PENDING: &str = "requested_pending";
/// The campaign was paused or archived after the click.
pub const CAMPAIGN_PAUSED: &str = "campaign_paused";
/// The click was a bot's.
pub const BOT_CLICK: &str = "bot_click";
/// The click was a browser's prefetch.
pub const PREFETCH_CLICK: &str = "prefetch_click";
/// The click came through a paused or ended link.
pub const INVALID_CLICK: &str = "invalid_click";
/// The click id is genuine, its row is not there.
pub const CLICK_ROW_MISSING: &str = "click_row_missing";
/// The click's publisher does not work for the advertiser any more.
pub const PUBLISHER_BLOCKED: &str = "publisher_blocked";
/// The customer has come again as often as the goal pays for.
pub const OVER_MAX_REBILLS: &str = "over_max_rebills";
/// The goal has taken all that a cap allows; `cap:` and the cap's name stand behind it.
pub const OVER_CAP: &str = "over_cap";
/// The report has parameters that mean nothing to us.
pub const UNKNOWN_PARAMETER: &str = "unknown_parameter";
/// `status=approved` came with a key that may not decide it.
pub const STATUS_NOT_PERMITTED: &str = "status_not_permitted";
/// It came with a static token that works from everywhere.
pub const WEAK_TOKEN: &str = "weak_token";
/// Its signature does not hold, and the advertiser only observes.
pub const SIGNATURE_NOT_ENFORCED: &str = "signature_not_enforced";
/// The event came sooner after the click than the goal takes for possible.
pub const TOO_FAST: &str = "too_fast";
/// The report names another publisher than the click's.
pub const PUBLISHER_MISMATCH: &str = "publisher_mismatch";
/// The report names a customer that is bound to another click.
pub const CUSTOMER_MISMATCH: &str = "customer_mismatch";
/// Another lead id is attached to the click or the customer.
pub const LEAD_ID_MISMATCH: &str = "lead_id_mismatch";
/// Another e-mail address is attached to the click or the customer.
pub const EMAIL_MISMATCH: &str = "email_mismatch";

/// What a report says against what is known; none of it keeps it from being counted.
pub(super) fn contradictions(
    report: &Report,
    facts: &Facts,
    source: Source<'_>,
) -> impl Iterator<Item = &'static str> {
    let other_publisher = match (facts.publisher, source) {
        (NamedPublisher::Permitted(named), Source::Click(click)) => click.credit.publisher_id != Some(named),
        _ => false,
    };
    let other_customer = match (&facts.click, &facts.customer.bound) {
        (ClickFacts::Genuine(click), Some(bound)) => click.id != bound.id,
        _ => false,
    };
    let other_lead = report.extra("lead_id").is_some_and(|said| {
        facts.leads.iter().filter_map(|lead| lead.lead_id.as_deref()).any(|known| known != said)
    });
    let other_email = report.extra("email_sha256").is_some_and(|said| {
        let mut known = facts.leads.iter().filter_map(|lead| lead.email_sha256.as_deref());
        known.any(|known| !known.eq_ignore_ascii_case(said))
    });
    [
        other_publisher.then_some(PUBLISHER_MISMATCH),
        other_customer.then_some(CUSTOMER_MISMATCH),
        other_lead.then_some(LEAD_ID_MISMATCH),
        other_email.then_some(EMAIL_MISMATCH),
    ]
    .into_iter()
    .flatten()
}
