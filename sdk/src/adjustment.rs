//! What happens to a conversion after it was counted, as the caller describes it, and what came of it.
//! Judges nothing that the server judges.

use serde::Serialize;

use crate::words::words;
use crate::{Code, ConversionStatus};

words! {
    /// Says what is done to a conversion.
    AdjustmentKind {
        /// Refunds it in full.
        Retraction = "retraction",
        /// Gives it a new amount.
        Restatement = "restatement",
        /// Decides that it is payable.
        Approve = "approve",
        /// Decides that it never will be.
        Reject = "reject",
        /// Takes a rejection back.
        Reopen = "reopen",
    }
}

words! {
    /// Says why a conversion is adjusted.
    Reason {
        /// The order was changed. What the server takes when nothing is said.
        OrderUpdate = "order_update",
        /// The goods came back.
        ItemReturned = "item_returned",
        /// The customer meant to deceive.
        CustomerFraud = "customer_fraud",
        /// The customer made a mistake.
        CustomerError = "customer_error",
        /// The order was taken wrongly.
        OrderError = "order_error",
        /// The publisher objects.
        PublisherDispute = "publisher_dispute",
        /// The advertiser objects.
        AdvertiserDispute = "advertiser_dispute",
        /// The publisher broke the terms.
        TermsViolation = "terms_violation",
        /// There was nothing to deliver.
        OutOfStock = "out_of_stock",
        /// It was a test.
        TestAction = "test_action",
    }
}

/// Describes one adjustment of a conversion.
///
/// The conversion is named by its id ([`conversion`](Self::conversion)) or by the goal and the order id that it was
/// reported with ([`order`](Self::order)).
#[must_use = "nothing is adjusted before `Client::adjust` is called"]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Adjustment {
    adjustment_id: String,
    kind: AdjustmentKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversion_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advertiser: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Adjustment {
    fn new(kind: AdjustmentKind, id: impl Into<String>) -> Self {
        Self {
            adjustment_id: id.into(),
            kind,
            conversion_id: None,
            goal: None,
            order_id: None,
            advertiser: None,
            amount: None,
            currency: None,
            reason: None,
            note: None,
        }
    }

    /// Starts a full refund. The id is the caller's own name for it, at most 128 bytes: under it, it is made once.
    pub fn retraction(id: impl Into<String>) -> Self {
        Self::new(AdjustmentKind::Retraction, id)
    }

    /// Starts a restatement: what the sale is worth now, all of it, as a decimal and an ISO 4217 code.
    pub fn restatement(
        id: impl Into<String>,
        amount: impl Into<String>,
        currency: impl Into<String>,
    ) -> Self {
        let (amount, currency) = (Some(amount.into()), Some(currency.into()));
        Self { amount, currency, ..Self::new(AdjustmentKind::Restatement, id) }
    }

    /// Starts a decision that the conversion is payable.
    pub fn approve(id: impl Into<String>) -> Self {
        Self::new(AdjustmentKind::Approve, id)
    }

    /// Starts a decision that the conversion never will be payable.
    pub fn reject(id: impl Into<String>) -> Self {
        Self::new(AdjustmentKind::Reject, id)
    }

    /// Starts the taking back of a rejection: the conversion waits for a decision again.
    pub fn reopen(id: impl Into<String>) -> Self {
        Self::new(AdjustmentKind::Reopen, id)
    }

    /// Names the conversion by the id that it was answered with.
    pub fn conversion(mut self, id: impl Into<String>) -> Self {
        self.conversion_id = Some(id.into());
        self
    }

    /// Names the conversion by the goal's event name and the order id that it was reported with.
    pub fn order(mut self, goal: impl Into<String>, order_id: impl Into<String>) -> Self {
        self.goal = Some(goal.into());
        self.order_id = Some(order_id.into());
        self
    }

    /// Names the advertiser, by its id or external id. Needed with an order if the key covers several.
    pub fn advertiser(mut self, id: impl Into<String>) -> Self {
        self.advertiser = Some(id.into());
        self
    }

    /// Says why.
    pub fn reason(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Adds a remark for people, at most 500 bytes, without e-mail addresses and phone numbers.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// Says what became of an adjustment that the server took.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AdjustmentOutcome {
    /// The conversion is changed.
    Adjusted,
    /// Recorded; the conversion stood there already.
    Nothing,
    /// Would be made. Nothing was changed.
    Validated,
    /// Was made before; the rest of [`Adjusted`] says what came of it then.
    Duplicate,
    /// Recorded, under a code that this version of the crate does not list.
    Unknown(String),
}

impl AdjustmentOutcome {
    /// Returns the outcome of a good answer, or `None` if the code is a refusal's.
    pub(crate) fn from_code(code: Code) -> Option<Self> {
        match code {
            Code::Adjusted => Some(Self::Adjusted),
            Code::AdjustedNothing => Some(Self::Nothing),
            Code::Validated => Some(Self::Validated),
            Code::Duplicate => Some(Self::Duplicate),
            Code::Unknown(word) => Some(Self::Unknown(word)),
            _ => None,
        }
    }
}

/// Carries what the server said about an adjustment that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Adjusted {
    /// Says what became of the adjustment.
    pub outcome: AdjustmentOutcome,
    /// Names the conversion.
    pub conversion_id: Option<String>,
    /// Names this adjustment in the server's log: the id to quote to support.
    pub postback_id: Option<String>,
    /// Says where the conversion stood afterwards.
    pub status: Option<ConversionStatus>,
    /// The conversion's amount afterwards.
    pub amount: Option<String>,
    /// Its currency.
    pub currency: Option<String>,
    /// Explains the outcome to a person.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Adjustment, Reason};

    #[test]
    fn what_is_set_is_sent_and_nothing_else() {
        let refund = Adjustment::retraction("R-1").order("purchase", "A-1").reason(Reason::ItemReturned);
        let expected = json!({"adjustment_id": "R-1", "kind": "retraction", "goal": "purchase", "order_id": "A-1",
            "reason": "item_returned"});
        assert_eq!(serde_json::to_value(refund).unwrap(), expected);
        let less = Adjustment::restatement("R-2", "20.00", "EUR").conversion("cnv_1").note("Two of three.");
        let expected = json!({"adjustment_id": "R-2", "kind": "restatement", "conversion_id": "cnv_1",
            "amount": "20.00", "currency": "EUR", "note": "Two of three."});
        assert_eq!(serde_json::to_value(less).unwrap(), expected);
    }
}
