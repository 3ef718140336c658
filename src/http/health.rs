//! Whether the process is up, and whether it should be sent requests.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::SharedState;
use crate::infra::db::Standing;
use crate::infra::db::schema::SchemaState;

/// A load balancer asks often and waits briefly.
const PATIENCE: Duration = Duration::from_secs(2);

/// Events are passed on every few seconds. A process that has not done so for longer keeps its clients waiting.
const BEHIND: Duration = Duration::from_secs(10);

pub(super) async fn live() -> Response {
    report(StatusCode::OK, json!({"status": "ok"}))
}

pub(super) async fn ready(State(shared): SharedState) -> Response {
    let (database, migrations) =
        match tokio::time::timeout(PATIENCE, SchemaState::read(&shared.engine.platform().db)).await {
            Ok(Ok(state)) => ("ok", word(&state)),
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "the database does not answer");
                ("unreachable", "unknown")
            }
            Err(_) => ("too slow", "unknown"),
        };
    let events = match shared.platform().order_events.behind() {
        Some(behind) if behind <= BEHIND => "ok",
        Some(_) => "behind",
        // Nobody has begun to serve yet.
        None => "off",
    };
    // Left out or not, the primary answers.
    let replica = match shared.platform().db.replica() {
        Standing::Off => "off",
        Standing::Ok => "ok",
        Standing::LeftOut => "left out",
    };
    let redis = match &shared.platform().redis {
        Some(redis) if redis.is_up() => "ok",
        Some(_) => "down",
        None => "off",
    };
    let stopping = shared.lifecycle.stopping.is_cancelled();
    let ready = database == "ok" && matches!(migrations, "ok" | "newer") && events != "behind" && !stopping;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let word = match (ready, stopping) {
        // It goes on by itself, which no load balancer could better.
        (true, _) if replica == "left out" || redis == "down" => "degraded",
        (true, _) => "ok",
        (false, true) => "stopping",
        (false, false) => "not ready",
    };
    let checks = json!({"database": database, "migrations": migrations, "events": events, "replica": replica, "redis": redis});
    let instances = shared.platform().instances.count(shared.platform().clock.now());
    report(
        status,
        json!({"status": word, "checks": checks, "instances": instances}),
    )
}

fn word(state: &SchemaState) -> &'static str {
    match (state.serves(), state.is_current()) {
        (true, true) => "ok",
        // By steps that this version can live with.
        (true, false) => "newer",
        (false, _) => "not current",
    }
}

fn report(status: StatusCode, body: Value) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
