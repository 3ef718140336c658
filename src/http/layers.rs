//! What happens to every request, whatever it asks for: a name, a line in the log, a net below it, and the
//! headers that keep browsers from guessing.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use futures_util::FutureExt as _;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument as _;
use url::Url;
use uuid::Uuid;

use super::{Shared, SharedState, compression, cookies, preflight, reply, webhooks};
use crate::domain::payments::hand::RETURN;
use crate::infra::gateways::test;
use crate::infra::metric::HTTP_REQUESTS;
use crate::infra::telemetry::trace;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");
const MAX_REQUEST_ID: usize = 128;

/// How long a browser may remember what it was told about origins.
const PREFLIGHT_AGE: Duration = Duration::from_secs(600);

pub(super) fn around(router: Router<Arc<Shared>>, shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    let router = router.layer(compression::layer());
    let router = match cors(&shared.config.cors_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.layer(middleware::from_fn_with_state(Arc::clone(shared), observe))
}

/// None when no other origin is allowed: then a browser's question is answered with 405.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    if origins.is_empty() {
        return None;
    }
    let headers = preflight::HEADERS
        .into_iter()
        .map(HeaderName::from_static)
        .chain([header::CONTENT_TYPE, REQUEST_ID, cookies::WISH]);
    Some(
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(headers.collect::<Vec<_>>())
            // For the cookie of the refresh token, and to these origins only.
            .allow_credentials(true)
            .expose_headers([REQUEST_ID, header::ETAG, header::RETRY_AFTER])
            .max_age(PREFLIGHT_AGE),
    )
}

/// For requests that come over a network: refuses, as early as hyper refuses what is no HTTP at all, those
/// that do not say for which host they are, or say it twice. What stands before us may have read the other.
pub(super) fn framed(router: Router) -> Router {
    router.layer(middleware::from_fn(one_host))
}

async fn one_host(request: Request, next: Next) -> Response {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let sound = match (hosts.next(), hosts.next()) {
        (Some(host), None) => is_host(host),
        (None, _) => request.version() < Version::HTTP_11,
        (Some(_), Some(_)) => false,
    };
    if sound {
        return next.run(request).await;
    }
    let message = "A request needs one Host header with the name it was sent to.";
    reply::refusal(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", message)
}

/// Empty where the address of the request has no host.
pub(super) fn is_host(value: &HeaderValue) -> bool {
    let is_name = |text: &str| text.is_empty() || (!text.contains('@') && text.parse::<Authority>().is_ok());
    value.to_str().is_ok_and(is_name)
}

async fn observe(State(shared): SharedState, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let id = request_id(&request);
    // The path and not the address: its parameters may hold names and e-mail addresses.
    let path = shown(request.uri().path());
    let (method, route) = (request.method().clone(), route(path));
    let traced = tracing::trace_span!(
        target: trace::TARGET,
        "HTTP",
        otel.name = format_args!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method.as_str(),
        http.route = route,
        url.path = path,
        http.response.status_code = tracing::field::Empty,
    );
    let trace_id = trace::continues(&traced, request.headers());
    let span = tracing::info_span!("request", id, %method, path, trace_id);
    let mut response = async {
        let response = AssertUnwindSafe(next.run(request))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| reply::failed());
        let took = start.elapsed();
        HTTP_REQUESTS
            .histogram([route, class(response.status())])
            .record(took);
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(status = response.status().as_u16(), millis, "answered");
        response
    }
    .instrument(span)
    .instrument(traced.clone())
    .await;
    traced.record("http.response.status_code", i64::from(response.status().as_u16()));
    if response.status().is_server_error() {
        trace::failed(&traced);
    }
    let response_ends = response.status() != StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        // Nobody's page embeds an answer as a script or an image; pages that may read it ask for it in another way.
        (RESOURCE_POLICY, "same-origin"),
        (
            PERMISSIONS,
            "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ] {
        // A page of ours brings its own policy.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if shared.lifecycle.stopping.is_cancelled() && response_ends {
        // The client sends its next request to another instance, and not into a connection that is being closed.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if is_strict(&shared.config.public_url) {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    response
}

/// Whether browsers are to insist on TLS from now on; on a developer's machine they would for all that is ever served there.
fn is_strict(public_url: &Url) -> bool {
    public_url.scheme() == "https" && public_url.host_str() != Some("localhost")
}

/// Addresses below these have secrets, which are known to gateways and buyers alone.
const SECRETS: [&str; 3] = [webhooks::WEBHOOKS, RETURN, test::PAGE];

/// A path without the secrets that some addresses have. What looks like one of them, however it is written, is not shown:
/// a proxy may have changed it, and then it is answered with 404. Nor is what may be an e-mail address, of which ours have none.
fn shown(path: &str) -> &str {
    for open in [webhooks::WEBHOOKS, RETURN] {
        if let Some(name) = path.strip_prefix(open).and_then(|rest| rest.strip_prefix('/')) {
            let name = name.split('/').next().unwrap_or_default();
            return path.get(..open.len() + 1 + name.len()).unwrap_or(open);
        }
    }
    if path.starts_with(test::PAGE) {
        return test::PAGE;
    }
    let plain = path.to_ascii_lowercase().replace("%2f", "/");
    let hidden = SECRETS
        .iter()
        .any(|open| plain.contains(open.trim_start_matches('/')));
    if hidden || plain.contains(['%', '@']) {
        "(not shown)"
    } else {
        path
    }
}

/// The addresses that there are, without what is below some of them: in metrics and traces, which must not grow with what
/// strangers ask for.
const ROUTES: [&str; 7] = [
    "/graphql",
    "/graphql/ws",
    "/graphiql",
    "/health/live",
    "/health/ready",
    "/.well-known/jwks.json",
    "/",
];

fn route(path: &str) -> &'static str {
    let exact = ROUTES.into_iter().find(|route| *route == path);
    let below = || {
        let opens = |open: &&&str| {
            path.strip_prefix(**open)
                .is_some_and(|rest| rest.starts_with(['/', '-']) || rest.is_empty())
        };
        SECRETS.iter().find(opens).copied()
    };
    exact.or_else(below).unwrap_or("other")
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        ..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    }
}

