//! Click ids: self-contained, sortable by time, and verifiable without a look-up.
//! Whether a genuine id's click still exists is a question for the database, not for this module.

use std::fmt;

use aws_lc_rs::{constant_time, hmac};

use super::base32;
use super::ids::{Id as _, PartnerId};
use super::master_key::MasterKey;
use super::time::Timestamp;
use super::words::words;

/// The number of characters of a click id's text.
pub const TEXT_LENGTH: usize = 35;

const ID_BYTES: usize = 16;
const MAC_BYTES: usize = 5;

words! {
    /// What an id was minted for.
    Touch {
        /// A click.
        Click = "click",
        /// An impression.
        Impression = "impression",
    }
}

impl Touch {
    /// The usual one, which need not be written down.
    pub fn click() -> Self {
        Self::Click
    }

    /// Whether it is the usual one.
    pub fn is_click(&self) -> bool {
        *self == Self::Click
    }

    /// The version character that leads the text. It is under the MAC too: one cannot be turned into the other.
    const fn version(self) -> u8 {
        match self {
            Self::Click => b'1',
            Self::Impression => b'2',
        }
    }

    fn of_version(version: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|touch| touch.version() == version)
    }
}

/// The 32-bit number of a link, as click ids carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkNumber(pub u32);

/// The 16 bytes that identify a click or an impression: 48 bits of Unix milliseconds, the link's number,
/// 48 random bits, all big-endian. They are the row's primary key and sort by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClickId([u8; ID_BYTES]);

impl ClickId {
    /// Makes the id of a new click.
    pub fn mint(now: Timestamp, link: LinkNumber, random: [u8; 6]) -> Self {
        let millis = now.millis().max(0).to_be_bytes();
        let mut bytes = [0; ID_BYTES];
        bytes[..6].copy_from_slice(&millis[2..]);
        bytes[6..10].copy_from_slice(&link.0.to_be_bytes());
        bytes[10..].copy_from_slice(&random);
        Self(bytes)
    }

    /// Makes an id from stored bytes.
    pub const fn from_bytes(bytes: [u8; ID_BYTES]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes as they are stored.
    pub const fn bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }

    /// Returns the time of the click, in milliseconds.
    pub fn minted_at(&self) -> Timestamp {
        let millis = self.0[..6].iter().fold(0, |value, byte| value << 8 | i64::from(*byte));
        Timestamp::from_millis(millis)
    }

    /// Returns a number by chance: always the same for one id.
    pub fn number_by_chance(&self) -> u32 {
        let [.., a, b, c, d] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Returns the number of the link that was clicked.
    pub fn link(&self) -> LinkNumber {
        LinkNumber(self.0[6..10].iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }
}

/// Shows the bytes without the MAC: not a text that anyone could post.
impl fmt::Debug for ClickId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ClickId({})", base32::encode(&self.0))
    }
}

/// Tells why a text is not one of a partner's click ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClickIdError {
    /// The shape is wrong: cut, padded, or with a character that no click id has.
    Malformed {
        /// How many characters arrived.
        received: usize,
    },
    /// The shape is right, and yet no click of this partner has it: altered, invented, or another partner's.
    NotGenuine,
}

impl fmt::Display for ClickIdError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { received: TEXT_LENGTH } => {
                formatter.write_str("a click id has only letters a to z and digits")
            }
            Self::Malformed { received } if *received > TEXT_LENGTH => {
                write!(formatter, "received {received} characters instead of {TEXT_LENGTH}")
            }
            Self::Malformed { received } => {
                write!(formatter, "received {received} of {TEXT_LENGTH} characters")
            }
            Self::NotGenuine => formatter.write_str("no such click"),
        }
    }
}

impl std::error::Error for ClickIdError {}

/// One partner's key for writing and reading click ids.
#[derive(Clone)]
pub struct ClickIdKey(hmac::Key);

