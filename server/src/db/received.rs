//! What is on its way to the transaction that decides about it: postbacks, read, authenticated, not yet judged; clicks
//! on campaigns with caps; what is seen and leaves no click; adjustments.

use std::sync::Arc;

use super::{
    rows::{
        document::Document,
        records::{Adjustment, Click, Conversion, Impression, Postback, TotalDelta},
    },
    scope::PartnerScope,
};
use crate::domain::{
    adjustment::Change,
    advertiser_rules::AdvertiserRules,
    answer::Answer,
    attribution::{Credit, KeyPowers, NamedPublisher},
    caps::Caps,
    click_id::{ClickId, ClickIdError, Touch},
    conversion::{Actor, ConversionStatus},
    ids::{AdvertiserId, ApiKeyId, AuditEventId, ConversionId, GoalId, KeyId, PostbackId, RowId},
    postback::{Form, Intent, Report},
    rate::Rates,
    refusal::Refusal,
    setup::Status,
    time::Timestamp,
    totals::TotalKey,
    trace::Origin,
};

/// A postback with what the set-up says about it: everything that is decided without its click and its order.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// What came. It goes through many hands, and stays where it is.
    pub received: Box<Received>,
    /// What the set-up says.
    pub set_up: SetUp,
}

/// What the set-up says about a postback.
#[derive(Clone, Debug)]
pub struct SetUp {
    /// Whose conversion it is.
    pub advertiser: Result<AdvertiserId, Refusal>,
    /// What the set-up of this advertiser says: its goals, its currency, its publishers.
    pub rules: Arc<AdvertiserRules>,
    /// The publisher that the report names.
    pub publisher: NamedPublisher,
    /// The rates into the advertiser's currency that the report may need.
    pub rates: Rates,
    /// Whom the link is credited to that is part of the click id, and whether its campaign runs.
    pub link: Option<(Credit, Status)>,
}

impl SetUp {
    /// What is known of a report that is refused before its advertiser matters.
    pub fn refused(refusal: Refusal) -> Self {
        Self {
            advertiser: Err(refusal),
            rules: Arc::default(),
            publisher: NamedPublisher::NotNamed,
            rates: Rates::default(),
            link: None,
        }
    }
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
    /// Its place in the batch it came in, from 0.
    pub batch_index: Option<i32>,
    /// Whether a test key signed it.
    pub is_test: bool,
    /// How it came.
    pub origin: Origin,
    /// What came, for the log: without secrets and personal data.
    pub request: Document,
    /// What its click id reads as; none when it has none.
    pub click: Option<Result<ClickId, ClickIdError>>,
    /// Whether that is a click's id or an impression's.
    pub touch: Touch,
    /// What it says, or why it was refused before that mattered.
    pub report: Result<Report, Refusal>,
}

impl Received {
    /// Whether it is not a dry run, and not refused already.
    pub fn may_count(&self) -> bool {
        self.report.as_ref().is_ok_and(|report| report.intent == Intent::Count)
    }

    /// The click that it names; an impression is none.
    pub fn clicked(&self) -> Option<ClickId> {
        self.click.filter(|_| self.touch == Touch::Click).and_then(Result::ok)
    }
}

/// What of a batch of postbacks is new as far as can be seen, ready to be committed.
pub struct NewPostbacks {
    /// What to answer to each of the batch when it is committed; none for what needs a closer look.
    pub answers: Vec<Option<Answer>>,
    /// What counts.
    pub conversions: Vec<Conversion>,
    /// Lines of the log.
    pub lines: Vec<Postback>,
    /// What is added to the totals.
    pub deltas: Vec<TotalDelta>,
}

/// Which conversion is to be adjusted.
#[derive(Clone, PartialEq, Debug)]
pub enum Target {
    /// The one with this id.
    Conversion(ConversionId),
    /// The one of this order: for the first of these goals that has it.
    Order {
        /// Whose conversion.
        advertiser: AdvertiserId,
        /// Goals of one event name.
        goals: Vec<GoalId>,
        /// The order.
        order_id: String,
    },
}

