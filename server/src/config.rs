//! The only reader of the environment: settings as flags or variables, parsed once, with one sentence for each fault.
//! Flags come first, then the environment, then defaults.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use ipnet::IpNet;

use crate::domain::master_key::MasterKey;

mod database_url;
mod environment;
pub mod limits;
mod logging;
mod master_key;
pub use database_url::DatabaseUrl;
pub use environment::check_names;
pub use limits::Limits;
pub use logging::start_logging;

/// A spool that is smaller would hardly hold a report.
const SMALLEST_SPOOL_BYTES: u64 = 16 << 10;

/// A setting that cannot be used: its name, and one sentence.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct ConfigError {
    /// The setting's variable and flag.
    pub name: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl ConfigError {
    /// A fault of the named setting.
    pub fn new(name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { name: name.into(), problem: problem.into() }
    }
}

/// Settings of everything that opens the database.
#[derive(Args, Clone, Debug)]
pub struct DatabaseArgs {
    /// sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME [default: sqlite: in the data directory]
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Folder for the database file and the master key; made if it is missing, for its owner only
    #[arg(long, env = "TALLYBACK_DATA_DIR", value_name = "PATH", default_value = "tallyback-data")]
    pub data_dir: PathBuf,
    /// The master key itself, base64 of 32 bytes (variable only, so that no process list shows it)
    #[arg(skip)]
    pub master_key: Option<String>,
    /// File that holds the master key [default: master.key in the data directory, made at first start]
    #[arg(long, env = "TALLYBACK_MASTER_KEY_FILE", value_name = "PATH")]
    pub master_key_file: Option<PathBuf>,
    /// PEM file of the authority that signed PostgreSQL's certificate, beside the system's
    #[arg(long, env = "TALLYBACK_POSTGRES_CA", value_name = "PATH")]
    pub postgres_ca: Option<PathBuf>,
}

/// Where the spool is.
#[derive(Args, Clone, Debug)]
pub struct SpoolArgs {
    /// File in which clicks and postbacks wait while the database is away [default: spool.db in the data directory]
    #[arg(long, env = "TALLYBACK_SPOOL", value_name = "PATH")]
    pub spool: Option<PathBuf>,
}

impl SpoolArgs {
    /// The file.
    pub fn path(&self, data_dir: &Path) -> PathBuf {
        self.spool.clone().unwrap_or_else(|| data_dir.join("spool.db"))
    }
}

/// Settings of the server.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Where the database is.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Address for plain HTTP, or `off`
    #[arg(long, env = "TALLYBACK_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// Address for HTTPS
    #[arg(long, env = "TALLYBACK_TLS_LISTEN", value_name = "ADDRESS")]
    pub tls_listen: Option<String>,
    /// PEM file of the certificate chain; read again on SIGHUP
    #[arg(long, env = "TALLYBACK_TLS_CERT", value_name = "PATH")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file of the certificate's private key; read again on SIGHUP
    #[arg(long, env = "TALLYBACK_TLS_KEY", value_name = "PATH")]
    pub tls_key: Option<PathBuf>,
    /// What tracking links start with, such as https://track.example.com [default: the address listened on]
    #[arg(long, env = "TALLYBACK_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Networks of the proxies whose X-Forwarded-For and X-Forwarded-Proto are believed, comma-separated
    #[arg(long, env = "TALLYBACK_TRUSTED_PROXIES", value_name = "CIDR,...", default_value = "")]
    pub trusted_proxies: String,
    /// MMDB file with countries, and perhaps regions, such as GeoLite2-City.mmdb; read again when it changes
    #[arg(long, env = "TALLYBACK_GEO_DATABASE", value_name = "PATH")]
    pub geo_database: Option<PathBuf>,
    /// MMDB file with providers, such as GeoIP2-ISP.mmdb or GeoLite2-ASN.mmdb
    #[arg(long, env = "TALLYBACK_ISP_DATABASE", value_name = "PATH")]
    pub isp_database: Option<PathBuf>,
    /// Address for metrics, at /metrics, in Prometheus's format: for the operator's network only
    #[arg(long, env = "TALLYBACK_METRICS", value_name = "ADDRESS")]
    pub metrics: Option<String>,
    /// The spool's file.
    #[command(flatten)]
    pub spool: SpoolArgs,
    /// How much that file may hold, such as 64KiB, 256MiB or 2GiB
    #[arg(long, env = "TALLYBACK_SPOOL_LIMIT", value_name = "SIZE", default_value = "256MiB")]
    pub spool_limit: String,
    /// Most reports of conversions that are taken from a partner in a minute [default: as many as come]
    #[arg(long, env = "TALLYBACK_REPORTS_PER_MINUTE", value_name = "N")]
    pub reports_per_minute: Option<String>,
    /// Number of worker threads [default: the number of processors]
    #[arg(long, env = "TALLYBACK_WORKERS", value_name = "N")]
    pub workers: Option<String>,
}

