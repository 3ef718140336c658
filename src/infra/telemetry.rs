//! Logs: fixed messages with fields, to standard error, which leaves standard output to results.

use std::backtrace::Backtrace;
use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::kernel::config::{LogConfig, LogFormat};

/// Starts logging for the process; a second call changes nothing.
///
/// # Errors
/// The filter is not understood.
pub fn start(config: &LogConfig) -> anyhow::Result<()> {
    // What a pool meets while the database is away, it tells for each connection and attempt; we tell it once.
    let filter = EnvFilter::try_new(format!("sqlx_core::pool=off,{}", config.filter))
        .map_err(|error| anyhow::anyhow!("SOUK_LOG: {:?} is not a log filter: {error}", config.filter))?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Json => logs.json().flatten_event(true).with_span_list(false).try_init(),
        LogFormat::Pretty => logs
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging had been started already");
        return Ok(());
    }
    // In the log, with the span of the request that it happened in.
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(panic = %panic, backtrace = %Backtrace::capture(), "panicked");
    }));
    Ok(())
}
