//! Which database: the text of `DATABASE_URL`, and the certificates that a connection is checked against.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::pki_types::{CertificateDer, pem::PemObject};

use super::{ConfigError, make_private_folder};

const NAME: &str = "DATABASE_URL (--database-url)";

/// The database to open. Its `Debug` shows no password.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres {
        /// Host, user, password and the rest.
        config: Box<tokio_postgres::Config>,
        /// How TLS is checked, when it is used.
        tls: Arc<rustls::ClientConfig>,
    },
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres { config, .. } => {
                write!(f, "postgres:{}", config.get_dbname().unwrap_or_default())
            }
        }
    }
}

impl DatabaseUrl {
    /// Reads a URL; without one it is a file in the data directory, which is made.
    pub fn parse(text: Option<&str>, data_dir: &Path, ca: Option<&Path>) -> Result<Self, ConfigError> {
        let text = text.filter(|text| !text.is_empty()).unwrap_or("sqlite:");
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return postgres(text, ca);
        }
        match text.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path)) {
            Some("") => {
                make_private_folder(data_dir).map_err(|error| {
                    let problem = format!("cannot make {}: {error}", data_dir.display());
                    ConfigError::new("TALLYBACK_DATA_DIR (--data-dir)", problem)
                })?;
                Ok(Self::Sqlite(data_dir.join("tallyback.db")))
            }
            Some(":memory:") => {
                Err(ConfigError::new(NAME, "a database in memory cannot keep anything; name a file"))
            }
            Some(path) => Ok(Self::Sqlite(path.into())),
            None => Err(ConfigError::new(NAME, "must start with sqlite: or postgres://")),
        }
    }
}

/// Certificates are always checked where TLS is used, so the two `verify-` modes mean `require` here.
fn postgres(text: &str, ca: Option<&Path>) -> Result<DatabaseUrl, ConfigError> {
    let text = text
        .replace("sslmode=verify-full", "sslmode=require")
        .replace("sslmode=verify-ca", "sslmode=require");
    let mut config: tokio_postgres::Config =
        text.parse().map_err(|error| ConfigError::new(NAME, format!("cannot be read: {error}")))?;
    if config.get_hosts().is_empty() {
        return Err(ConfigError::new(NAME, "names no host; write postgres://USER:PASSWORD@HOST/NAME"));
    }
    config.application_name("tallyback").connect_timeout(Duration::from_secs(5));
    notice_a_dead_peer(&mut config, &text);
    Ok(DatabaseUrl::Postgres { config: Box::new(config), tls: Arc::new(tls(ca)?) })
}

/// A server that is gone without a word should not keep our connections for hours; what the URL says counts more.
fn notice_a_dead_peer(config: &mut tokio_postgres::Config, text: &str) {
    if !text.contains("tcp_user_timeout") {
        config.tcp_user_timeout(Duration::from_secs(15));
    }
    if !text.contains("keepalives") {
        config.keepalives_idle(Duration::from_secs(30)).keepalives_interval(Duration::from_secs(5));
        config.keepalives_retries(3);
    }
}

fn tls(ca: Option<&Path>) -> Result<rustls::ClientConfig, ConfigError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca {
        let name = "TALLYBACK_POSTGRES_CA (--postgres-ca)";
        let fault = |error: String| ConfigError::new(name, format!("cannot use {}: {error}", path.display()));
        let before = roots.len();
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| fault(error.to_string()))? {
            let certificate = certificate.map_err(|error| fault(error.to_string()))?;
            roots.add(certificate).map_err(|error| fault(error.to_string()))?;
        }
        if roots.len() == before {
            return Err(fault("there is no certificate in it".to_owned()));
        }
    }
    Ok(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}
