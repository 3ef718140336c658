//! `/.well-known/jwks.json`: the keys by which other services verify our access tokens themselves.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use super::{SharedState, reply};

/// A service that meets a key that it does not know asks again anyhow.
const CACHING: &str = "public, max-age=300";

pub(super) async fn public(State(shared): SharedState) -> Response {
    let written = shared
        .platform()
        .tokens
        .public_keys()
        .and_then(|keys| Ok(serde_json::to_vec(&keys)?));
    match written {
        Ok(body) => {
            let headers = [
                (header::CONTENT_TYPE, "application/jwk-set+json"),
                (header::CACHE_CONTROL, CACHING),
            ];
            (headers, body).into_response()
        }
        Err(error) => {
            tracing::error!(error = %error, "the public keys cannot be written");
            reply::failed()
        }
    }
}
