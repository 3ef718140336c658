//! Which answers are compressed: those in which there is nothing to guess.
//!
//! How well an answer compresses tells whether a text that came with the request is also elsewhere in it. Whoever can make a
//! browser send requests that carry its owner's credentials, and see how long the answers are, reads a secret out of them
//! letter by letter (BREACH). TLS does not hide lengths. So what is answered to somebody in particular, and what a
//! mutation answers, which may be a token, goes as it is.

use axum::http::{Extensions, HeaderMap, StatusCode, Version};
use axum::response::Response;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

/// Below that there is little to gain, and a frame is sent anyhow.
const SMALLEST: u64 = 1024;

/// Among an answer's extensions when it may be compressed. What nobody has marked may not.
#[derive(Clone, Copy, Debug)]
struct Harmless;

pub(super) fn allow(response: &mut Response) {
    response.extensions_mut().insert(Harmless);
}

pub(super) fn layer() -> CompressionLayer<impl Predicate> {
    let allowed = |_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions| {
        extensions.get::<Harmless>().is_some()
    };
    let predicate = SizeAbove::new(SMALLEST)
        .and(NotForContentType::SSE)
        .and(NotForContentType::IMAGES)
        .and(allowed);
    CompressionLayer::new()
        .gzip(true)
        .br(true)
        .compress_when(predicate)
}
