//! Traces: where the time of a request goes, from its head to the statements and the gateways that it asked.
//!
//! Spans of traces are told apart from those of the log by their target, and nobody but the layer here wants them: without it
//! the macro that makes one is a look at a number. No span has variables, and none has the values of a statement.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::{
    Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use url::Url;

use crate::kernel::clock::{Clock as _, SystemClock};

/// The target of all spans that are sent, and of nothing else.
pub const TARGET: &str = "souk::trace";

/// How long the process waits at its end until what it has is sent.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A list of a thousand placeholders tells no more than its beginning.
const LONGEST_STATEMENT: usize = 2000;

struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

static TRACES: OnceLock<Traces> = OnceLock::new();

/// What sends spans to the collector at this address, from a thread of its own and in batches. A collector that is down costs
/// nothing but the spans. How many of the traces are kept says `OTEL_TRACES_SAMPLER`, which the library reads.
///
/// # Errors
/// TLS cannot be set up.
pub(super) fn layer<S>(address: &Url) -> anyhow::Result<impl Layer<S>>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    // For TLS to the collector. Refused only when it has been installed before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", address.as_str().trim_end_matches('/')))
        .build()?;
    let provider = SdkTracerProvider::builder()
        .with_resource(resource())
        .with_batch_exporter(exporter)
        .build();
    let tracer = provider.tracer("souk");
    let traces = TRACES.get_or_init(|| Traces { provider, tracer });
    Ok(tracing_opentelemetry::layer()
        .with_tracer(traces.tracer.clone())
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(|metadata| {
            metadata.is_span() && metadata.target() == TARGET
        })))
}

/// Who we are, as `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let told = Resource::builder().build();
    let name = told.get(&"service.name".into()).map(|name| name.to_string());
    let builder = Resource::builder().with_attribute(version);
    match name {
        Some(name) if !name.starts_with("unknown_service") => builder.build(),
        Some(_) | None => builder.with_service_name("souk").build(),
    }
}

pub(super) fn end() {
    if let Some(traces) = TRACES.get()
        && let Err(error) = traces.provider.shutdown_with_timeout(LAST_WORDS)
    {
        tracing::warn!(error = %error, "the last traces were not sent");
    }
}

pub fn is_on() -> bool {
    TRACES.get().is_some()
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct HeadersToSend<'a>(&'a mut HeaderMap);

impl Injector for HeadersToSend<'_> {
    fn set(&mut self, name: &str, value: String) {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(&value),
        ) {
            self.0.insert(name, value);
        }
    }
}

/// Makes a span, not yet entered, part of the trace that the caller's `traceparent` tells of. Its trace's id, for the log.
pub fn continues(span: &Span, headers: &HeaderMap) -> Option<String> {
    if !is_on() {
        return None;
    }
    let context = TraceContextPropagator::new().extract(&Headers(headers));
    // Refused only to a span that nobody wants.
    let _ = span.set_parent(context);
    let context = span.context();
    let told = context.span().span_context().clone();
    told.is_valid().then(|| told.trace_id().to_string())
}

/// Tells whom we ask which trace it is for.
pub fn tell(headers: &mut HeaderMap) {
    if is_on() {
        TraceContextPropagator::new().inject_context(&Span::current().context(), &mut HeadersToSend(headers));
    }
}

/// Marks a span as one that went wrong.
pub fn failed(span: &Span) {
    if is_on() {
        span.set_status(Status::error(""));
    }
}

/// A statement that the database has just answered, as part of whatever is under way; what nobody asked for is not told.
/// `sql` has placeholders where the values are.
pub fn statement(system: &'static str, sql: &str, elapsed: Duration, has_failed: bool) {
    let Some(Traces { tracer, .. }) = TRACES.get() else {
        return;
    };
    let context = Span::current().context();
    if !context.span().span_context().is_sampled() {
        return;
    }
    let end = SystemTime::from(SystemClock.now());
    let verb = sql.split_whitespace().next().unwrap_or("SQL");
    let text = sql
        .get(..sql.floor_char_boundary(LONGEST_STATEMENT))
        .unwrap_or_default();
    let mut span = tracer
        .span_builder(Cow::Owned(verb.to_owned()))
        .with_kind(SpanKind::Client)
        .with_start_time(end.checked_sub(elapsed).unwrap_or(end))
        .with_attributes([
            KeyValue::new("db.system.name", system),
            KeyValue::new("db.operation.name", verb.to_owned()),
            KeyValue::new("db.query.text", text.to_owned()),
        ])
        .start_with_context(tracer, &context);
    if has_failed {
        span.set_status(Status::error(""));
    }
    span.end_with_timestamp(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_read_and_told_as_w3c_says() {
        let line = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static("traceparent"),
            HeaderValue::from_static(line),
        )]);
        let propagator = TraceContextPropagator::new();
        let context = propagator.extract(&Headers(&headers));
        let mut told = HeaderMap::new();
        propagator.inject_context(&context, &mut HeadersToSend(&mut told));
        assert_eq!(told["traceparent"], line);
        let mut none = HeaderMap::new();
        propagator.inject_context(&opentelemetry::Context::new(), &mut HeadersToSend(&mut none));
        assert!(!none.contains_key("traceparent"));
    }

    #[test]
    fn nothing_is_told_where_nobody_listens() {
        let mut headers = HeaderMap::new();
        tell(&mut headers);
        assert!(headers.is_empty() && !is_on());
    }
}
