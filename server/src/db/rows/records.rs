//! What happens: clicks, postbacks, conversions, their adjustments, and the totals.
#![expect(missing_docs, reason = "the migrations and the API reference say what the columns hold")]

use diesel::prelude::*;
use serde_json::{Map, Value};

use crate::{
    db::{
        rows::{document::Document, packed::Packed},
        schema,
        sql_types::Json,
    },
    domain::{
        adjustment::{Change, Standing},
        attribution::Previous,
        click_id::ClickId,
        code::Code,
        conversion::{Actor, AdjustmentKind, ConversionStatus, MatchMode, Reason},
        currency::Currency,
        goal::{HoldEnd, MoneyKind, MoneyRule},
        ids::*,
        kept_answer,
        money::Micros,
        postback::{About, Form},
        rate::Rate,
        time::Timestamp,
        totals::{Kind, Sums, TotalKey},
        trace::{ConversionSeen, Trace},
        visitor::ClickClass,
        worth::{Exchange, Terms},
    },
};

/// Writes the rows of clicks and of impressions, which are the same but for the name of their time.
macro_rules! visits {
    ($($(#[$doc:meta])* $name:ident in $table:ident at $time:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Debug, Queryable, Selectable, Insertable)]
        #[diesel(table_name = schema::$table, treat_none_as_default_value = false)]
        pub struct $name {
            pub partner_id: PartnerId,
            pub id: ClickId,
            pub link_id: LinkId,
            pub advertiser_id: AdvertiserId,
            pub campaign_id: CampaignId,
            pub creative_id: Option<CreativeId>,
            pub publisher_id: Option<PublisherId>,
            pub $time: Timestamp,
            pub class: ClickClass,
            pub reason: Option<String>,
            pub country: Option<String>,
            pub details: Document,
        }

        impl $name {
            /// The cell of the totals that it is counted in, as one of a kind.
            pub fn cell(&self, kind: Kind) -> TotalKey {
                TotalKey {
                    hour: self.$time.start_of_hour(),
                    kind,
                    advertiser_id: self.advertiser_id,
                    campaign_id: Some(self.campaign_id),
                    creative_id: self.creative_id,
                    link_id: Some(self.link_id),
                    publisher_id: self.publisher_id,
                    goal_id: None,
                    currency: None,
                }
            }
        }
    )+};
}

visits! {
    /// One click.
    Click in clicks at clicked_at;
    /// One impression.
    Impression in impressions at shown_at;
}

/// Writes how one kind of visit becomes the other.
macro_rules! visit_from {
    ($from:ident at $from_time:ident, $to:ident at $to_time:ident, $($column:ident),+ $(,)?) => {
        impl From<$from> for $to {
            fn from(visit: $from) -> Self {
                Self { $to_time: visit.$from_time, $($column: visit.$column),+ }
            }
        }

        impl From<$to> for $from {
            fn from(visit: $to) -> Self {
                Self { $from_time: visit.$to_time, $($column: visit.$column),+ }
            }
        }
    };
}

visit_from!(
    Click at clicked_at, Impression at shown_at,
    partner_id, id, link_id, advertiser_id, campaign_id, creative_id, publisher_id, class, reason,
    country, details,
);

/// One received report, whatever its outcome.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = schema::postbacks, treat_none_as_default_value = false)]
pub struct Postback {
    pub partner_id: PartnerId,
    pub id: PostbackId,
    pub received_at: Timestamp,
    pub form: Form,
    pub key_id: Option<KeyId>,
    pub advertiser_id: Option<AdvertiserId>,
    pub goal_id: Option<GoalId>,
    pub click_id: Option<ClickId>,
    pub conversion_id: Option<ConversionId>,
    pub message_id: Option<String>,
    pub code: String,
    pub http_status: i32,
    pub request: Document,
    pub answer: Document,
    pub batch_index: Option<i32>,
    pub test: bool,
    pub not_enforced: Option<String>,
    pub about: About,
    pub order_id: Option<String>,
    pub trace: Option<Document>,
    pub rerunnable: bool,
}

impl Postback {
    /// Method and path of the request that it came with.
    pub fn endpoint(&self) -> (&'static str, &'static str) {
        match (self.about, self.form, self.is_of_batch()) {
            (About::Adjustment, _, false) => ("POST", "/v1/adjustments"),
            (About::Adjustment, _, true) => ("POST", "/v1/adjustments/batch"),
            (About::Conversion, Form::Query, _) => ("GET", "/v1/postback"),
            (About::Conversion, Form::Form, _) => ("POST", "/v1/postback"),
            (About::Conversion, Form::Json, false) => ("POST", "/v1/conversions"),
            (About::Conversion, Form::Json, true) => ("POST", "/v1/conversions/batch"),
        }
    }

    /// The answer as it was given.
    pub fn told(&self) -> Map<String, Value> {
        kept_answer::restored(Code::named(&self.code), (self.id, self.conversion_id), self.answer.members())
    }

    /// What explains its outcome; none where an earlier version logged it.
    pub fn trace(&self) -> Option<Trace> {
        self.trace.as_ref().map(Document::read)
    }

    /// Whether it is a batch that was refused as a whole, or an item of one.
    pub fn is_of_batch(&self) -> bool {
        self.batch_index.is_some() || self.trace().is_some_and(|trace| trace.origin.whole_batch)
    }
}

/// What came of judging a refused postback again.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = schema::reruns, treat_none_as_default_value = false)]
pub struct Rerun {
    pub partner_id: PartnerId,
    pub postback_id: PostbackId,
    pub position: i64,
    pub api_key_id: ApiKeyId,
    pub code: String,
    pub message: String,
    pub conversion_id: Option<ConversionId>,
    pub created_at: Timestamp,
}

/// A row of the ledger.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = schema::conversions, treat_none_as_default_value = false)]
pub struct Conversion {
    pub partner_id: PartnerId,
    pub id: ConversionId,
    pub advertiser_id: AdvertiserId,
    pub goal_id: GoalId,
    pub count_key: String,
    pub match_mode: MatchMode,
    pub click_id: Option<ClickId>,
    pub link_id: Option<LinkId>,
    pub campaign_id: Option<CampaignId>,
    pub creative_id: Option<CreativeId>,
    pub publisher_id: Option<PublisherId>,
    pub order_id: Option<String>,
    pub customer_id: Option<String>,
    pub status: ConversionStatus,
    pub flags: Json<Vec<String>>,
    pub amount_micros: Option<Micros>,
    pub currency: Option<Currency>,
    pub payout_micros: Micros,
    pub revenue_micros: Micros,
    pub clicked_at: Option<Timestamp>,
    pub event_time: Timestamp,
    pub received_at: Timestamp,
    pub hold_until: Option<Timestamp>,
    pub hold_end: HoldEnd,
    pub postback_id: PostbackId,
    pub parameters: Json<Map<String, Value>>,
    pub updated_at: Timestamp,
    pub view_through: bool,
    pub payout_kind: MoneyKind,
    pub payout_number: Micros,
    pub payout_rule: Option<String>,
    pub revenue_kind: MoneyKind,
    pub revenue_number: Micros,
    pub revenue_rule: Option<String>,
    pub original_amount_micros: Option<Micros>,
    pub original_currency: Option<Currency>,
    pub exchange_rate: Option<Rate>,
    pub capped_payout_micros: Option<Micros>,
}

impl Conversion {
    /// The terms that its money follows from: asked for another amount, they say what it is worth then.
    pub fn terms(&self) -> Terms {
        Terms {
            payout: MoneyRule::from_stored(self.payout_kind, self.payout_number),
            revenue: MoneyRule::from_stored(self.revenue_kind, self.revenue_number),
            currency: self.currency,
            exchange: self
                .original_currency
                .zip(self.exchange_rate)
                .map(|(from, rate)| Exchange { from, rate }),
        }
    }

    /// What a later report of the same conversion is compared with.
    pub fn previous(&self) -> Previous {
        Previous {
            id: self.id,
            status: self.status,
            click_id: self.click_id,
            publisher_id: self.publisher_id,
            amount: self.original_amount_micros.or(self.amount_micros),
            currency: self.amount_micros.and(self.original_currency.or(self.currency)),
            hold_until: self.hold_until,
        }
    }

    /// Where it stands, and what it is worth.
    pub fn standing(&self) -> Standing {
        Standing {
            status: self.status,
            amount: self.amount_micros,
            currency: self.currency,
            payout: self.payout_micros,
            revenue: self.revenue_micros,
            capped_payout: self.capped_payout_micros,
        }
    }

    /// What is kept of it with the line of an adjustment.
    pub fn seen(&self) -> ConversionSeen {
        let Self { id, status, currency, original_currency, .. } = *self;
        ConversionSeen { id, status, currency, reported_in: original_currency }
    }

    /// The cell of the totals it stands in, and what it adds there.
    pub fn total(&self) -> (TotalKey, Sums) {
        let key = TotalKey {
            hour: self.event_time.start_of_hour(),
            kind: Kind::of(self.match_mode, self.status),
            advertiser_id: self.advertiser_id,
            campaign_id: self.campaign_id,
            creative_id: self.creative_id,
            link_id: self.link_id,
            publisher_id: self.publisher_id,
            goal_id: Some(self.goal_id),
            currency: self.currency,
        };
        let amount = self.amount_micros.unwrap_or_default();
        let [amount, payout, revenue] =
            [amount, self.payout_micros, self.revenue_micros].map(|sum| sum.0.into());
        (key, Sums { events: 1, amount, payout, revenue })
    }
}

/// One change of a conversion, or an adjustment that changed nothing; never changed itself. `position` counts from 1.
#[derive(Clone, PartialEq, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = schema::adjustments, treat_none_as_default_value = false)]
pub struct Adjustment {
    pub partner_id: PartnerId,
    pub id: AdjustmentId,
    pub conversion_id: ConversionId,
    pub position: i64,
    pub advertiser_id: AdvertiserId,
    pub adjustment_id: Option<String>,
    pub kind: AdjustmentKind,
    pub actor: Actor,
    pub api_key_id: Option<ApiKeyId>,
    pub key_id: Option<KeyId>,
    pub postback_id: Option<PostbackId>,
    pub reason: Option<Reason>,
    pub note: Option<String>,
    pub requested_amount_micros: Option<Micros>,
    pub requested_currency: Option<Currency>,
    pub status_before: ConversionStatus,
    pub status_after: ConversionStatus,
    pub currency: Option<Currency>,
    pub amount_before_micros: Option<Micros>,
    pub amount_after_micros: Option<Micros>,
    pub payout_before_micros: Micros,
    pub payout_after_micros: Micros,
    pub revenue_before_micros: Micros,
    pub revenue_after_micros: Micros,
    pub created_at: Timestamp,
}

impl Adjustment {
    /// What was asked for.
    pub fn change(&self) -> Change {
        Change {
            kind: self.kind,
            reason: self.reason,
            amount: self.requested_amount_micros.zip(self.requested_currency),
            note: self.note.clone(),
        }
    }

    /// Whether it left the conversion as it was.
    pub fn is_idle(&self) -> bool {
        (self.status_before, self.amount_before_micros, self.payout_before_micros, self.revenue_before_micros)
            == (
                self.status_after,
                self.amount_after_micros,
                self.payout_after_micros,
                self.revenue_after_micros,
            )
    }
}

/// What one commit adds to the totals.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = schema::total_deltas, treat_none_as_default_value = false)]
pub struct TotalDelta {
    pub partner_id: PartnerId,
    pub id: RowId,
    pub changes: Packed,
}

/// One cell of the totals.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = schema::hourly_totals, treat_none_as_default_value = false)]
pub struct HourlyTotal {
    pub partner_id: PartnerId,
    pub hour: Timestamp,
    pub kind: Kind,
    pub advertiser_id: AdvertiserId,
    pub campaign_id: CampaignId,
    pub creative_id: CreativeId,
    pub link_id: LinkId,
    pub publisher_id: PublisherId,
    pub goal_id: GoalId,
    pub currency: String,
    pub events: i64,
    pub amount_micros: Micros,
    pub payout_micros: Micros,
    pub revenue_micros: Micros,
}

/// Deltas that are about to be folded, with what they add to the hours.
pub struct Folding {
    /// The deltas.
    pub deltas: Vec<RowId>,
    /// What they add.
    pub hours: Vec<HourlyTotal>,
}
