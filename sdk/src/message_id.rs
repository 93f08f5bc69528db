//! The id of one message: the same on every attempt to deliver it.

/// Holds a checked `webhook-id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessageId(String);

impl MessageId {
    const LONGEST: usize = 128;

    /// Writes random bytes as `msg_` and 32 hexadecimal digits.
    pub(crate) fn new(random: [u8; 16]) -> Self {
        Self(format!("msg_{:032x}", u128::from_be_bytes(random)))
    }

    /// Takes a caller's own id. A dot would make the signed text ambiguous, and anything but visible
    /// ASCII does not survive in a header.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let fits = (1..=Self::LONGEST).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.') {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("a message id is 1 to {} visible ASCII characters without a dot", Self::LONGEST))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::MessageId;

    #[test]
    fn a_new_id_is_one_that_parses() {
        let id = MessageId::new([0xab; 16]);
        assert_eq!(id.as_str(), "msg_abababababababababababababababab");
        assert_eq!(MessageId::parse(id.as_str()), Ok(id));
    }

    #[test]
    fn ids_that_cannot_be_signed_or_sent_are_refused() {
        for text in ["", "a.b", "a b", "a\r\nx: y", "ä", &"a".repeat(129)] {
            assert!(MessageId::parse(text).is_err(), "{text:?}");
        }
    }
}
