//! Ids of the platform's own records: UUIDv7 bytes, written with a prefix that names the kind.
//! Click ids have a scheme of their own, in `click_id`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::base32;
use super::text::ExternalId;
use super::time::Timestamp;

/// Starts the text of a reference to a record by the caller's own id.
const EXTERNAL_PREFIX: &str = "ext:";

/// How long the text of an id is: a prefix, and 26 characters.
const TEXT_BYTES: usize = 30;

/// The text of an id.
pub struct IdText([u8; TEXT_BYTES]);

impl IdText {
    /// As text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("prefixes and the alphabet are ASCII")
    }
}

/// What all ids have in common: 16 bytes of UUIDv7 (RFC 9562), a prefix, one text.
pub trait Id: Copy + Sized {
    /// Starts the text of each id of this kind, such as `adv_`.
    const PREFIX: &'static str;

    /// Names the kind with its article, for messages: `an advertiser id`.
    const NOUN: &'static str;

    /// Makes an id from stored bytes; any bytes are taken.
    fn from_bytes(bytes: [u8; 16]) -> Self;

    /// Returns the bytes as they are stored.
    fn bytes(&self) -> &[u8; 16];

    /// Returns its text.
    fn text(&self) -> IdText {
        let mut text = [0; TEXT_BYTES];
        let (prefix, rest) = text.split_at_mut(Self::PREFIX.len());
        prefix.copy_from_slice(Self::PREFIX.as_bytes());
        base32::write(rest, self.bytes());
        IdText(text)
    }

    /// Reads the prefix (exactly) and 26 characters of base32 (in either case).
    fn parse(text: &str) -> Option<Self> {
        text.strip_prefix(Self::PREFIX).and_then(base32::decode).map(Self::from_bytes)
    }

    /// Makes a new id: 48 bits of Unix milliseconds, version, variant and 74 of the random bits.
    fn new(now: Timestamp, random: [u8; 10]) -> Self {
        let millis = now.millis().max(0).to_be_bytes();
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&millis[2..]);
        bytes[6..].copy_from_slice(&random);
        bytes[6] = 0x70 | bytes[6] & 0x0f;
        bytes[8] = 0x80 | bytes[8] & 0x3f;
        Self::from_bytes(bytes)
    }

    /// Returns the time at which the id was made, in milliseconds.
    fn created_at(&self) -> Timestamp {
        let millis = self.bytes()[..6].iter().fold(0, |value, byte| value << 8 | i64::from(*byte));
        Timestamp::from_millis(millis)
    }
}

macro_rules! ids {
    ($($name:ident $prefix:literal $noun:literal,)+) => {$(
        #[doc = concat!("Identifies one record: ", $noun, ", written `", $prefix, "` and 26 characters.")]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl Id for $name {
            const PREFIX: &'static str = $prefix;
            const NOUN: &'static str = $noun;

            fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            fn bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.text().as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.text().as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| de::Error::custom(not_an_id::<Self>(&text)))
            }
        }
    )+};
}

ids! {
    PartnerId "prt_" "a partner id",
    UserId "usr_" "a user id",
    ApiKeyId "apk_" "an API key id",
    KeyId "key_" "a signing key id",
    AdvertiserId "adv_" "an advertiser id",
    PublisherId "pub_" "a publisher id",
    CampaignId "cmp_" "a campaign id",
    CreativeId "crt_" "a creative id",
    LinkId "lnk_" "a link id",
    GoalId "gol_" "a goal id",
    PostbackId "pbk_" "a postback id",
    ConversionId "cnv_" "a conversion id",
    AdjustmentId "adj_" "an adjustment id",
    AuditEventId "aud_" "an audit event id",
    RowId "row_" "an internal row id",
}

fn not_an_id<I: Id>(text: &str) -> String {
    let shown: String = text.chars().take(40).collect();
    format!("`{shown}` is not {}; it looks like {} followed by 26 characters", I::NOUN, I::PREFIX)
}

/// Names a record by the platform's id or by the caller's own (`ext:` and the external id).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference<I> {
    /// The platform's id.
    Id(I),
    /// The caller's own id, without the prefix `ext:`.
    External(String),
}

