//! A request's body, read within its limits of size and time.
//!
//! What has been read of it stays in memory until the rest has come, and it is the client who says when that is. So only some
//! large bodies are read at a time: each connection may hold a little, and not as much as a body may have.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::accept::MediaType;
use super::{Shared, reply};
use crate::graphql::answer::Answer;

/// What any connection may hold: most operations, and gateways' messages, are smaller.
const SMALL: usize = 16 * 1024;

/// Large bodies that are read at the same time.
const LARGE_ONES: usize = 64;

/// How long a large body waits until others have been read: each takes milliseconds where nobody dawdles.
const TURN: Duration = Duration::from_secs(1);

/// Turns of those who send large bodies.
#[derive(Debug)]
pub struct Turns(Semaphore);

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(LARGE_ONES))
    }
}

impl Turns {
    async fn take(&self) -> Option<SemaphorePermit<'_>> {
        tokio::time::timeout(TURN, self.0.acquire()).await.ok()?.ok()
    }
}

/// Why a body was not read.
enum Trouble {
    TooLarge,
    CutOff,
    /// Others are reading large ones.
    NoTurn,
}

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
/// 408 when it comes too slowly, 413 when it is too large, 415 when it is not JSON, 503 when it is large and others are, too.
pub(super) async fn read_json(
    shared: &Shared,
    headers: &HeaderMap,
    body: Body,
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
    read(shared, headers, body, shared.limits().body_bytes, media_type).await
}

/// As bytes, whatever they are: so many at most, and in so much time.
///
/// # Errors
/// 408 when they come too slowly, 413 when they are too many, 415 when they are compressed, 503 when there are many and others
/// send many, too.
pub(super) async fn read(
    shared: &Shared,
    headers: &HeaderMap,
    body: Body,
    longest: usize,
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
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let reading = async {
        if announced.is_some_and(|announced| announced > longest) {
            return Err(Trouble::TooLarge);
        }
        collect(&shared.turns, Limited::new(body, longest), announced).await
    };
    match tokio::time::timeout(shared.limits().body_timeout, reading).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(Trouble::TooLarge)) => {
            let message = format!("The body has more than {longest} bytes.");
            Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "BAD_USER_INPUT", &message))
        }
        Ok(Err(Trouble::CutOff)) => Err(refuse(
            StatusCode::BAD_REQUEST,
            "BAD_USER_INPUT",
            "The body did not arrive in full.",
        )),
        Ok(Err(Trouble::NoTurn)) => Err(reply::answer(&Answer::overloaded(), media_type)),
        Err(_) => Err(refuse(
            StatusCode::REQUEST_TIMEOUT,
            "TIMEOUT",
            "The body came too slowly.",
        )),
    }
}

async fn collect(turns: &Turns, mut body: Limited<Body>, announced: Option<usize>) -> Result<Bytes, Trouble> {
    let mut turn = None;
    if announced.is_some_and(|announced| announced > SMALL) {
        turn = Some(turns.take().await.ok_or(Trouble::NoTurn)?);
    }
    let mut read = BytesMut::with_capacity(announced.unwrap_or_default().min(SMALL));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true => Trouble::TooLarge,
            false => Trouble::CutOff,
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if turn.is_none() && read.len() + data.len() > SMALL {
            turn = Some(turns.take().await.ok_or(Trouble::NoTurn)?);
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}
