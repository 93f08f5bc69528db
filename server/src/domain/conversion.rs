//! The life of a conversion: its states, and how it was matched.

use super::words::words;

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
