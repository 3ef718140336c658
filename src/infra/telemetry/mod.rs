//! What is told of the process while it runs: a log for people, and traces for those who look for where time goes.

pub mod log;
pub mod trace;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};
use url::Url;

use crate::kernel::config::LogConfig;

/// Starts logging for the process, and traces where there is somebody to send them to; a second call changes nothing.
///
/// # Errors
/// The filter is not understood, or traces cannot be sent at all.
pub fn start(config: &LogConfig, traces: Option<&Url>) -> anyhow::Result<()> {
    // What a pool meets while the database is away, it tells for each connection and attempt; we tell it once.
    let filter = EnvFilter::try_new(format!("sqlx_core::pool=off,{}", config.filter))
        .map_err(|error| anyhow::anyhow!("SOUK_LOG: {:?} is not a log filter: {error}", config.filter))?;
    let started = match traces {
        // Without a second layer nothing is ever asked twice whether it is wanted.
        None => tracing_subscriber::registry()
            .with(filter)
            .with(log::layer(config.format))
            .try_init(),
        Some(address) => tracing_subscriber::registry()
            .with(trace::layer(address)?)
            .with(log::layer(config.format).with_filter(filter))
            .try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging had been started already");
        return Ok(());
    }
    log::hear_panics();
    Ok(())
}

/// Sends what has not been sent yet; what takes too long is lost.
pub fn end() {
    trace::end();
}
