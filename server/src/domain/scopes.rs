//! What a signing key may do.

use super::words::words;

words! {
    /// One power of a signing key.
    Scope {
        /// Report conversions.
        ConversionsWrite = "conversions:write",
        /// Report refunds and restated amounts.
        AdjustmentsWrite = "adjustments:write",
        /// Decide a status: skip a hold, approve what would wait.
        StatusWrite = "status:write",
        /// Read the log.
        LogsRead = "logs:read",
    }
}
