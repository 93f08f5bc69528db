//! Small parsed texts of the management interface: names, external ids, event names, parameter names.
//! Each keeps exactly what was given or refuses it; nothing is trimmed or folded.

use std::fmt;

pub use super::nearest::nearest;

/// Defines a text that is valid by construction.
macro_rules! texts {
    ($($(#[$docs:meta])+ $name:ident $check:ident)+) => {$(
        $(#[$docs])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            ///
            /// # Errors
            /// A sentence for the caller that says what to do.
            pub fn parse(text: &str) -> Result<Self, String> {
                $check(text)?;
                Ok(Self(text.to_owned()))
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    )+};
}

texts! {
    /// What people call a record: 1 to 200 characters on one line, in any script.
    Name check_name
    /// The caller's own id of a record: 1 to 128 bytes, without the prefix `ext:` that references put before it.
    ExternalId check_external_id
    /// The event name of a goal, compared byte for byte: 1 to 100 bytes.
    EventName check_event_name
    /// The query parameter that carries the click id to a landing page: 1 to 32 of `A-Za-z0-9_.-`.
    ParameterName check_parameter_name
}

fn check_name(text: &str) -> Result<(), String> {
    check_characters(text)?;
    check_edges(text)?;
    if text.chars().any(reorders) {
        return Err("remove the characters that change the direction of writing".to_owned());
    }
    if !(1..=200).contains(&text.chars().count()) {
        return Err("use 1 to 200 characters".to_owned());
    }
    Ok(())
}

fn check_external_id(text: &str) -> Result<(), String> {
    if text.starts_with("ext:") {
        return Err("leave out the prefix ext:".to_owned());
    }
    check_characters(text)?;
    check_bytes(text, 128)
}

fn check_event_name(text: &str) -> Result<(), String> {
    check_characters(text)?;
    check_edges(text)?;
    check_bytes(text, 100)
}

fn check_parameter_name(text: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if !(1..=32).contains(&text.len()) || !text.bytes().all(allowed) {
        return Err("use 1 to 32 of the characters A-Z, a-z, 0-9, _, . and -".to_owned());
    }
    Ok(())
}

fn check_characters(text: &str) -> Result<(), String> {
    let breaks = |found: char| found.is_control() || matches!(found, '\u{2028}' | '\u{2029}');
    if text.chars().any(breaks) {
        return Err("remove the control characters and line breaks".to_owned());
    }
    Ok(())
}

fn check_edges(text: &str) -> Result<(), String> {
    if text.trim() != text {
        return Err("remove the white space at the start and the end".to_owned());
    }
    Ok(())
}

fn check_bytes(text: &str, most: usize) -> Result<(), String> {
    if !(1..=most).contains(&text.len()) {
        return Err(format!("use 1 to {most} bytes"));
    }
    Ok(())
}

/// Says whether a character is a bidirectional embedding, override or isolate (Unicode UAX #9), with which
/// one name can be made to look like another. The plain marks, which real names need, are not.
fn reorders(found: char) -> bool {
    matches!(found, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_in_any_script() {
        for text in ["A", "Acme & Söhne", "עסק בע\u{200f}\"מ", "店 🛍️", &"ü".repeat(200)] {
            assert_eq!(Name::parse(text).unwrap().as_str(), text);
        }
        for (text, expected) in [
            ("", "1 to 200"),
            (&*"x".repeat(201), "1 to 200"),
            (" Acme", "white space"),
            ("Acme\u{a0}", "white space"),
            ("   ", "white space"),
            ("Ac\nme", "control"),
            ("Ac\0me", "control"),
            ("Ac\u{2028}me", "line breaks"),
            ("evil\u{202e}txt", "direction"),
            ("evil\u{2066}txt", "direction"),
        ] {
            assert!(Name::parse(text).unwrap_err().contains(expected), "{text:?}");
        }
    }

    #[test]
    fn an_external_id_is_opaque() {
        for text in ["7", "Shop 7 / EU", " 7", "😀", &"x".repeat(128)] {
            assert_eq!(ExternalId::parse(text).unwrap().to_string(), text);
        }
        for text in ["", &*"x".repeat(129), &*"é".repeat(65), "a\tb", "a\u{7f}", "ext:7"] {
            assert!(ExternalId::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_event_name_is_kept_byte_for_byte() {
        for text in ["sale", "Sale", "Cafe\u{301}", "Café", "add to cart", &"x".repeat(100)] {
            assert_eq!(EventName::parse(text).unwrap().as_str().as_bytes(), text.as_bytes());
        }
        for text in ["", &*"x".repeat(101), " sale", "sale\n", "sa\0le", "sale\u{3000}"] {
            assert!(EventName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_parameter_name_needs_no_encoding() {
        for text in ["kcid", "click.id", "Click_ID-2", &"x".repeat(32)] {
            assert_eq!(ParameterName::parse(text).unwrap().as_str(), text);
        }
        for text in ["", &*"x".repeat(33), "a b", "a=b", "a&b", "ä", "a[]", "a%20"] {
            assert!(ParameterName::parse(text).is_err(), "{text:?}");
        }
    }
}
