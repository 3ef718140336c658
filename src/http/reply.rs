//! Answers as HTTP: the status that the media type calls for.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Response as HttpResponse, StatusCode, header};
use axum::response::Response;

use super::accept::MediaType;
use crate::domain::answers::KeptAnswer;
use crate::graphql::answer::{Answer, Failure};

/// What an answer depends on beside the address.
pub(super) const VARY: HeaderValue = HeaderValue::from_static("accept, authorization");

/// An answer to a well-formed request.
pub(super) fn answer(answer: &Answer, media_type: MediaType) -> Response {
    let status = match (answer, media_type) {
        (Answer::Executed(_) | Answer::Written(_), _) => StatusCode::OK,
        // These are meant for what stands between, too, whatever the client reads.
        (Answer::Failed(Failure::Throttled(_), _), _) => StatusCode::TOO_MANY_REQUESTS,
        (Answer::Failed(Failure::Overloaded, _), _) => StatusCode::SERVICE_UNAVAILABLE,
        // Clients that ask for plain JSON may take any other status for a broken proxy's.
        (Answer::Refused(_) | Answer::Failed(..), MediaType::Json) => StatusCode::OK,
        (Answer::Refused(_), MediaType::GraphqlResponse) if answer.is_forbidden() => StatusCode::FORBIDDEN,
        (Answer::Refused(_), MediaType::GraphqlResponse) => StatusCode::BAD_REQUEST,
        (Answer::Failed(Failure::Timeout | Failure::Unavailable, _), MediaType::GraphqlResponse) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        (Answer::Failed(Failure::Internal, _), MediaType::GraphqlResponse) => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    let mut response = json(status, answer.to_json(), media_type);
    if let Answer::Failed(failure, _) = answer
        && let Some(seconds) = failure.retry_after()
    {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// An answer that was kept.
pub(super) fn kept(kept: Arc<KeptAnswer>, media_type: MediaType) -> Response {
    let mut response = json(StatusCode::OK, kept.value.told.clone(), media_type);
    response.extensions_mut().insert(kept);
    response
}

/// A request that is refused for what it is as HTTP, whatever is in it.
pub(super) fn refusal_as(status: StatusCode, code: &str, message: &str, media_type: MediaType) -> Response {
    json(status, Answer::refused(code, message).to_json(), media_type)
}

/// The same before it is known which media type the client wants, or that it wants none of ours.
pub(super) fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    refusal_as(status, code, message, MediaType::Json)
}

/// A fault of ours, which is in the log.
pub(super) fn failed() -> Response {
    let message = "Something went wrong on our side. It has been logged; please try again.";
    refusal(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", message)
}

fn json(status: StatusCode, body: impl Into<Body>, media_type: MediaType) -> Response {
    let mut response = HttpResponse::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(media_type.content_type()),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, VARY);
    response
}
