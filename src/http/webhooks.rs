//! Messages of payment gateways: read as bytes, verified, stored, and answered; what they mean is found out afterwards.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Router, routing};
use tracing::Instrument as _;

use super::accept::MediaType;
use super::{Peer, Shared, SharedState, auth, body, reply};
use crate::domain::context::Context;
use crate::domain::payments::inbox::{Received, named, receive};
use crate::infra::gateways::Message;
use crate::infra::telemetry::trace;
use crate::kernel::actor::{Actor, Origin};

/// What is below it has secrets in its address.
pub(super) const WEBHOOKS: &str = "/webhooks";

/// Gateways send some kilobytes.
const LONGEST: usize = 256 * 1024;

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route(&format!("{WEBHOOKS}/{{gateway}}"), routing::post(bare))
        .route(&format!("{WEBHOOKS}/{{gateway}}/{{*rest}}"), routing::post(below))
}

async fn bare(
    state: SharedState,
    peer: Option<Extension<Peer>>,
    Path(gateway): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    below(state, peer, Path((gateway, String::new())), headers, body).await
}

async fn below(
    State(shared): SharedState,
    peer: Option<Extension<Peer>>,
    Path((gateway, rest)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(name) = named(&gateway) else {
        return nobody();
    };
    let body = match body::read(&shared, &headers, body, LONGEST, MediaType::Json).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let origin = auth::origin(&shared, peer.map(|peer| peer.0), &headers);
    let platform = Arc::clone(shared.engine.platform());
    let message = Message {
        path: rest
            .split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect(),
        headers: text_headers(&headers),
        body,
        sender: origin.address,
        received_at: platform.clock.now(),
    };
    let ctx = Context::writing(Actor::System, Origin::default(), platform);
    let span = tracing::trace_span!(
        target: trace::TARGET,
        "webhook",
        otel.name = format_args!("hear {gateway}"),
    );
    match receive(&ctx, name, &message).instrument(span).await {
        Ok(Received::Stored(answer)) => {
            let json = HeaderValue::from_static("application/json");
            ([(header::CONTENT_TYPE, json)], answer).into_response()
        }
        Ok(Received::Nobody) => nobody(),
        Ok(Received::Forged(why)) => {
            tracing::warn!(gateway, why, "a message is not the gateway's");
            let message = "This message cannot be verified.";
            reply::refusal(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", message)
        }
        Ok(Received::Undecided(why)) => {
            tracing::warn!(gateway, why, "nobody can tell whether a message is the gateway's");
            later("This message cannot be verified now: send it again.")
        }
        Err(error) => {
            let error = format!("{:#}", anyhow::Error::from(error));
            tracing::error!(gateway, error, "a gateway's message could not be stored");
            later("This message could not be stored: send it again.")
        }
    }
}

fn text_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&header::HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}

fn nobody() -> Response {
    let message = "There is no such gateway here.";
    reply::refusal(StatusCode::NOT_FOUND, "BAD_USER_INPUT", message)
}

fn later(message: &str) -> Response {
    let mut response = reply::refusal(StatusCode::SERVICE_UNAVAILABLE, "INTERNAL", message);
    let pause = HeaderValue::from_static("60");
    response.headers_mut().insert(header::RETRY_AFTER, pause);
    response
}
