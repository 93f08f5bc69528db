//! Crockford base32, lower case: the alphabet of ids, click ids and API keys.
//! What the bytes mean, and whether they are genuine, is not decided here.

/// Digits and lower-case letters without `i`, `l`, `o` and `u`.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What each character stands for; for most it is nothing.
const VALUES: [Option<u8>; 256] = {
    let mut values = [None; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        let character = ALPHABET[value];
        values[character as usize] = Some(value as u8);
        values[character.to_ascii_uppercase() as usize] = Some(value as u8);
        value += 1;
    }
    values
};

/// Writes bytes as lower-case base32, five bits per character, the unused trailing bits zero.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(text_length(bytes.len()));
    push(&mut text, bytes);
    text
}

/// Writes bytes behind what is there.
pub fn push(text: &mut String, bytes: &[u8]) {
    for five in bytes.chunks(5) {
        let characters = characters(five);
        let written = &characters[..text_length(five.len())];
        text.push_str(std::str::from_utf8(written).expect("the alphabet is ASCII"));
    }
}

/// Writes bytes into a place that is as long as their text.
pub fn write(place: &mut [u8], bytes: &[u8]) {
    for (part, five) in place.chunks_mut(8).zip(bytes.chunks(5)) {
        part.copy_from_slice(&characters(five)[..part.len()]);
    }
}

/// The characters of five bytes, or of fewer that zeros follow.
fn characters(five: &[u8]) -> [u8; 8] {
    let mut block = [0; 8];
    block[3..3 + five.len()].copy_from_slice(five);
    let block = u64::from_be_bytes(block);
    std::array::from_fn(|place| ALPHABET[(block >> (35 - 5 * place) & 31) as usize])
}

/// Reads exactly `N` bytes; case does not matter.
///
/// Stricter than Crockford's own reading: `i`, `l`, `o` are not taken for `1` and `0`, and unused trailing
/// bits must be zero. Apart from case, one value has one text, so an altered character is never overlooked.
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != text_length(N) {
        return None;
    }
    let mut bytes = [0; N];
    let (mut pending, mut bits, mut filled) = (0u32, 0u32, 0);
    for character in text.bytes() {
        pending = (pending << 5 | value(character)?) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes[filled] = (pending >> bits & 0xff) as u8;
            filled += 1;
        }
    }
    let unused = pending & ((1 << bits) - 1);
    (unused == 0).then_some(bytes)
}

const fn text_length(bytes: usize) -> usize {
    (bytes * 8).div_ceil(5)
}

fn value(character: u8) -> Option<u32> {
    VALUES[usize::from(character)].map(u32::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_values_are_written() {
        assert_eq!(encode(b""), "");
        assert_eq!(encode(&[0]), "00");
        assert_eq!(encode(&[0xff]), "zw");
        assert_eq!(encode(b"foobar"), "csqpyrk1e8");
        assert_eq!(encode(&[0xff; 16]), "z".repeat(25) + "w");
    }

    #[test]
    fn a_place_gets_the_same_text() {
        let mut place = [b'-'; 26];
        for bytes in [[0xff; 16], *b"sixteen bytes ..", [0; 16]] {
            write(&mut place, &bytes);
            assert_eq!(std::str::from_utf8(&place), Ok(encode(&bytes).as_str()));
        }
    }

    #[test]
    fn case_does_not_matter_but_aliases_are_refused() {
        assert_eq!(decode::<6>("CSQPYRK1E8"), Some(*b"foobar"));
        for alias in ["csqpyrkie8", "csqpyrkle8", "csqpyrkoe8", "csqpyrkue8", "csqpyrk-e8", "csqpyrk e8"] {
            assert_eq!(decode::<6>(alias), None, "{alias}");
        }
    }

    #[test]
    fn the_length_must_fit() {
        assert_eq!(decode::<6>("csqpyrk1e"), None);
        assert_eq!(decode::<6>("csqpyrk1e80"), None);
        assert_eq!(decode::<6>("csqpyrk1é"), None);
        assert_eq!(decode::<0>(""), Some([]));
    }

    #[test]
    fn unused_bits_must_be_zero() {
        assert_eq!(decode::<1>("zw"), Some([0xff]));
        for last in ["zx", "zy", "zz"] {
            assert_eq!(decode::<1>(last), None, "{last}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes: [u8; 16], longer: [u8; 21]) {
            prop_assert_eq!(decode::<16>(&encode(&bytes)), Some(bytes));
            prop_assert_eq!(decode::<21>(&encode(&longer)), Some(longer));
        }

        #[test]
        fn one_value_has_one_text(text in "[0-9a-z]{26}") {
            if let Some(bytes) = decode::<16>(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
