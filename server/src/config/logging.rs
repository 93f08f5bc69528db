//! How the log is written.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::ConfigError;

/// Starts the log on standard error: `TALLYBACK_LOG` says how much, `TALLYBACK_LOG_FORMAT` whether `text` or `json`.
pub fn start_logging() -> Result<(), ConfigError> {
    let wanted = std::env::var("TALLYBACK_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(&wanted)
        .map_err(|error| ConfigError::new("TALLYBACK_LOG", format!("`{wanted}` is not a filter: {error}")))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match std::env::var("TALLYBACK_LOG_FORMAT").as_deref() {
        Ok("json") => log.json().init(),
        Ok("text") | Err(_) => log.with_ansi(std::io::stderr().is_terminal()).init(),
        Ok(other) => {
            return Err(ConfigError::new(
                "TALLYBACK_LOG_FORMAT",
                format!("`{other}` is neither text nor json"),
            ));
        }
    }
    Ok(())
}