/// An adjustment that is asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct Asked {
    /// Of which conversion.
    pub target: Target,
    /// What to do.
    pub change: Change,
    /// The caller's name for it: it is made once.
    pub adjustment_id: Option<String>,
    /// Only if the conversion has this status.
    pub only_from: Option<ConversionStatus>,
    /// Only if the conversion has this order id.
    pub only_of: Option<String>,
    /// Its line of the log.
    pub postback_id: Option<PostbackId>,
    /// Whether to make it.
    pub intent: Intent,
}

/// Who adjusts.
#[derive(Clone, PartialEq, Debug)]
pub struct Hand {
    /// The partner, an advertiser, or the server itself.
    pub actor: Actor,
    /// The API key.
    pub api_key_id: Option<ApiKeyId>,
    /// The signing key.
    pub key_id: Option<KeyId>,
    /// Whose conversions it reaches; empty: all of the partner's.
    pub advertisers: Vec<AdvertiserId>,
}

impl Hand {
    /// The server itself.
    pub const SYSTEM: Self =
        Self { actor: Actor::System, api_key_id: None, key_id: None, advertisers: Vec::new() };

    /// A partner, by an API key.
    pub fn partner(key: ApiKeyId) -> Self {
        Self { actor: Actor::Partner, api_key_id: Some(key), ..Self::SYSTEM }
    }

    /// True when it reaches this advertiser's conversions.
    pub fn reaches(&self, advertiser: AdvertiserId) -> bool {
        self.advertisers.is_empty() || self.advertisers.contains(&advertiser)
    }
}

/// An adjustment that was made, or would be.
#[derive(Clone, Debug)]
pub struct Made {
    /// The line of the history; of a repetition, the first one's.
    pub adjustment: Adjustment,
    /// The conversion as it is now.
    pub conversion: Conversion,
    /// Whether it was made before.
    pub is_repeated: bool,
}

/// What came of an adjustment that was asked for.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The conversion as it was before, where there is one.
    pub seen: Option<Conversion>,
    /// What was made, or why nothing was.
    pub made: Result<Made, Refusal>,
}

/// When, and under which new ids, adjustments are made.
pub struct Occasion<F> {
    /// The time.
    pub now: Timestamp,
    /// Names what it adds to the totals.
    pub delta_id: RowId,
    /// Names each line of the history.
    pub new_id: F,
}

/// Who runs postbacks again, and when.
#[derive(Clone, Copy, Debug)]
pub struct By {
    /// The API key.
    pub key: ApiKeyId,
    /// The time.
    pub now: Timestamp,
    /// Names the event of the audit log.
    pub event_id: AuditEventId,
}

/// One received adjustment, for the log and, if it could be read, to be made.
#[derive(Clone, PartialEq, Debug)]
pub struct ReceivedAdjustment {
    /// Names its line of the log.
    pub postback_id: PostbackId,
    /// When it came.
    pub received_at: Timestamp,
    /// The key it names.
    pub key_id: KeyId,
    /// Whether that is a test key.
    pub is_test: bool,
    /// The signed message's id.
    pub message_id: String,
    /// Its place in the batch it came in, from 0.
    pub batch_index: Option<i32>,
    /// How it came.
    pub origin: Origin,
    /// What came, for the log: without secrets and personal data.
    pub request: Document,
    /// Whose conversion, where the request says so.
    pub advertiser_id: Option<AdvertiserId>,
    /// What it asks for, or why it was refused before that mattered.
    pub asked: Result<Asked, Refusal>,
    /// What is noteworthy about how it asks.
    pub flags: Vec<String>,
}

/// A click on a campaign that takes only so many.
#[derive(Clone, Debug)]
pub struct CappedClick {
    /// The click, as it is if the campaign takes it.
    pub click: Click,
    /// How many it takes.
    pub caps: Caps,
}

/// What is recorded of a visit that is no click.
#[derive(Clone, Debug)]
pub enum Sighting {
    /// An impression.
    Impression(Box<Impression>),
    /// A visit without consent: it is counted, and nothing about it is kept.
    WithoutConsent(PartnerScope, TotalKey),
}