/// The client's own name for the request where it is a sane one, so that its log and ours tell the
/// same story.
fn request_id(request: &Request) -> String {
    request
        .headers()
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(|id| is_sane(id))
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

pub(super) fn is_sane(id: &str) -> bool {
    (1..=MAX_REQUEST_ID).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;
    use crate::domain::context::Platform;
    use crate::graphql::engine::Engine;
    use crate::graphql::schema;
    use crate::http::{Crowd, Lean, Lifecycle, Looked, Turns};
    use crate::infra::db::Db;
    use crate::kernel::clock::SystemClock;
    use crate::kernel::config::{Config, Source};

    async fn shared(folder: &std::path::Path) -> Arc<Shared> {
        let url = format!("sqlite://{}", folder.join("souk.db").display());
        let source = Source::read([("DATABASE_URL".to_owned(), url)], folder).unwrap();
        let config = Config::from_source(&source).unwrap();
        let db = Db::connect(&config.database).await.unwrap();
        let clock = Arc::new(SystemClock);
        let platform = Arc::new(Platform::new(db, clock, &config).unwrap());
        let schema = schema::build(&config.limits, true);
        Arc::new(Shared {
            engine: Arc::new(Engine::new(schema, platform, config.limits, false)),
            config: config.http,
            environment: config.environment,
            lifecycle: Lifecycle::default(),
            looked: Looked::default(),
            turns: Turns::default(),
            crowd: Crowd::new(1, &[]),
            lean: Arc::new(Lean::new(&config.cache, &Lifecycle::default())),
        })
    }

    #[test]
    fn routes_are_our_own_words() {
        for (path, expected) in [
            ("/graphql", "/graphql"),
            ("/graphql/ws", "/graphql/ws"),
            ("/graphql/xx", "other"),
            ("/webhooks/mpesa", webhooks::WEBHOOKS),
            ("/payments/return/payment_1", RETURN),
            (test::PAGE, test::PAGE),
            ("/wp-login.php", "other"),
            ("(not shown)", "other"),
        ] {
            assert_eq!(route(path), expected, "{path}");
        }
    }

    #[test]
    fn secrets_in_addresses_are_not_shown() {
        for (path, expected) in [
            ("/graphql", "/graphql"),
            ("/webhooks/stripe", "/webhooks/stripe"),
            ("/webhooks/mpesa/a-secret/a-token", "/webhooks/mpesa"),
            (
                "/payments/return/payment_1/a-secret",
                "/payments/return/payment_1",
            ),
            ("/test-gateway/a-token", "/test-gateway"),
            ("//webhooks/mpesa/a-secret/a-token", "(not shown)"),
            ("/Webhooks/mpesa/a-secret/a-token", "(not shown)"),
            ("/webhooks%2Fmpesa%2Fa-secret", "(not shown)"),
            ("/shop/payments/return/payment_1/a-secret", "(not shown)"),
            ("/%77ebhooks/mpesa/a-secret", "(not shown)"),
            ("/reset/ann@example.com", "(not shown)"),
            ("/reset/ann%40example.com", "(not shown)"),
            ("/wp-login.php", "/wp-login.php"),
        ] {
            assert_eq!(shown(path), expected);
        }
    }

    async fn panics() {
        panic!("for the test")
    }

    #[tokio::test]
    async fn a_panic_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let shared = shared(folder.path()).await;
        let router = around(Router::new().route("/", get(panics)), &shared).with_state(shared);
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(response.headers().contains_key(REQUEST_ID));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(b"{\"errors\":[{\"message\":"), "{body:?}");
        assert!(!String::from_utf8_lossy(&body).contains("for the test"));
    }
}
