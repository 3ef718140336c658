//! What the process counts and times, told to Prometheus.
//!
//! A metric is told apart by labels whose values are `'static`: what the program says, and never what somebody sent. So there
//! are no more series than the program has words, whatever strangers send.
//!
//! The recorder is one for the process, as what it counts is: of several instances in one process, as in tests, it counts all
//! together. Commands that neither serve nor work have none, and then nothing here costs more than a look at a flag.

mod list;

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Label};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::kernel::clock::{Clock as _, SystemClock};

pub use list::*;

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// How often what was timed is put into its buckets: until then each value takes its place in memory.
const UPKEEP: Duration = Duration::from_secs(5);

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    Gauge,
    /// Counted by these upper bounds.
    Histogram(&'static [f64]),
}

/// One metric, by the name that Prometheus knows it by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub meaning: &'static str,
}

/// Begins to count; a second call changes nothing.
pub fn start() {
    if is_on() {
        return;
    }
    RECORDER.get_or_init(install);
    STARTED.gauge([]).set(seconds_since_1970());
    BUILD.gauge([env!("CARGO_PKG_VERSION")]).set(1.0);
}

fn install() -> PrometheusHandle {
    let mut builder = PrometheusBuilder::new();
    for metric in METRICS {
        if let Kind::Histogram(bounds) = metric.kind {
            let matcher = Matcher::Full(metric.name.to_owned());
            builder = match builder.set_buckets_for_metric(matcher, bounds) {
                Ok(builder) => builder,
                // Refused only without bounds, and a test sees to it that there are some.
                Err(_) => PrometheusBuilder::new(),
            };
        }
    }
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    // Refused only where somebody has installed another one, which then has what is counted.
    let _ = metrics::set_global_recorder(recorder);
    for metric in METRICS {
        metric.describe();
    }
    handle
}

fn seconds_since_1970() -> f64 {
    u32::try_from(SystemClock.now().timestamp()).map_or(0.0, f64::from)
}

pub fn is_on() -> bool {
    RECORDER.get().is_some()
}

/// Everything that was counted, as Prometheus reads it.
pub fn render() -> String {
    RECORDER.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// Keeps what was timed small, also where nobody reads it; until it is dropped.
pub async fn upkeep() {
    loop {
        tokio::time::sleep(UPKEEP).await;
        if let Some(recorder) = RECORDER.get() {
            recorder.run_upkeep();
        }
    }
}

impl Metric {
    fn describe(&self) {
        match self.kind {
            Kind::Counter => metrics::describe_counter!(self.name, self.meaning),
            Kind::Gauge => metrics::describe_gauge!(self.name, self.meaning),
            Kind::Histogram(_) => metrics::describe_histogram!(self.name, self.meaning),
        }
    }

    fn labels<const N: usize>(&self, values: [&'static str; N]) -> Vec<Label> {
        self.labels
            .iter()
            .zip(values)
            .map(|(name, value)| Label::from_static_parts(name, value))
            .collect()
    }

    /// The counter with these values of its labels.
    pub fn counter<const N: usize>(&self, values: [&'static str; N]) -> Counter {
        metrics::counter!(self.name, self.labels(values))
    }

    pub fn gauge<const N: usize>(&self, values: [&'static str; N]) -> Gauge {
        metrics::gauge!(self.name, self.labels(values))
    }

    pub fn histogram<const N: usize>(&self, values: [&'static str; N]) -> Histogram {
        metrics::histogram!(self.name, self.labels(values))
    }

    /// Counts one up for as long as the answer is kept.
    pub fn hold(&self) -> Held {
        let gauge = self.gauge([]);
        gauge.increment(1.0);
        Held(gauge)
    }
}

/// One of what a gauge counts.
pub struct Held(Gauge);

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_unit_and_bounds_rise() {
        for metric in METRICS {
            assert!(metric.name.starts_with("souk_"), "{}", metric.name);
            let total = metric.name.ends_with("_total");
            assert_eq!(total, metric.kind == Kind::Counter, "{}", metric.name);
            if let Kind::Histogram(bounds) = metric.kind {
                assert!(!bounds.is_empty() && bounds.is_sorted(), "{}", metric.name);
            }
            assert!(metric.meaning.len() > 10, "{}", metric.name);
        }
        let mut names: Vec<_> = METRICS.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), METRICS.len());
    }

    #[test]
    fn what_is_held_is_counted() {
        start();
        let line = || {
            let text = render();
            let line = text
                .lines()
                .find(|line| line.starts_with("souk_http_event_streams "));
            line.unwrap().to_owned()
        };
        let held = EVENT_STREAMS.hold();
        assert_eq!(line(), "souk_http_event_streams 1");
        drop(held);
        assert_eq!(line(), "souk_http_event_streams 0");
    }
}
