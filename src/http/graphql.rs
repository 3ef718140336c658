//! `/graphql`, by the [GraphQL over HTTP](https://graphql.github.io/graphql-over-http/draft/) specification.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::accept::{self, Accepted, Stream};
use super::{
    Peer, Shared, SharedState, auth, body, cached, compression, cookies, json, preflight, reply, sse,
};
use crate::graphql::answer::Answer;
use crate::graphql::document::Prepared;
use crate::graphql::engine::{Caller, NEEDS_STREAM};
use crate::graphql::kept::Given;
use crate::infra::token::Verified;
use crate::kernel::actor::Actor;

/// Operations of all kinds.
pub(super) async fn post(
    State(shared): SharedState,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    respond_to_post(&shared, peer.map(|peer| peer.0), &headers, body)
        .await
        .unwrap_or_else(|refusal| refusal)
}

/// Queries and subscriptions only: a link must not change anything.
pub(super) async fn get(
    State(shared): SharedState,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    respond_to_get(
        &shared,
        peer.map(|peer| peer.0),
        &headers,
        query.as_deref().unwrap_or_default(),
    )
    .await
    .unwrap_or_else(|refusal| refusal)
}

async fn respond_to_post(
    shared: &Arc<Shared>,
    peer: Option<Peer>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Response> {
    let asked = who_and_how(shared, peer, headers)?;
    let media_type = asked.accepted.media_type;
    let body = body::read_json(shared, headers, body, media_type).await?;
    let request = match json::request_of_body(&body, shared.limits().json_depth) {
        Ok(request) => request,
        Err(problem) => {
            let status = StatusCode::BAD_REQUEST;
            return Err(refuse(shared, &asked, status, "BAD_USER_INPUT", &problem).await);
        }
    };
    let cookie = asked.caller.refresh_cookie.clone();
    let prepared = shared.engine.prepare(&asked.caller.actor, request);
    let reads = prepared
        .as_ref()
        .is_ok_and(|prepared| prepared.kind == OperationType::Query);
    let mut response = answer(shared, asked, prepared).await;
    if reads && !cached::has_credentials(headers) {
        compression::allow(&mut response);
    }
    cookies::apply(&cookie, shared.platform().clock.now(), response.headers_mut());
    Ok(response)
}

async fn respond_to_get(
    shared: &Arc<Shared>,
    peer: Option<Peer>,
    headers: &HeaderMap,
    query: &str,
) -> Result<Response, Response> {
    let asked = who_and_how(shared, peer, headers)?;
    let media_type = asked.accepted.media_type;
    let request = match json::request_of_query(query, shared.limits().json_depth) {
        Ok(request) => request,
        Err(problem) => {
            let status = StatusCode::BAD_REQUEST;
            return Err(refuse(shared, &asked, status, "BAD_USER_INPUT", &problem).await);
        }
    };
    let prepared = match shared.engine.prepare(&asked.caller.actor, request) {
        Ok(prepared) => prepared,
        refused @ Err(_) => return Ok(answer(shared, asked, refused).await),
    };
    if prepared.kind == OperationType::Mutation {
        let message = "Mutations are sent by POST: GET is for what only reads.";
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let mut refusal = refuse(shared, &asked, status, "BAD_USER_INPUT", message).await;
        refusal
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("POST"));
        return Err(refusal);
    }
    let nobody = !cached::has_credentials(headers);
    let public_age = (nobody && asked.accepted.stream != Stream::Always)
        .then_some(prepared.public_age)
        .flatten();
    // Nothing has been executed up to here, so a foreign page has achieved nothing either. What is public and asked for by
    // nobody in particular it may have anyhow: a link, a browser and a CDN need no header for it.
    if public_age.is_none() && !preflight::is_safe(headers) {
        let message = "A web page elsewhere could have sent this. Send it by POST, or with a header such as GraphQL-Require-Preflight: 1.";
        return Err(refuse(shared, &asked, StatusCode::FORBIDDEN, "FORBIDDEN", message).await);
    }
    let mut response = match public_age {
        Some(age) => match run(shared, asked.caller, prepared).await {
            Given::Kept(kept) => cached::kept(kept, media_type, headers),
            Given::Executed(answer) => cached::answer(answer, media_type, age, headers),
        },
        None => answer(shared, asked, Ok(prepared)).await,
    };
    if nobody {
        compression::allow(&mut response);
    }
    Ok(response)
}