impl ClickIdKey {
    /// Derives the key of one partner.
    pub fn derive(master: &MasterKey, partner: PartnerId) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &master.derive("click id", partner.bytes())))
    }

    /// Writes the text of a click's id: a version character, then base32 of the id and its MAC.
    pub fn text(&self, id: &ClickId) -> String {
        self.text_of(Touch::Click, id)
    }

    /// The same for what the id was minted for.
    pub fn text_of(&self, touch: Touch, id: &ClickId) -> String {
        let mut content = [0; ID_BYTES + MAC_BYTES];
        content[..ID_BYTES].copy_from_slice(&id.0);
        content[ID_BYTES..].copy_from_slice(&self.mac(touch, id));
        let mut text = String::with_capacity(TEXT_LENGTH);
        text.push(char::from(touch.version()));
        base32::push(&mut text, &content);
        text
    }

    /// Reads the text of a click's or an impression's id, in either case.
    ///
    /// # Errors
    /// [`ClickIdError::Malformed`] by shape alone; [`ClickIdError::NotGenuine`] for everything else, always
    /// after computing a MAC, so that the three reasons for it cannot be told apart by their time either.
    pub fn read(&self, text: &str) -> Result<(Touch, ClickId), ClickIdError> {
        let received = text.chars().count();
        if received != TEXT_LENGTH || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(ClickIdError::Malformed { received });
        }
        let content = base32::decode::<{ ID_BYTES + MAC_BYTES }>(&text[1..]);
        let touch = Touch::of_version(text.as_bytes()[0]);
        let readable = content.is_some() && touch.is_some();
        let touch = touch.unwrap_or(Touch::Click);
        let (id, mac) = split(&content.unwrap_or([0; ID_BYTES + MAC_BYTES]));
        let equal = constant_time::verify_slices_are_equal(&self.mac(touch, &id), &mac).is_ok();
        if readable && equal { Ok((touch, id)) } else { Err(ClickIdError::NotGenuine) }
    }

    /// Reads the text of an id that was minted for one of the two alone; the other's is not genuine.
    ///
    /// # Errors
    /// As [`ClickIdKey::read`].
    pub fn read_of(&self, touch: Touch, text: &str) -> Result<ClickId, ClickIdError> {
        let (found, id) = self.read(text)?;
        if found == touch { Ok(id) } else { Err(ClickIdError::NotGenuine) }
    }

    fn mac(&self, touch: Touch, id: &ClickId) -> [u8; MAC_BYTES] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&[touch.version()]);
        context.update(&id.0);
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(&context.sign().as_ref()[..MAC_BYTES]);
        mac
    }
}

fn split(content: &[u8; ID_BYTES + MAC_BYTES]) -> (ClickId, [u8; MAC_BYTES]) {
    let (mut id, mut mac) = ([0; ID_BYTES], [0; MAC_BYTES]);
    id.copy_from_slice(&content[..ID_BYTES]);
    mac.copy_from_slice(&content[ID_BYTES..]);
    (ClickId(id), mac)
}

