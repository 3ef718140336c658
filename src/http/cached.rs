//! Answers that are the same for everybody, which browsers and a CDN may keep.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response as HttpResponse, StatusCode, header};
use axum::response::Response;

use super::accept::MediaType;
use super::reply;
use crate::domain::answers::{Finished, KeptAnswer};
use crate::graphql::answer::Answer;
use crate::graphql::kept::tag;

/// Whether the request says who sends it. Who does is told nothing that others may keep.
pub(super) fn has_credentials(headers: &HeaderMap) -> bool {
    headers.contains_key(header::AUTHORIZATION) || headers.contains_key(header::COOKIE)
}

/// The answer to a query by GET of nobody in particular, all of whose fields are public. A failure is nobody's to keep.
pub(super) fn answer(answer: Answer, media_type: MediaType, age: u32, headers: &HeaderMap) -> Response {
    let Some(body) = answer.for_everybody() else {
        return reply::answer(&answer, media_type);
    };
    let tag = tag(&body);
    shown(Body::from(body), &tag, media_type, age, headers)
}

/// The same of an answer that was kept.
pub(super) fn kept(kept: Arc<KeptAnswer>, media_type: MediaType, headers: &HeaderMap) -> Response {
    let Finished {
        shown: body,
        tag,
        age,
        ..
    } = &kept.value;
    let mut response = shown(Body::from(body.clone()), tag, media_type, *age, headers);
    response.extensions_mut().insert(kept);
    response
}

fn shown(body: Body, tag: &str, media_type: MediaType, age: u32, headers: &HeaderMap) -> Response {
    let mut response = if is_known(headers, tag) {
        let mut response = HttpResponse::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = HttpResponse::new(body);
        let content_type = HeaderValue::from_static(media_type.content_type());
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        response
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ETAG, tag.to_owned()),
        (header::CACHE_CONTROL, format!("public, max-age={age}")),
    ] {
        // Of letters and digits only.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    // Cookies are not among them: no query is answered by one, and a visitor's would keep a CDN from sharing anything.
    headers.insert(header::VARY, reply::VARY);
    response
}

/// By the weak comparison of RFC 9110: the prefix does not count.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = tag.trim_start_matches("W/");
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.trim_start_matches("W/") == opaque)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        for (sent, known) in [
            (r#"W/"a""#, true),
            (r#""a""#, true),
            (r#""b", W/"a""#, true),
            ("*", true),
            (r#""b""#, false),
            ("a", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, sent.parse().unwrap())]);
            assert_eq!(is_known(&headers, r#"W/"a""#), known, "{sent}");
        }
        assert!(!is_known(&HeaderMap::new(), r#"W/"a""#));
    }
}