/// In one piece or as a stream, as the client asked and the operation needs.
async fn answer(shared: &Arc<Shared>, asked: Asked, prepared: Result<Prepared, Answer>) -> Response {
    let Accepted { media_type, stream } = asked.accepted;
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(refusal) => {
            let refusal = shared.engine.refused(&asked.caller, refusal).await;
            return match stream {
                Stream::Always => sse::once(&refusal),
                Stream::No | Stream::IfNeeded => reply::answer(&refusal, media_type),
            };
        }
    };
    match (prepared.kind, stream) {
        (OperationType::Subscription, Stream::No) => {
            let (status, code) = (StatusCode::NOT_ACCEPTABLE, "GRAPHQL_VALIDATION_FAILED");
            refuse(shared, &asked, status, code, NEEDS_STREAM).await
        }
        (OperationType::Subscription, Stream::IfNeeded | Stream::Always) => {
            sse::stream(shared, asked.caller, asked.token, prepared, media_type)
        }
        (OperationType::Query | OperationType::Mutation, Stream::Always) => {
            sse::once(&shared.engine.run(asked.caller, prepared).await)
        }
        (OperationType::Query | OperationType::Mutation, Stream::No | Stream::IfNeeded) => {
            match run(shared, asked.caller, prepared).await {
                Given::Kept(kept) => reply::kept(kept, media_type),
                Given::Executed(answer) => reply::answer(&answer, media_type),
            }
        }
    }
}

/// With what was kept, where it is public and the caller sees what everybody sees.
async fn run(shared: &Shared, caller: Caller, prepared: Prepared) -> Given {
    match shared.engine.kept_age(&caller.actor, &prepared) {
        Some(age) => shared.engine.run_public(caller, prepared, age).await,
        None => Given::Executed(shared.engine.run(caller, prepared).await),
    }
}

/// A request as far as its headers tell.
struct Asked {
    accepted: Accepted,
    caller: Caller,
    /// Who the caller is by; None for nobody in particular.
    token: Option<Verified>,
}

#[expect(clippy::result_large_err, reason = "made once, and answered with at once")]
fn who_and_how(shared: &Shared, peer: Option<Peer>, headers: &HeaderMap) -> Result<Asked, Response> {
    let Some(accepted) = accept::negotiate(headers) else {
        let message = "Answers come as application/graphql-response+json, application/json or text/event-stream: Accept lists none of them.";
        return Err(reply::refusal(
            StatusCode::NOT_ACCEPTABLE,
            "BAD_USER_INPUT",
            message,
        ));
    };
    // Before anything is read or looked at: the next instance may have time.
    if shared.engine.is_full() {
        return Err(reply::answer(&Answer::overloaded(), accepted.media_type));
    }
    let token = auth::caller(headers, shared.platform())
        .map_err(|error| auth::refusal(error, accepted.media_type))?;
    let caller = Caller {
        actor: token.as_ref().map_or(Actor::Anonymous, auth::actor),
        origin: auth::origin(shared, peer, headers),
        refresh_cookie: cookies::of(headers),
    };
    Ok(Asked {
        accepted,
        caller,
        token,
    })
}

/// Refuses what was read and will not be executed, which is not free.
async fn refuse(shared: &Shared, asked: &Asked, status: StatusCode, code: &str, message: &str) -> Response {
    let media_type = asked.accepted.media_type;
    match shared.engine.charge(&asked.caller).await {
        Ok(()) => reply::refusal_as(status, code, message, media_type),
        Err(throttled) => reply::answer(&throttled, media_type),
    }
}