impl fmt::Debug for ClickIdKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClickIdKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_341_600_123);

    fn key_of(partner: u8) -> ClickIdKey {
        ClickIdKey::derive(&MasterKey::from_bytes([7; 32]), PartnerId::from_bytes([partner; 16]))
    }

    fn click() -> ClickId {
        ClickId::mint(NOW, LinkNumber(0xdead_beef), [1, 2, 3, 4, 5, 6])
    }

    #[test]
    fn an_id_carries_its_time_and_its_link() {
        assert_eq!(click().minted_at(), NOW);
        assert_eq!(click().link(), LinkNumber(0xdead_beef));
        assert_eq!(ClickId::from_bytes(*click().bytes()), click());
        let text = key_of(1).text(&click());
        assert!(text.starts_with('1') && text.len() == TEXT_LENGTH);
        assert!(text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
    }

    #[test]
    fn the_bytes_are_big_endian() {
        let id = ClickId::mint(Timestamp::from_millis(0x0102_0304_0506), LinkNumber(0x0708_090a), [11; 6]);
        assert_eq!(id.bytes(), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11, 11, 11, 11, 11]);
        assert_eq!(ClickId::mint(Timestamp::MIN, LinkNumber(0), [0; 6]).bytes(), &[0; 16]);
    }

    #[test]
    fn upper_case_reads() {
        let text = key_of(1).text(&click());
        assert_eq!(key_of(1).read(&text), Ok((Touch::Click, click())));
        assert_eq!(key_of(1).read(&text.to_uppercase()), Ok((Touch::Click, click())));
    }

    #[test]
    fn another_partners_id_is_not_genuine() {
        assert_eq!(key_of(2).read(&key_of(1).text(&click())), Err(ClickIdError::NotGenuine));
    }

    #[test]
    fn a_cut_or_padded_id_is_malformed() {
        let text = key_of(1).text(&click());
        for length in 0..TEXT_LENGTH {
            assert_eq!(key_of(1).read(&text[..length]), Err(ClickIdError::Malformed { received: length }));
        }
        for padded in [format!("{text} "), format!("0{text}"), format!("{text}{text}"), format!("{text}%")] {
            let received = padded.len();
            assert_eq!(key_of(1).read(&padded), Err(ClickIdError::Malformed { received }));
        }
    }

    #[test]
    fn an_impressions_id_is_told_from_a_clicks() {
        let (key, shown) = (key_of(1), key_of(1).text_of(Touch::Impression, &click()));
        assert!(shown.starts_with('2') && shown.len() == TEXT_LENGTH);
        assert_eq!(key.read(&shown), Ok((Touch::Impression, click())));
        assert_eq!(key.read_of(Touch::Click, &shown), Err(ClickIdError::NotGenuine));
        assert_eq!(key.read(&shown.replacen('2', "1", 1)), Err(ClickIdError::NotGenuine));
    }

    #[test]
    fn each_altered_character_is_noticed() {
        let (key, text) = (key_of(1), key_of(1).text(&click()));
        for position in 0..TEXT_LENGTH {
            for other in ('0'..='9').chain('a'..='z').chain('A'..='Z') {
                let mut altered = text.clone();
                altered.replace_range(position..=position, &other.to_string());
                let same = altered.eq_ignore_ascii_case(&text);
                let expected = if same { Ok((Touch::Click, click())) } else { Err(ClickIdError::NotGenuine) };
                assert_eq!(key.read(&altered), expected, "{altered}");
            }
        }
    }

    #[test]
    fn malformed_ids_say_what_arrived() {
        let text = key_of(1).text(&click());
        let said = |text: &str| key_of(1).read(text).unwrap_err().to_string();
        assert_eq!(said(&text[..15]), "received 15 of 35 characters");
        assert_eq!(said(""), "received 0 of 35 characters");
        assert_eq!(said(&format!("{text}xx")), "received 37 characters instead of 35");
        assert_eq!(said(&text.replacen('1', "{", 1)), "a click id has only letters a to z and digits");
        assert_eq!(said(&"é".repeat(35)), "a click id has only letters a to z and digits");
        assert_eq!(said(&"z".repeat(35)), "no such click");
    }

    #[test]
    fn the_text_does_not_change_between_releases() {
        assert_eq!(key_of(1).text(&click()), "106h05cp5fffavfqf041061050s5rt3gzsr");
    }

    #[test]
    fn debug_shows_neither_key_nor_mac() {
        assert_eq!(format!("{:?}", key_of(1)), "ClickIdKey(redacted)");
        assert!(!key_of(1).text(&click()).contains(&format!("{:?}", click())));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(millis in 0i64..1 << 47, link: u32, random: [u8; 6]) {
            let id = ClickId::mint(Timestamp::from_millis(millis), LinkNumber(link), random);
            prop_assert_eq!(id.minted_at(), Timestamp::from_millis(millis));
            prop_assert_eq!(key_of(1).read(&key_of(1).text(&id)), Ok((Touch::Click, id)));
        }

        #[test]
        fn ids_and_their_texts_sort_by_time(one in 0i64..1 << 47, two in 0i64..1 << 47, links: [u32; 2]) {
            prop_assume!(one < two);
            let earlier = ClickId::mint(Timestamp::from_millis(one), LinkNumber(links[0]), [0xff; 6]);
            let later = ClickId::mint(Timestamp::from_millis(two), LinkNumber(links[1]), [0; 6]);
            prop_assert!(earlier < later);
            prop_assert!(key_of(1).text(&earlier) < key_of(1).text(&later));
        }

        #[test]
        fn invented_ids_are_not_genuine(text in "1[0-9a-hjkmnp-tv-z]{34}") {
            prop_assert_eq!(key_of(1).read(&text), Err(ClickIdError::NotGenuine));
        }

        #[test]
        fn reading_never_panics(text in "\\PC{0,60}") {
            prop_assert!(key_of(1).read(&text).is_err());
        }
    }
}