impl<I: Id> Reference<I> {
    /// Reads an id, or `ext:` and 1 to 128 bytes without control characters.
    ///
    /// # Errors
    /// A sentence for the caller that says what a reference looks like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(external) = text.strip_prefix(EXTERNAL_PREFIX) else {
            return I::parse(text)
                .map(Self::Id)
                .ok_or_else(|| not_an_id::<I>(text) + ", or ext: followed by your own id");
        };
        ExternalId::parse(external).map_err(|problem| format!("after ext:, {problem}"))?;
        Ok(Self::External(external.to_owned()))
    }
}

impl<I: fmt::Display> fmt::Display for Reference<I> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(formatter),
            Self::External(external) => write!(formatter, "{EXTERNAL_PREFIX}{external}"),
        }
    }
}

impl<I: fmt::Display> Serialize for Reference<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, I: Id> Deserialize<'de> for Reference<I> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_341_600_123);

    #[test]
    fn a_new_id_is_a_version_7_uuid() {
        let id = GoalId::new(NOW, [0xff; 10]);
        let uuid = uuid::Uuid::from_bytes(*id.bytes());
        assert_eq!(uuid.get_version_num(), 7);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(id.created_at(), NOW);
    }

    #[test]
    fn times_before_1970_do_not_overflow() {
        assert_eq!(GoalId::new(Timestamp::MIN, [0; 10]).created_at(), Timestamp::from_seconds(0));
    }

    #[test]
    fn the_text_names_the_kind() {
        let id = AdvertiserId::from_bytes([0; 16]);
        assert_eq!(id.to_string(), "adv_00000000000000000000000000");
        assert_eq!(format!("{id:?}"), id.to_string());
        assert_eq!(AdvertiserId::parse(&id.to_string()), Some(id));
        assert_eq!(AdvertiserId::parse("adv_00000000000000000000000001"), None, "unused bits");
    }

    #[test]
    fn another_kind_of_id_is_refused() {
        let text = PublisherId::new(NOW, [1; 10]).to_string();
        assert_eq!(AdvertiserId::parse(&text), None);
        for text in ["", "adv_", "adv_0000", "ADV_00000000000000000000000000", "00000000000000000000000000"] {
            assert_eq!(AdvertiserId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn json_is_the_text_and_errors_say_what_was_expected() {
        let id = AdvertiserId::new(NOW, [7; 10]);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{id}\""));
        assert_eq!(serde_json::from_str::<AdvertiserId>(&json).unwrap(), id);
        let error = serde_json::from_str::<AdvertiserId>("\"abc\"").unwrap_err().to_string();
        assert!(
            error.starts_with("`abc` is not an advertiser id; it looks like adv_ followed by 26 characters"),
            "{error}"
        );
    }

    #[test]
    fn a_reference_is_an_id_or_external() {
        let id = AdvertiserId::new(NOW, [7; 10]);
        assert_eq!(Reference::parse(&id.to_string()), Ok(Reference::Id(id)));
        let external = Reference::<AdvertiserId>::parse("ext:Shop 7").unwrap();
        assert_eq!(external, Reference::External("Shop 7".to_owned()));
        assert_eq!(external.to_string(), "ext:Shop 7");
        assert_eq!(serde_json::to_string(&external).unwrap(), "\"ext:Shop 7\"");
        assert_eq!(serde_json::from_str::<Reference<AdvertiserId>>("\"ext:Shop 7\"").unwrap(), external);
    }

    #[test]
    fn a_bad_reference_says_what_to_do() {
        let too_long = format!("ext:{}", "x".repeat(129));
        for (text, expected) in [
            ("abc", "is not an advertiser id; it looks like adv_"),
            ("ext:", "1 to 128 bytes"),
            (&too_long, "1 to 128 bytes"),
            ("ext:a\nb", "control characters"),
            ("ext:ext:a", "ext:"),
        ] {
            let error = Reference::<AdvertiserId>::parse(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        assert!(Reference::<AdvertiserId>::parse(&too_long[..132]).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes: [u8; 16]) {
            let id = ConversionId::from_bytes(bytes);
            prop_assert_eq!(ConversionId::parse(&id.to_string()), Some(id));
        }

        #[test]
        fn ids_sort_by_time(one in 0i64..1 << 47, two in 0i64..1 << 47, random: [u8; 10], other: [u8; 10]) {
            prop_assume!(one < two);
            let earlier = LinkId::new(Timestamp::from_millis(one), random);
            let later = LinkId::new(Timestamp::from_millis(two), other);
            prop_assert!(earlier < later);
            prop_assert!(earlier.to_string() < later.to_string());
        }
    }
}