/// The server's configuration, ready to use.
#[derive(Clone, Debug)]
pub struct Config {
    /// The database.
    pub database: DatabaseUrl,
    /// The master key.
    pub master_key: Arc<MasterKey>,
    /// Address for plain HTTP.
    pub listen: Option<SocketAddr>,
    /// HTTPS.
    pub tls: Option<TlsConfig>,
    /// What tracking links start with; without a slash at the end.
    pub public_url: Option<String>,
    /// Proxies that are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Database of countries and regions.
    pub geo_database: Option<PathBuf>,
    /// Database of providers.
    pub isp_database: Option<PathBuf>,
    /// Address for metrics.
    pub metrics: Option<SocketAddr>,
    /// Where clicks and postbacks wait while the database is away.
    pub spool: SpoolConfig,
    /// Worker threads.
    pub workers: Option<usize>,
    /// What is taken from clients.
    pub limits: Limits,
}

/// The spool's file.
#[derive(Clone, Debug)]
pub struct SpoolConfig {
    /// Where it is. What is known of the set-up is kept beside it.
    pub path: PathBuf,
    /// How many bytes it may hold.
    pub limit_bytes: u64,
}

/// Where HTTPS is served, and with what.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// The address.
    pub listen: SocketAddr,
    /// The certificate chain.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl DatabaseArgs {
    /// Reads what only the environment may hold.
    pub fn with_environment(mut self) -> Self {
        self.master_key = environment::master_key();
        self
    }

    /// The database.
    pub fn database(&self) -> Result<DatabaseUrl, ConfigError> {
        DatabaseUrl::parse(self.database_url.as_deref(), &self.data_dir, self.postgres_ca.as_deref())
    }

    /// The master key: from the environment, or from its file, which is made when it is missing.
    pub fn master_key(&self) -> Result<MasterKey, ConfigError> {
        match &self.master_key {
            Some(text) => master_key::parse("TALLYBACK_MASTER_KEY", text),
            None => master_key::read_or_make(self.master_key_file.as_deref(), &self.data_dir),
        }
    }
}

