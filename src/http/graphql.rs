//! `/graphql`, by the [GraphQL over HTTP](https://graphql.github.io/graphql-over-http/draft/) specification.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::accept::{self, MediaType};
use super::{Peer, Shared, SharedState, auth, body, cookies, json, preflight, reply};
use crate::graphql::engine::Caller;

/// Queries and mutations.
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

/// Queries only: a link must not change anything.
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
    let (media_type, caller) = who_and_how(shared, peer, headers)?;
    let limits = shared.limits();
    let body = body::read_json(headers, body, limits, media_type).await?;
    let request = json::request_of_body(&body, limits.json_depth)
        .map_err(|problem| bad_request(&problem, media_type))?;
    let cookie = caller.refresh_cookie.clone();
    let answer = shared.engine.execute(caller, request).await;
    let mut response = reply::answer(&answer, media_type);
    cookies::apply(&cookie, shared.platform().clock.now(), response.headers_mut());
    Ok(response)
}

async fn respond_to_get(
    shared: &Arc<Shared>,
    peer: Option<Peer>,
    headers: &HeaderMap,
    query: &str,
) -> Result<Response, Response> {
    let (media_type, caller) = who_and_how(shared, peer, headers)?;
    let request = json::request_of_query(query, shared.limits().json_depth)
        .map_err(|problem| bad_request(&problem, media_type))?;
    let prepared = match shared.engine.prepare(&caller.actor, request) {
        Ok(prepared) => prepared,
        Err(refusal) => return Ok(reply::answer(&refusal, media_type)),
    };
    if prepared.kind == OperationType::Mutation {
        let message = "Mutations are sent by POST: GET is for queries.";
        let mut refusal = reply::refusal_as(
            StatusCode::METHOD_NOT_ALLOWED,
            "BAD_USER_INPUT",
            message,
            media_type,
        );
        refusal
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("POST"));
        return Err(refusal);
    }
    // Nothing has been executed up to here, so a foreign page has achieved nothing either.
    if !preflight::is_safe(headers) {
        let message = "A web page elsewhere could have sent this. Send it by POST, or with a header such as GraphQL-Require-Preflight: 1.";
        return Err(reply::refusal_as(
            StatusCode::FORBIDDEN,
            "FORBIDDEN",
            message,
            media_type,
        ));
    }
    Ok(reply::answer(
        &shared.engine.run(caller, prepared).await,
        media_type,
    ))
}

#[expect(clippy::result_large_err, reason = "made once, and answered with at once")]
fn who_and_how(
    shared: &Shared,
    peer: Option<Peer>,
    headers: &HeaderMap,
) -> Result<(MediaType, Caller), Response> {
    let Some(media_type) = accept::negotiate(headers) else {
        let message =
            "Answers come as application/graphql-response+json or application/json: Accept lists neither.";
        return Err(reply::refusal(
            StatusCode::NOT_ACCEPTABLE,
            "BAD_USER_INPUT",
            message,
        ));
    };
    let actor = auth::caller(headers, shared.platform()).map_err(|error| auth::refusal(error, media_type))?;
    let caller = Caller {
        actor,
        origin: auth::origin(shared, peer, headers),
        refresh_cookie: cookies::of(headers),
    };
    Ok((media_type, caller))
}

fn bad_request(problem: &str, media_type: MediaType) -> Response {
    reply::refusal_as(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", problem, media_type)
}
