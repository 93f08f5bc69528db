//! How the log is written.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::ConfigError;

/// What we say ourselves, and warnings of the libraries.
const USUAL: &str = "warn,tallyback_server=info";

/// Starts the log on standard error: `TALLYBACK_LOG` says how much, `TALLYBACK_LOG_FORMAT` whether `text` or `json`.
pub fn start_logging() -> Result<(), ConfigError> {
    let wanted = std::env::var("TALLYBACK_LOG").unwrap_or_else(|_| USUAL.to_owned());
    let filter = EnvFilter::try_new(&wanted)
        .map_err(|error| ConfigError::new("TALLYBACK_LOG", format!("`{wanted}` is not a filter: {error}")))?;
    if let Some(word) =
        wanted.split(',').find(|part| !part.contains('=') && part.trim().parse::<LevelFilter>().is_err())
    {
        let problem = format!("`{word}` is neither off, error, warn, info, debug, trace nor `module=level`");
        return Err(ConfigError::new("TALLYBACK_LOG", problem));
    }
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
