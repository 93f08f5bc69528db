//! How personal data looks: e-mail addresses and phone numbers, alone and within a text. What becomes of a report that has
//! them, and of the log, is decided elsewhere.

use std::ops::Range;

/// An `@`, as it is, in a URL, and in JSON.
const ATS: [&str; 3] = ["@", "%40", "\\u0040"];
/// A `+` before a number, as it is and in a URL.
const PLUSES: [&str; 3] = ["+", "%2B", "%2b"];
/// Names whose value is a phone number, also without its country.
const PHONES: [&str; 6] = ["phone", "phone_number", "telephone", "tel", "mobile", "msisdn"];

/// Whether a text is an e-mail address or a phone number, or has one in it.
pub fn names_a_person(text: &str) -> bool {
    // Most texts have none of these, and need not be looked at more closely.
    let is_plain = !text.bytes().any(|byte| b"@+ %\\".contains(&byte));
    let has_domain = |place: Range<usize>| {
        let domain = text[place].trim_end_matches(['.', '-']).rsplit_once('.');
        domain.is_some_and(|(_, top)| top.len() > 1 && top.chars().all(char::is_alphabetic))
    };
    let has_one = || emails(text).any(has_domain) || phones(text).next().is_some();
    !is_plain && (is_email(text) || is_phone(text) || has_one())
}

/// Whether a text looks like an e-mail address.
pub fn is_email(text: &str) -> bool {
    text.trim().split_once('@').is_some_and(|(local, host)| {
        !local.is_empty()
            && !host.contains(['@', ' ', '/'])
            && host.split_once('.').is_some_and(|(_, top)| !top.is_empty())
    })
}

/// Whether a text looks like an international phone number. A `+` in a query is a space.
pub fn is_phone(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['+', ' ']) else { return false };
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    (8..=15).contains(&digits) && rest.bytes().all(|byte| byte.is_ascii_digit() || b" -()./".contains(&byte))
}

/// Whether the value under this name is a phone number.
pub fn is_phones(name: &str) -> bool {
    PHONES.iter().any(|phones| phones.eq_ignore_ascii_case(name))
}

/// Whether a text may be a number that is dialled. Its hash has more digits.
pub fn is_dialled(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (5..=15).contains(&digits) && text.bytes().all(|byte| byte.is_ascii_digit() || b" -()./+".contains(&byte))
}

/// Where e-mail addresses stand in a text, or what may be one.
pub fn emails(raw: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let is_local = |c: char| c.is_alphanumeric() || "._-+%'".contains(c);
    let is_host = |c: char| c.is_alphanumeric() || ".-%".contains(c);
    ATS.iter().flat_map(move |at| raw.match_indices(at)).filter_map(move |(start, at)| {
        let (before, after) = (&raw[..start], &raw[start + at.len()..]);
        let local = before.len() - before.trim_end_matches(is_local).len();
        let host = after.len() - after.trim_start_matches(is_host).len();
        (local > 0 && host > 0).then(|| start - local..start + at.len() + host)
    })
}

/// Where international phone numbers stand in a text.
pub fn phones(raw: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let is_of_number = |c: char| c.is_ascii_digit() || " -()./".contains(c);
    PLUSES.iter().flat_map(move |plus| raw.match_indices(plus)).filter_map(move |(start, plus)| {
        let after = &raw[start + plus.len()..];
        let number = &after[..after.len() - after.trim_start_matches(is_of_number).len()];
        let digits = number.bytes().filter(u8::is_ascii_digit).count();
        let stands_alone = !raw[..start].ends_with(|c: char| c.is_ascii_alphanumeric());
        ((8..=15).contains(&digits) && stands_alone)
            .then(|| start..start + plus.len() + number.trim_end().len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_found_within_a_text() {
        for text in [
            "jane@example.com",
            "Jane <jane@example.co.uk>",
            "ask jane@example.com, please",
            "jane%40example.com",
            "+49 151 12345678",
            " 4915112345678",
            "call +49 151 12345678.",
        ] {
            assert!(names_a_person(text), "{text}");
        }
        for text in ["", "A-1001", "2 @ 9.99", "a@", "@shop", "1 + 2", "x+12345678", "100 %", "a@b c.d"] {
            assert!(!names_a_person(text), "{text}");
        }
    }
}
