//! The life of a conversion: its states, what moves it from one to another, and how it was matched.

use super::{goal::HoldEnd, words::words};

words! {
    /// Where a conversion stands.
    ConversionStatus {
        /// Waits for a decision.
        Pending = "pending",
        /// Waits for the end of its hold.
        OnHold = "on_hold",
        /// Payable.
        Approved = "approved",
        /// Never payable.
        Rejected = "rejected",
        /// Was payable, and was taken back.
        Reversed = "reversed",
    }
}

words! {
    /// What tied the report to a publisher.
    MatchMode {
        /// A click id.
        Transaction = "transaction",
        /// A customer bound by an earlier conversion.
        Customer = "customer",
        /// The publisher's own id.
        Partner = "partner",
    }
}

words! {
    /// What is done to a conversion after it was counted.
    AdjustmentKind {
        /// A full refund.
        Retraction = "retraction",
        /// A new amount.
        Restatement = "restatement",
        /// The decision that it is payable.
        Approve = "approve",
        /// The decision that it never will be.
        Reject = "reject",
        /// A rejection taken back.
        Reopen = "reopen",
        /// The end of its refund period.
        HoldEnd = "hold_end",
    }
}

impl AdjustmentKind {
    /// What can be asked for; the end of a hold comes by itself.
    pub const ASKED: &'static [AdjustmentKind] =
        &[Self::Retraction, Self::Restatement, Self::Approve, Self::Reject, Self::Reopen];

    /// Reads a kind that can be asked for.
    pub fn parse_asked(text: &str) -> Option<Self> {
        Self::parse(text).filter(|kind| Self::ASKED.contains(kind))
    }

    /// Whether it decides about a status, beyond telling of a refund or of a new amount.
    pub fn decides_status(self) -> bool {
        matches!(self, Self::Approve | Self::Reject | Self::Reopen)
    }
}

words! {
    /// Why a conversion is changed.
    Reason {
        /// The order was changed.
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

words! {
    /// Who changed a conversion.
    Actor {
        /// The server, at the end of a hold.
        System = "system",
        /// The partner, by an API key.
        Partner = "partner",
        /// An advertiser, by a signing key.
        Advertiser = "advertiser",
    }
}

/// Where an adjustment leads a conversion; none where it is not allowed. Where nothing is to be done, it stays.
///
/// | | pending | on_hold | approved | rejected | reversed |
/// | --- | --- | --- | --- | --- | --- |
/// | retraction | rejected | rejected | reversed | stays | stays |
/// | restatement | stays | stays | stays | pending | pending |
/// | approve | approved | approved | stays | - | - |
/// | reject | rejected | rejected | - | stays | - |
/// | reopen | stays | - | - | pending | - |
/// | hold_end | - | by the goal | - | - | - |
///
/// A restated conversion counts again, under a decision: nothing that was taken back becomes payable by itself.
pub fn transition(
    from: ConversionStatus,
    kind: AdjustmentKind,
    hold_end: HoldEnd,
) -> Option<ConversionStatus> {
    use AdjustmentKind as Kind;
    use ConversionStatus::*;
    match (kind, from) {
        (Kind::Retraction, Pending | OnHold) => Some(Rejected),
        (Kind::Retraction, Approved) => Some(Reversed),
        (Kind::Retraction, Rejected | Reversed) => Some(from),
        (Kind::Restatement, Pending | OnHold | Approved) => Some(from),
        (Kind::Restatement, Rejected | Reversed) => Some(Pending),
        (Kind::Approve, Pending | OnHold | Approved) => Some(Approved),
        (Kind::Reject, Pending | OnHold | Rejected) => Some(Rejected),
        (Kind::Reopen, Pending | Rejected) => Some(Pending),
        (Kind::HoldEnd, OnHold) => Some(hold_end.status()),
        (Kind::Approve, Rejected | Reversed)
        | (Kind::Reject, Approved | Reversed)
        | (Kind::Reopen, OnHold | Approved | Reversed)
        | (Kind::HoldEnd, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_transitions_is_the_documented_one() {
        use AdjustmentKind as Kind;
        use ConversionStatus::*;
        for (kind, by_status) in [
            (
                Kind::Retraction,
                [Some(Rejected), Some(Rejected), Some(Reversed), Some(Rejected), Some(Reversed)],
            ),
            (Kind::Restatement, [Some(Pending), Some(OnHold), Some(Approved), Some(Pending), Some(Pending)]),
            (Kind::Approve, [Some(Approved), Some(Approved), Some(Approved), None, None]),
            (Kind::Reject, [Some(Rejected), Some(Rejected), None, Some(Rejected), None]),
            (Kind::Reopen, [Some(Pending), None, None, Some(Pending), None]),
            (Kind::HoldEnd, [None, Some(Approved), None, None, None]),
        ] {
            for (from, to) in ConversionStatus::ALL.iter().zip(by_status) {
                assert_eq!(transition(*from, kind, HoldEnd::Approve), to, "{kind} of {from}");
            }
        }
        assert_eq!(transition(OnHold, Kind::HoldEnd, HoldEnd::Reject), Some(Rejected));
    }

    #[test]
    fn a_full_refund_is_always_taken_and_leaves_nothing_payable() {
        for from in ConversionStatus::ALL {
            let to = transition(*from, AdjustmentKind::Retraction, HoldEnd::Approve);
            assert!(matches!(to, Some(ConversionStatus::Rejected | ConversionStatus::Reversed)), "{from}");
        }
    }
}
