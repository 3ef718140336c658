//! Keeps other people's web pages from sending requests through a visitor's browser (CSRF).
//!
//! A browser asks before it sends a foreign page's request that has an unusual header or content type, and
//! only the origins of `SOUK_CORS_ORIGINS` are told yes. POST needs `application/json`, which is unusual. GET
//! has no content type, so it must come with one of the headers below, or with the browser's own word that
//! no foreign page is behind it. A query of public fields by nobody in particular needs none: it is the same for that page as for
//! any other reader, changes nothing, and is kept by browsers and CDNs (`cached`).

use axum::http::HeaderMap;

/// Any of these, with any value but an empty one, makes a browser ask first. `authorization` is one of
/// them; so a signed-in client needs nothing else.
pub(super) const HEADERS: [&str; 6] = [
    "graphql-require-preflight",
    "apollo-require-preflight",
    "x-apollo-operation-name",
    "x-requested-with",
    "x-souk-csrf",
    "authorization",
];

pub(super) fn is_safe(headers: &HeaderMap) -> bool {
    let filled = |name: &str| {
        headers
            .get(name)
            .is_some_and(|value| !value.as_bytes().trim_ascii().is_empty())
    };
    let content_type = headers
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let site = headers
        .get("sec-fetch-site")
        .map(axum::http::HeaderValue::as_bytes);
    HEADERS.iter().any(|name| filled(name))
        || super::body::is_json(content_type)
        || matches!(site, Some(b"same-origin" | b"none"))
}
