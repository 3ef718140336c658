//! The limit of the HTTP server: the body is read, and what Souk answered is sent, byte for byte.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;

pub(super) fn routes(answers: &Path) -> anyhow::Result<Router> {
    ["w1", "w2", "w3", "w5"]
        .into_iter()
        .try_fold(Router::new(), |routes, load| {
            let file = answers.join(format!("{load}.json"));
            let answer = Bytes::from(fs::read(&file).with_context(|| file.display().to_string())?);
            let handler = move |_asked: Bytes| async move { ([(CONTENT_TYPE, "application/json")], answer) };
            Ok(routes.route(&format!("/{load}"), post(handler)))
        })
}
