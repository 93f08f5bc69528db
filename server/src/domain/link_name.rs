//! How a tracking URL names its link: by the short code of its number, or by its id.

use super::{
    base32,
    click_id::LinkNumber,
    ids::{Id, LinkId},
};

/// What stands behind `/c/`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LinkName {
    /// The short code: seven characters of base32.
    Number(LinkNumber),
    /// The link's id.
    Id(LinkId),
}

impl LinkName {
    /// Reads either form.
    pub fn parse(text: &str) -> Option<Self> {
        match LinkId::parse(text) {
            Some(id) => Some(Self::Id(id)),
            None => base32::decode(text).map(|bytes| Self::Number(LinkNumber(u32::from_be_bytes(bytes)))),
        }
    }
}

/// The short code of a link's number.
pub fn code(number: LinkNumber) -> String {
    base32::encode(&number.0.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_named_by_code_or_id() {
        let number = LinkNumber(4_000_000_001);
        assert_eq!(code(number).len(), 7);
        assert_eq!(LinkName::parse(&code(number)), Some(LinkName::Number(number)));
        let id = LinkId::from_bytes([7; 16]);
        assert_eq!(LinkName::parse(&id.to_string()), Some(LinkName::Id(id)));
        assert_eq!(LinkName::parse("no-such-link"), None);
    }
}