impl ServeArgs {
    /// Checks every setting.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let config = Config {
            listen: self.listen()?,
            tls: self.tls()?,
            public_url: self.public_url.as_deref().map(public_url).transpose()?,
            trusted_proxies: trusted_proxies(&self.trusted_proxies)?,
            geo_database: self.geo_database.clone(),
            isp_database: self.isp_database.clone(),
            metrics: self
                .metrics
                .as_deref()
                .map(|text| address("TALLYBACK_METRICS (--metrics)", text))
                .transpose()?,
            workers: self.workers.as_deref().map(workers).transpose()?,
            limits: Limits { reports_per_minute: self.reports_per_minute()?, ..Limits::default() },
            database: self.database.database()?,
            master_key: Arc::new(self.database.master_key()?),
            spool: self.spool()?,
        };
        if config.listen.is_none() && config.tls.is_none() {
            return Err(ConfigError::new("TALLYBACK_LISTEN (--listen)", "`off` needs TALLYBACK_TLS_LISTEN"));
        }
        Ok(config)
    }

    fn reports_per_minute(&self) -> Result<Option<u64>, ConfigError> {
        let Some(text) = &self.reports_per_minute else { return Ok(None) };
        let number = text.parse().ok().filter(|number| *number > 0);
        number.map(Some).ok_or_else(|| {
            let problem = format!("`{text}` is not a number from 1");
            ConfigError::new("TALLYBACK_REPORTS_PER_MINUTE (--reports-per-minute)", problem)
        })
    }

    fn listen(&self) -> Result<Option<SocketAddr>, ConfigError> {
        match self.listen.as_str() {
            "off" => Ok(None),
            text => address("TALLYBACK_LISTEN (--listen)", text).map(Some),
        }
    }

    /// The default folder is made; a file that is named lies in a folder that is there.
    fn spool(&self) -> Result<SpoolConfig, ConfigError> {
        let limit_bytes = size("TALLYBACK_SPOOL_LIMIT (--spool-limit)", &self.spool_limit)?;
        let path = self.spool.path(&self.database.data_dir);
        if self.spool.spool.is_none() {
            make_private_folder(&self.database.data_dir).map_err(|error| {
                let problem = format!("cannot make {}: {error}", self.database.data_dir.display());
                ConfigError::new("TALLYBACK_DATA_DIR (--data-dir)", problem)
            })?;
        }
        Ok(SpoolConfig { path, limit_bytes })
    }

    fn tls(&self) -> Result<Option<TlsConfig>, ConfigError> {
        let name = "TALLYBACK_TLS_LISTEN (--tls-listen)";
        match (&self.tls_listen, &self.tls_cert, &self.tls_key) {
            (None, None, None) => Ok(None),
            (Some(listen), Some(cert), Some(key)) => {
                Ok(Some(TlsConfig { listen: address(name, listen)?, cert: cert.clone(), key: key.clone() }))
            }
            _ => Err(ConfigError::new(
                name,
                "HTTPS needs all three of TALLYBACK_TLS_LISTEN, TALLYBACK_TLS_CERT and TALLYBACK_TLS_KEY",
            )),
        }
    }
}

fn address(name: &str, text: &str) -> Result<SocketAddr, ConfigError> {
    text.parse().map_err(|_| {
        ConfigError::new(
            name,
            format!("`{text}` is not an address and port such as 127.0.0.1:8080 or [::]:8443"),
        )
    })
}

fn workers(text: &str) -> Result<usize, ConfigError> {
    let count = text.parse().ok().filter(|count| (1..=1024).contains(count));
    count.ok_or_else(|| {
        ConfigError::new("TALLYBACK_WORKERS (--workers)", format!("`{text}` is not a number from 1 to 1024"))
    })
}

/// Reads a number of bytes, at least 16 KiB.
fn size(name: &str, text: &str) -> Result<u64, ConfigError> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1_u64 << 30)];
    let unit = units.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let bytes = unit.and_then(|(number, bytes)| number.parse::<u64>().ok()?.checked_mul(bytes));
    bytes.filter(|bytes| *bytes >= SMALLEST_SPOOL_BYTES).ok_or_else(|| {
        ConfigError::new(name, format!("`{text}` is not a size of at least 16KiB, such as 64KiB or 256MiB"))
    })
}

fn public_url(text: &str) -> Result<String, ConfigError> {
    let url = url::Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.path() == "/"
            && url.query().is_none()
    });
    url.map(|url| url.as_str().trim_end_matches('/').to_owned()).ok_or_else(|| {
        let problem = format!("`{text}` is not a scheme and host such as https://track.example.com");
        ConfigError::new("TALLYBACK_PUBLIC_URL (--public-url)", problem)
    })
}

fn trusted_proxies(text: &str) -> Result<Vec<IpNet>, ConfigError> {
    let networks = text.split(',').map(str::trim).filter(|network| !network.is_empty());
    networks
        .map(|network| {
            network.parse().or_else(|_| network.parse().map(|ip: std::net::IpAddr| ip.into())).map_err(|_| {
                let problem = format!("`{network}` is not a network such as 10.0.0.0/8 or 192.0.2.7");
                ConfigError::new("TALLYBACK_TRUSTED_PROXIES (--trusted-proxies)", problem)
            })
        })
        .collect()
}

/// Makes a folder that only its owner can enter.
fn make_private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if path.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
