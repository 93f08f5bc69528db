//! What a partner's set-up rows have in common: whether they are in use, and what a link allows.

use super::words::words;

words! {
    /// Whether a thing takes part.
    Status {
        /// In use.
        Active = "active",
        /// Switched off for now; nothing is lost.
        Paused = "paused",
        /// Put away; left out of lists, kept for the records, can be made active again.
        Archived = "archived",
    }
}

words! {
    /// What a link does with `url=`.
    DeepLinks {
        /// Follows it when its host is on the advertiser's list.
        Allowed = "allowed",
        /// Ignores it.
        Refused = "refused",
    }
}
