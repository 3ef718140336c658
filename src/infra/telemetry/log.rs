//! Logs: fixed messages with fields, to standard error, which leaves standard output to results.

use std::backtrace::Backtrace;
use std::io::IsTerminal as _;

use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::kernel::config::LogFormat;

pub(super) fn layer<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        // All spans around, since the outermost one has the request's id.
        LogFormat::Json => logs
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(true)
            .boxed(),
        LogFormat::Pretty => logs
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .boxed(),
    }
}

/// A panic comes into the log, with the span of the request that it happened in.
pub(super) fn hear_panics() {
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(panic = %panic, backtrace = %Backtrace::capture(), "panicked");
    }));
}
