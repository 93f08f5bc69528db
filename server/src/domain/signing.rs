//! How strictly an advertiser's postbacks must prove where they come from.

use super::words::words;

words! {
    /// How a key proves that a postback is its owner's.
    KeyKind {
        /// It signs; the secret itself is never sent.
        Signature = "signature",
        /// It is sent along as it is, as `token=`.
        Token = "token",
    }
}

words! {
    /// What becomes of a postback whose signature does not hold.
    #[derive(Default)]
    SigningMode {
        /// It is refused.
        #[default]
        Enforce = "enforce",
        /// It is taken, and the log says what enforcing would have answered.
        Observe = "observe",
    }
}

words! {
    /// Whether postbacks may come with a static token instead of a signature.
    StaticToken {
        /// They may.
        Allowed = "allowed",
        /// They may not.
        Refused = "refused",
    }
}
