//! A request's body, read within its limits of size and time.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::accept::MediaType;
use super::reply;
use crate::kernel::config::LimitsConfig;

/// Whether a content type is JSON in UTF-8.
pub(super) fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let json = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    json && parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        Some(_) | None => true,
    })
}

/// # Errors
/// 408 when it comes too slowly, 413 when it is too large, 415 when it is not JSON.
pub(super) async fn read_json(
    headers: &HeaderMap,
    body: Body,
    limits: &LimitsConfig,
    media_type: MediaType,
) -> Result<Bytes, Response> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !is_json(content_type) {
        let message = "POST needs Content-Type: application/json, in UTF-8.";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(reply::refusal_as(status, "BAD_USER_INPUT", message, media_type));
    }
    let bounds = (limits.body_bytes, limits.body_timeout);
    read(headers, body, bounds, media_type).await
}

/// As bytes, whatever they are: so many at most, and in so much time.
///
/// # Errors
/// 408 when they come too slowly, 413 when they are too many, 415 when they are compressed.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    (longest, timeout): (usize, Duration),
    media_type: MediaType,
) -> Result<Bytes, Response> {
    let refuse = |status, code, message: &str| reply::refusal_as(status, code, message, media_type);
    if headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity")
    {
        let message = "Compressed requests are not read here: send the body as it is.";
        return Err(refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "BAD_USER_INPUT",
            message,
        ));
    }
    let too_large = || {
        let message = format!("The body has more than {} bytes.", longest);
        refuse(StatusCode::PAYLOAD_TOO_LARGE, "BAD_USER_INPUT", &message)
    };
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|announced| announced > longest) {
        return Err(too_large());
    }
    match tokio::time::timeout(timeout, Limited::new(body, longest).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(refuse(
            StatusCode::BAD_REQUEST,
            "BAD_USER_INPUT",
            "The body did not arrive in full.",
        )),
        Err(_) => Err(refuse(
            StatusCode::REQUEST_TIMEOUT,
            "TIMEOUT",
            "The body came too slowly.",
        )),
    }
}
