//! HTTPS: a certificate that can be read again while the server runs.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::config::{ConfigError, TlsConfig};

/// The certificate that new handshakes get.
#[derive(Debug)]
pub struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads the files for the first time.
    pub fn open(config: &TlsConfig) -> Result<Arc<Self>, ConfigError> {
        let current = RwLock::new(load(&config.cert, &config.key)?);
        Ok(Arc::new(Self { cert: config.cert.clone(), key: config.key.clone(), current }))
    }

    /// Reads the files again. If they cannot be used, the old certificate stays.
    pub fn reload(&self) -> Result<(), ConfigError> {
        let fresh = load(&self.cert, &self.key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// The configuration of a listener; actix adds the protocols h2 and http/1.1 itself.
    pub fn server_config(self: &Arc<Self>) -> ServerConfig {
        ServerConfig::builder().with_no_client_auth().with_cert_resolver(self.clone())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn load(cert: &Path, key: &Path) -> Result<Arc<CertifiedKey>, ConfigError> {
    let cert_fault = |error: String| {
        ConfigError::new("TALLYBACK_TLS_CERT (--tls-cert)", format!("cannot use {}: {error}", cert.display()))
    };
    let key_fault = |error: String| {
        ConfigError::new("TALLYBACK_TLS_KEY (--tls-key)", format!("cannot use {}: {error}", key.display()))
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|error| cert_fault(error.to_string()))?;
    if chain.is_empty() {
        return Err(cert_fault("there is no certificate in it".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| key_fault(error.to_string()))?;
    let certified = CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider());
    certified.map(Arc::new).map_err(|error| key_fault(error.to_string()))
}
