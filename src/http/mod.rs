//! The front door: requests over HTTP, WebSockets and server-sent events, each checked before anything is executed for it.

mod accept;
mod address;
mod auth;
mod back;
mod body;
mod cached;
mod compression;
mod cookies;
mod crowd;
mod graphiql;
mod graphql;
mod health;
mod json;
mod keys;
mod layers;
mod lean;
mod preflight;
mod reply;
mod scrape;
pub mod server;
mod socket;
mod sse;
mod test_gateway;
pub mod tls;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::context::Platform;
use crate::graphql::engine::Engine;
use crate::kernel::config::{Environment, HttpConfig, LimitsConfig};

/// What every handler may need.
#[derive(Debug)]
pub struct Shared {
    pub engine: Arc<Engine>,
    pub config: HttpConfig,
    pub environment: Environment,
    pub lifecycle: Lifecycle,
    pub looked: Looked,
    pub turns: Turns,
    /// Sockets and streams.
    pub crowd: Crowd,
    pub lean: Arc<Lean>,
}

impl Shared {
    fn limits(&self) -> &LimitsConfig {
        self.engine.limits()
    }

    fn platform(&self) -> &Platform {
        self.engine.platform()
    }
}

pub use address::Peer;
pub use body::Turns;
pub use crowd::Crowd;
pub use lean::{Front, Lean};
pub use scrape::Looked;

type SharedState = axum::extract::State<Arc<Shared>>;

/// How far the process is on its way out.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    /// A signal to stop has come: no longer ready.
    pub stopping: CancellationToken,
    /// Sockets are to say goodbye.
    pub closing: CancellationToken,
    /// Work that outlives its request: sockets, and streams of events.
    pub tasks: TaskTracker,
}

/// All addresses, and in front of them the lean way to what was answered before.
pub fn front(shared: Arc<Shared>) -> Front {
    let lean = Arc::clone(&shared.lean);
    Front::new(layers::framed(router(shared)), lean)
}

/// All addresses, behind all layers.
pub fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new()
        .route("/graphql", get(graphql::get).post(graphql::post))
        .route("/graphql/ws", get(socket::open))
        .route("/.well-known/jwks.json", get(keys::public))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready));
    if shared.environment == Environment::Development {
        router = router.route("/", get(|| async { Redirect::temporary("/graphiql") }));
    }
    let router = router
        .merge(graphiql::router())
        .merge(test_gateway::router(&shared))
        .merge(back::router())
        .merge(webhooks::router())
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method);
    layers::around(router, &shared)
        .route("/metrics", get(scrape::metrics))
        .with_state(shared)
}

async fn nothing_here() -> Response {
    reply::refusal(
        StatusCode::NOT_FOUND,
        "BAD_USER_INPUT",
        "There is nothing at this address. The API is at /graphql.",
    )
}

/// Which methods there are is said in `Allow`; the one that was asked for may be of any length.
async fn wrong_method() -> Response {
    reply::refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        "BAD_USER_INPUT",
        "This address does not answer this method; see the Allow header for those it does.",
    )
}
