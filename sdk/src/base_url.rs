//! Where the server is: checked once, when the client is built.

use std::net::IpAddr;

use reqwest::Url;

use crate::BuildError;

/// Holds a checked base URL and what follows from it.
#[derive(Debug, Clone)]
pub(crate) struct BaseUrl {
    url: Url,
}

impl BaseUrl {
    /// Takes an http or https URL without credentials, query and fragment; plain http to this machine only.
    pub(crate) fn parse(text: &str) -> Result<Self, BuildError> {
        let url = Url::parse(text).map_err(|error| {
            problem(format!("cannot be read ({error}); write it like https://track.example.com"))
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(problem("starts neither with https:// nor with http://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(problem("carries credentials; reports are signed, take them out"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(problem("carries a query or fragment; end it with the host or a path"));
        }
        let base = Self { url };
        if base.url.scheme() == "http" && !base.is_loopback() {
            return Err(BuildError::PlainHttp { host: base.host().to_owned() });
        }
        Ok(base)
    }

    /// Returns the address of an endpoint, below whatever path the base URL has.
    pub(crate) fn endpoint(&self, path: &[&str]) -> Url {
        let mut url = self.url.clone();
        url.path_segments_mut().expect("an http URL has a path").pop_if_empty().extend(path);
        url
    }

    /// Returns scheme, host and port, which errors may show.
    pub(crate) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Says whether the host is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.host();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match address {
            Ok(address) => address.is_loopback(),
            Err(_) => host == "localhost" || host.ends_with(".localhost"),
        }
    }

    fn host(&self) -> &str {
        self.url.host_str().expect("an http URL has a host")
    }
}

fn problem(problem: impl Into<String>) -> BuildError {
    BuildError::BaseUrl { problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::BaseUrl;
    use crate::BuildError;

    #[test]
    fn the_endpoint_lies_below_the_base_path() {
        for (base, endpoint) in [
            ("https://track.example.com", "https://track.example.com/v1/conversions"),
            ("https://track.example.com/", "https://track.example.com/v1/conversions"),
            ("https://example.com/track/", "https://example.com/track/v1/conversions"),
            ("https://example.com:8443/a/b", "https://example.com:8443/a/b/v1/conversions"),
        ] {
            let url = BaseUrl::parse(base).unwrap().endpoint(&["v1", "conversions"]);
            assert_eq!(url.as_str(), endpoint);
        }
    }

    #[test]
    fn urls_that_cannot_be_meant_are_refused_without_their_secrets() {
        for text in [
            "",
            "track.example.com",
            "ftp://track.example.com",
            "https://user:hush@track.example.com",
            "https://track.example.com?token=hush",
            "https://track.example.com/#hush",
        ] {
            let error = BaseUrl::parse(text).unwrap_err();
            assert!(matches!(error, BuildError::BaseUrl { .. }), "{text}");
            assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
        }
    }

    #[test]
    fn plain_http_reaches_this_machine_only() {
        for text in ["http://localhost:8080", "http://127.0.0.9", "http://[::1]:80", "http://api.localhost"] {
            assert!(BaseUrl::parse(text).is_ok(), "{text}");
        }
        for text in ["http://track.example.com", "http://10.0.0.1", "http://localhost.example.com"] {
            assert!(matches!(BaseUrl::parse(text), Err(BuildError::PlainHttp { .. })), "{text}");
        }
    }
}
