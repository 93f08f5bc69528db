//! The settings of a client, checked all at once by `build`.

use std::time::Duration;

use reqwest::Certificate;
use reqwest::header::HeaderValue;

use crate::base_url::BaseUrl;
use crate::causes::with_causes;
use crate::client::Settings;
use crate::signing::SigningKey;
use crate::{BuildError, Client};

/// Collects the settings of a [`Client`]. Its `Debug` shows neither key id nor secret.
#[must_use = "nothing is built before `build` is called"]
#[derive(Clone)]
pub struct ClientBuilder {
    base_url: String,
    key_id: String,
    signing_secret: String,
    root_certificates: Vec<Vec<u8>>,
    timeout: Duration,
    retries: u32,
}

impl ClientBuilder {
    pub(crate) fn new(base_url: String) -> Self {
        Self {
            base_url,
            key_id: String::new(),
            signing_secret: String::new(),
            root_certificates: Vec::new(),
            timeout: Duration::from_secs(10),
            retries: 2,
        }
    }

    /// Sets the id of the signing key, which is sent with every report.
    pub fn key_id(mut self, id: impl Into<String>) -> Self {
        self.key_id = id.into();
        self
    }

    /// Sets the secret of the signing key (`whsec_...`), which never leaves this process.
    pub fn signing_secret(mut self, secret: impl Into<String>) -> Self {
        self.signing_secret = secret.into();
        self
    }

    /// Trusts a private certificate authority beside the system's: one or more certificates in PEM. May be
    /// called several times.
    pub fn root_certificate_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.root_certificates.push(pem.as_ref().to_vec());
        self
    }

    /// Sets how long one attempt may take, from connecting to the last byte of the answer. 10 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many more attempts follow a first one that failed. 2 by default.
    ///
    /// A report may so take up to `(retries + 1) * timeout` and the waits between, each of which is a
    /// back-off of at most 5 s plus what the server asks for, at most 30 s.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Checks the settings and builds the client. Connects to nothing yet.
    pub fn build(self) -> Result<Client, BuildError> {
        let base_url = BaseUrl::parse(&self.base_url)?;
        let key_id = self.checked_key_id()?;
        let signing_key = SigningKey::parse(&self.signing_secret)
            .map_err(|problem| BuildError::SigningSecret { problem: problem.to_owned() })?;
        let http = self.http_client(&base_url)?;
        Ok(Client::new(Settings { http, base_url, key_id, signing_key, retries: self.retries }))
    }

    fn checked_key_id(&self) -> Result<HeaderValue, BuildError> {
        let problem = if self.key_id.is_empty() {
            "is missing; set the id that was shown when the key was created"
        } else if self.key_id.starts_with("whsec_") {
            "is a signing secret; set the id that was shown beside it"
        } else if !self.key_id.bytes().all(|byte| byte.is_ascii_graphic()) {
            "has characters that no key id has, such as a space or a line end; trim it"
        } else {
            let mut value = HeaderValue::from_str(&self.key_id).expect("visible ASCII makes a header");
            value.set_sensitive(true);
            return Ok(value);
        };
        Err(BuildError::KeyId { problem: problem.to_owned() })
    }

    fn http_client(&self, base_url: &BaseUrl) -> Result<reqwest::Client, BuildError> {
        if self.timeout.is_zero() {
            let problem = "is zero, no server can answer in no time; 10 s is the default".to_owned();
            return Err(BuildError::Timeout { problem });
        }
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("tallyback-rust/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(self.timeout)
            .tls_certs_merge(self.certificates()?);
        if base_url.is_loopback() {
            http = http.no_proxy();
        }
        http.build().map_err(|error| BuildError::Tls { problem: with_causes(&error) })
    }

    fn certificates(&self) -> Result<Vec<Certificate>, BuildError> {
        let mut certificates = Vec::new();
        for pem in &self.root_certificates {
            let bundle = Certificate::from_pem_bundle(pem).unwrap_or_default();
            if bundle.is_empty() {
                let problem = "holds no certificate in PEM (-----BEGIN CERTIFICATE-----)".to_owned();
                return Err(BuildError::RootCertificate { problem });
            }
            certificates.extend(bundle);
        }
        Ok(certificates)
    }
}

impl std::fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("timeout", &self.timeout)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::ClientBuilder;
    use crate::{BuildError, Client};

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    fn complete() -> ClientBuilder {
        Client::builder("https://track.example.com/base").key_id("key_hush").signing_secret(SECRET)
    }

    #[test]
    fn debug_shows_neither_key_nor_secret() {
        let shown = format!("{:?} {:?}", complete(), complete().build().unwrap());
        assert!(shown.contains("https://track.example.com"), "{shown}");
        assert!(!shown.contains("hush") && !shown.contains("C2FVsBQI"), "{shown}");
    }

    #[test]
    fn a_client_can_be_shared() {
        fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
        shared(&complete().build().unwrap());
    }

    #[test]
    fn each_wrong_setting_is_named_and_not_repeated() {
        let wrong = [
            (complete().key_id(""), "key id: "),
            (complete().key_id(SECRET), "key id: "),
            (complete().key_id("key_hush\n"), "key id: "),
            (complete().signing_secret(""), "signing secret: "),
            (complete().signing_secret("key_hush"), "signing secret: "),
            (complete().root_certificate_pem("hush"), "root certificate: "),
            (complete().timeout(Duration::ZERO), "timeout: "),
            (Client::builder("http://track.example.com"), "base URL: "),
        ];
        for (builder, start) in wrong {
            let error = builder.build().unwrap_err();
            assert!(error.to_string().starts_with(start), "{error}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hush") && !shown.contains("C2FVsBQI"), "{shown}");
        }
    }

    #[test]
    fn plain_http_to_another_machine_says_what_to_do() {
        let error = Client::builder("http://10.0.0.1").build().unwrap_err();
        assert_eq!(error, BuildError::PlainHttp { host: "10.0.0.1".to_owned() });
        assert!(error.to_string().contains("use https"), "{error}");
    }
}
