//! Checks that a text is somewhere a visitor may be sent: an absolute web URL with a plain host.
//! Whether that host is allowed, and what macros mean, is decided by the callers.

use url::{Position, Url};

const MOST_BYTES: usize = 2048;

/// Tells why a landing page is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LandingError {
    /// It is too long.
    #[error("a landing page has at most 2048 bytes")]
    TooLong,
    /// It has a control character or white space.
    #[error("remove the control characters and write spaces as %20")]
    ControlOrSpace,
    /// It has a backslash.
    #[error("write slashes, not backslashes")]
    Backslash,
    /// It does not start with `https://` or `http://`.
    #[error("a landing page starts with https:// or http://")]
    NotHttp,
    /// It carries a user name or a password.
    #[error("leave out the user name and password")]
    Credentials,
    /// It has a macro before the path.
    #[error("macros may stand in the path, the query and the fragment only, not in the host")]
    MacroInHost,
    /// The host or the port is no such thing.
    #[error("write a host such as shop.example after https://")]
    NoHost,
    /// A brace has no partner.
    #[error("each {{ needs its }}; write other braces as %7B and %7D")]
    Braces,
    /// No macro has this name.
    #[error("there is no macro {{{name}}}{hint}", hint = hint(nearest))]
    UnknownMacro {
        /// The name as it was written.
        name: String,
        /// What was probably meant.
        nearest: Vec<&'static str>,
    },
}

fn hint(nearest: &[&str]) -> String {
    match nearest {
        [] => String::new(),
        names => format!("; did you mean {{{}}}?", names.join("} or {")),
    }
}

/// Checks a URL or a template and returns its scheme, host and port in normal form, as in `https://shop.example`.
pub(super) fn origin(text: &str) -> Result<String, LandingError> {
    if text.len() > MOST_BYTES {
        return Err(LandingError::TooLong);
    }
    if text.chars().any(|found| found.is_control() || found.is_whitespace()) {
        return Err(LandingError::ControlOrSpace);
    }
    if text.contains('\\') {
        return Err(LandingError::Backslash);
    }
    let (scheme, rest) = text.split_once("://").ok_or(LandingError::NotHttp)?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(LandingError::NotHttp);
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(LandingError::Credentials);
    }
    if authority.contains(['{', '}']) {
        return Err(LandingError::MacroInHost);
    }
    if authority.is_empty() {
        return Err(LandingError::NoHost);
    }
    let url = Url::parse(&format!("{scheme}://{authority}/")).map_err(|_| LandingError::NoHost)?;
    Ok(url[..Position::BeforePath].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_is_in_normal_form() {
        for (text, normal) in [
            ("HTTPS://Shop.Test/A?b#c", "https://shop.test"),
            ("https://shop.test:443", "https://shop.test"),
            ("http://shop.test:443?a@b", "http://shop.test:443"),
            ("http://127.1/", "http://127.0.0.1"),
            ("https://[::1]:8443/", "https://[::1]:8443"),
        ] {
            assert_eq!(origin(text).as_deref(), Ok(normal), "{text}");
        }
    }

    #[test]
    fn the_length_is_limited() {
        let long = format!("https://shop.test/{}", "x".repeat(MOST_BYTES));
        assert_eq!(origin(&long), Err(LandingError::TooLong));
        assert!(origin(&long[..MOST_BYTES]).is_ok());
    }
}
