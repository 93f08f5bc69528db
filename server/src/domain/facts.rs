//! Everything that the decision about a report needs to know beside the report: values only, loaded elsewhere.

use std::sync::Arc;

use super::{
    advertiser_rules::AdvertiserRules,
    click_id::{ClickId, ClickIdError, Touch},
    code::Code,
    conversion::ConversionStatus,
    country::Country,
    currency::Currency,
    ids::{AdvertiserId, CampaignId, ConversionId, CreativeId, LinkId, PublisherId},
    money::Micros,
    rate::Rates,
    setup::Status,
    time::Timestamp,
    visitor::ClickClass,
};

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
    /// The text is no click id of the partner's.
    NotOurs(ClickIdError),
    /// Genuine. The row may not be there (yet, or any more); then the link says who is credited.
    Genuine(CreditedClick),
}

/// A click or an impression that is ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreditedClick {
    /// Whether it is a click or an impression.
    pub touch: Touch,
    /// The click or the impression.
    pub id: ClickId,
    /// Its row's class, if there is a row.
    pub row: Option<ClickClass>,
    /// Who is credited.
    pub credit: Credit,
    /// The visitor's country, where it is known.
    pub country: Option<Country>,
    /// Whether the campaign still runs.
    pub campaign_status: Status,
}

/// The publisher that a report names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NamedPublisher {
    /// It names none.
    NotNamed,
    /// Unknown; or known, and out of use or not on this advertiser.
    NotPermitted(Option<PublisherId>),
    /// In use, and on this advertiser.
    Permitted(PublisherId),
}

/// The customer that a report names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CustomerFacts {
    /// The click that the customer is bound to, as it was when it was bound.
    pub bound: Option<CreditedClick>,
    /// How often the customer has come again for this goal.
    pub rebills: i64,
}

/// What was attached to a click or a customer by its first events.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lead {
    /// The advertiser's id of the lead.
    pub lead_id: Option<String>,
    /// The hash of the customer's e-mail address, in lower case.
    pub email_sha256: Option<String>,
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
    /// Who is credited.
    pub publisher_id: Option<PublisherId>,
    /// Its amount, as it was reported.
    pub amount: Option<Micros>,
    /// The currency of that.
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
    /// What the advertiser's set-up says.
    pub rules: Arc<AdvertiserRules>,
    /// The rates into the advertiser's currency that the report may need.
    pub rates: Rates,
    /// The publisher that the report names.
    pub publisher: NamedPublisher,
    /// The click.
    pub click: ClickFacts,
    /// The customer.
    pub customer: CustomerFacts,
    /// What is attached to the click and to the customer.
    pub leads: Vec<Lead>,
    /// The conversion that has the same key.
    pub same_key: Option<Previous>,
    /// The conversion of the same goal that has the same order id.
    pub same_order: Option<Previous>,
}
