//! Whether the process is up, and whether it should be sent requests.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::SharedState;
use crate::infra::db::schema::SchemaState;

/// A load balancer asks often and waits briefly.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn live() -> Response {
    report(StatusCode::OK, json!({"status": "ok"}))
}

pub(super) async fn ready(State(shared): SharedState) -> Response {
    let (database, migrations) =
        match tokio::time::timeout(PATIENCE, SchemaState::read(&shared.engine.platform().db)).await {
            Ok(Ok(state)) => ("ok", if state.is_current() { "ok" } else { "not current" }),
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "the database does not answer");
                ("unreachable", "unknown")
            }
            Err(_) => ("too slow", "unknown"),
        };
    let stopping = shared.lifecycle.stopping.is_cancelled();
    let ready = database == "ok" && migrations == "ok" && !stopping;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let word = match (ready, stopping) {
        (true, _) => "ok",
        (false, true) => "stopping",
        (false, false) => "not ready",
    };
    report(
        status,
        json!({"status": word, "checks": {"database": database, "migrations": migrations}}),
    )
}

fn report(status: StatusCode, body: Value) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
