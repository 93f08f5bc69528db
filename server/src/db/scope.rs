//! The proof that a partner may be acted for. Every query on a partner's rows takes one as its second argument.

use crate::domain::ids::PartnerId;

/// Whose rows an operation reaches. It cannot be deserialised, and few places make one (a test lists them): the
/// authentication of a caller or of a signed message, the directory of links, and the jobs that go through all partners.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PartnerScope(PartnerId);

impl PartnerScope {
    /// The scope of a partner that has been established.
    pub fn established(partner: PartnerId) -> Self {
        Self(partner)
    }

    /// The partner.
    pub fn id(&self) -> PartnerId {
        self.0
    }
}
