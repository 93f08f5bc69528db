//! A postback on its way to the transaction that decides about it: read, authenticated, not yet judged.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::scope::PartnerScope;
use crate::domain::{
    attribution::{Credit, KeyPowers},
    click_id::{ClickId, ClickIdError},
    goal::GoalRules,
    ids::{AdvertiserId, ConversionId, KeyId, PostbackId, RowId},
    postback::{Form, Intent, Report},
    refusal::Refusal,
    setup::Status,
    time::Timestamp,
};

/// A postback with what the set-up says about it: everything that is decided without its click and its order.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// What came.
    pub received: Received,
    /// What the set-up says.
    pub set_up: SetUp,
}

/// What the set-up says about a postback.
#[derive(Clone, Debug)]
pub struct SetUp {
    /// Whose conversion it is.
    pub advertiser: Result<AdvertiserId, Refusal>,
    /// The goals that serve this advertiser: its own first, then the partner's.
    pub goals: Arc<Vec<GoalRules>>,
    /// Whether the publisher that the report names, if it names one, is there and in use.
    pub publisher_is_permitted: bool,
    /// Whom the link is credited to that is part of the click id, and whether its campaign runs.
    pub link: Option<(Credit, Status)>,
}

/// One received postback. The ids it may need are made beforehand, so that nothing below draws chance.
#[derive(Clone, PartialEq, Debug)]
pub struct Received {
    /// Whose key signed it.
    pub scope: PartnerScope,
    /// Names its line of the log.
    pub postback_id: PostbackId,
    /// Names its conversion, if it becomes one.
    pub conversion_id: ConversionId,
    /// Names what it adds to the totals.
    pub delta_id: RowId,
    /// When it came.
    pub received_at: Timestamp,
    /// The form it came in.
    pub form: Form,
    /// The key it names.
    pub key_id: Option<KeyId>,
    /// What that key may do.
    pub powers: KeyPowers,
    /// The signed message's id.
    pub message_id: Option<String>,
    /// What came, for the log: without secrets and personal data.
    pub request: Map<String, Value>,
    /// What its click id reads as; none when it has none.
    pub click: Option<Result<ClickId, ClickIdError>>,
    /// What it says, or why it was refused before that mattered.
    pub report: Result<Report, Refusal>,
}

impl Received {
    /// Whether it is not a dry run, and not refused already.
    pub fn may_count(&self) -> bool {
        self.report.as_ref().is_ok_and(|report| report.intent == Intent::Count)
    }
}
