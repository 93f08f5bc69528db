//! What the audit log tells of.

use super::words::words;

words! {
    /// What somebody did.
    AuditAction {
        /// Made a signing key or a token.
        SigningKeyCreated = "signing_key.created",
        /// Changed one.
        SigningKeyUpdated = "signing_key.updated",
        /// Made another one take its place.
        SigningKeyRotated = "signing_key.rotated",
        /// Revoked one.
        SigningKeyRevoked = "signing_key.revoked",
        /// Changed whether signatures are enforced for an advertiser, or whether it takes static tokens.
        AdvertiserSigningChanged = "advertiser.signing_changed",
        /// Ran refused postbacks again.
        PostbackRerun = "postback.rerun",
    }
}
