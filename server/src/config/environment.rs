//! The names that the environment may hold.

use super::ConfigError;

/// Every variable of ours.
const KNOWN: &[&str] = &[
    "TALLYBACK_DATA_DIR",
    "TALLYBACK_GEO_DATABASE",
    "TALLYBACK_LISTEN",
    "TALLYBACK_LOG",
    "TALLYBACK_LOG_FORMAT",
    "TALLYBACK_MASTER_KEY",
    "TALLYBACK_MASTER_KEY_FILE",
    "TALLYBACK_METRICS",
    "TALLYBACK_POSTGRES_CA",
    "TALLYBACK_PUBLIC_URL",
    "TALLYBACK_REPORTS_PER_MINUTE",
    "TALLYBACK_SPOOL",
    "TALLYBACK_SPOOL_LIMIT",
    "TALLYBACK_TLS_CERT",
    "TALLYBACK_TLS_KEY",
    "TALLYBACK_TLS_LISTEN",
    "TALLYBACK_TRUSTED_PROXIES",
    "TALLYBACK_WORKERS",
];

/// Variables of the SDK's programs, which may run beside the server.
const OF_THE_SDK: &[&str] = &[
    "TALLYBACK_URL",
    "TALLYBACK_KEY_ID",
    "TALLYBACK_SIGNING_SECRET",
    "TALLYBACK_CLICK_ID",
    "TALLYBACK_ROOT_CERTIFICATE",
];

/// Refuses a variable that looks like ours and is not: a setting that silently does nothing.
pub fn check_names() -> Result<(), ConfigError> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    match names
        .into_iter()
        .find(|name| name.starts_with("TALLYBACK_") && ![KNOWN, OF_THE_SDK].concat().contains(&name.as_str()))
    {
        Some(name) => {
            Err(ConfigError::new(name, format!("there is no such setting; there are {}", KNOWN.join(", "))))
        }
        None => Ok(()),
    }
}

/// The master key, when the environment holds it.
pub(super) fn master_key() -> Option<String> {
    std::env::var("TALLYBACK_MASTER_KEY").ok().filter(|text| !text.is_empty())
}
