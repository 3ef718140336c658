//! Server-sent events, by the distinct connections mode of the
//! [graphql-sse](https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md) protocol: an operation is a request, and
//! its answers are the events of the response.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response as HttpResponse, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::accept::{EVENT_STREAM, MediaType};
use super::{Shared, auth, crowd};
use crate::graphql::answer::Answer;
use crate::graphql::document::Prepared;
use crate::graphql::engine::Caller;
use crate::infra::metric::EVENT_STREAMS;
use crate::infra::token::{TokenError, Verified};

/// How often something is sent when there is nothing to say: proxies close what is silent, and a client that has gone is
/// only noticed by what cannot be sent to it.
const HEARTBEAT: Duration = Duration::from_secs(12);

/// Not longer than it takes to notice that the machine's clock was set.
const LOOK: Duration = Duration::from_secs(30);

/// A comment, which clients pass over.
const COMMENT: &[u8] = b":\n\n";
const COMPLETE: &[u8] = b"event: complete\ndata:\n\n";

/// The answer to an operation that has one.
pub(super) fn once(answer: &Answer) -> Response {
    let mut body = next(answer);
    body.extend_from_slice(COMPLETE);
    respond(Body::from(body))
}

/// The answers to a subscription, until it ends, its client goes, its token comes to its end, or the process stops.
pub(super) fn stream(
    shared: &Arc<Shared>,
    caller: Caller,
    token: Option<Verified>,
    prepared: Prepared,
    media_type: MediaType,
) -> Response {
    let Some(place) = crowd::place(shared, &caller.origin) else {
        return crowd::refusal(media_type);
    };
    let events = Events {
        shared: Arc::clone(shared),
        // From before the token is looked at again, so that nothing is missed.
        revoked: shared.platform().revocations.changes(),
        token,
        look_at: Instant::now(),
        answers: Some(Arc::clone(&shared.engine).subscribe(caller, prepared)),
    };
    let (sender, receiver) = mpsc::channel(1);
    let open = (EVENT_STREAMS.hold(), place);
    shared.lifecycle.tasks.spawn(async move {
        events.send(sender).await;
        drop(open);
    });
    let chunks = stream::unfold(receiver, |mut receiver| async {
        let chunk = receiver.recv().await?;
        Some((Ok::<_, Infallible>(Bytes::from(chunk)), receiver))
    });
    let opening = stream::once(async { Ok(Bytes::from_static(COMMENT)) });
    respond(Body::from_stream(opening.chain(chunks)))
}

fn respond(body: Body) -> Response {
    let mut response = HttpResponse::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept, authorization"));
    // nginx would keep events until it has a buffer full of them.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

fn next(answer: &Answer) -> Vec<u8> {
    // JSON has no line break that is not escaped.
    [b"event: next\ndata: ".as_slice(), &answer.to_json(), b"\n\n"].concat()
}

struct Events {
    shared: Arc<Shared>,
    token: Option<Verified>,
    revoked: watch::Receiver<()>,
    /// When to look again whether the token has expired.
    look_at: Instant,
    /// None once all has been said.
    answers: Option<BoxStream<'static, Answer>>,
}

impl Events {
    /// In a task of its own: the body of a response is polled only while it can be written, and what is being executed must not
    /// stand still with a connection in its hand because a client does not read. It is begun when there is a place for it.
    async fn send(mut self, chunks: mpsc::Sender<Vec<u8>>) {
        let shared = Arc::clone(&self.shared);
        let all = async {
            while let Ok(place) = chunks.reserve().await {
                let Some(chunk) = self.chunk().await else { return };
                place.send(chunk);
            }
        };
        tokio::select! {
            () = all => {}
            // The client has gone.
            () = chunks.closed() => {}
            // Not complete: the client is to come again, and another instance takes it.
            () = shared.lifecycle.closing.cancelled() => {}
        }
    }

    /// What to send next, when there is something to send; None at the end.
    async fn chunk(&mut self) -> Option<Vec<u8>> {
        // Others' news turn the loop, and do not put it off.
        let beat_at = Instant::now() + HEARTBEAT;
        loop {
            let answers = self.answers.as_mut()?;
            let holds_token = self.token.is_some();
            tokio::select! {
                // Before what became ready while nobody looked.
                biased;
                _ = self.revoked.changed(), if holds_token => {}
                () = sleep_until(self.look_at), if holds_token => {}
                answer = answers.next() => {
                    return Some(match answer {
                        Some(answer) => next(&answer),
                        None => self.end(Vec::new()),
                    });
                }
                () = sleep_until(beat_at) => return Some(COMMENT.to_vec()),
            }
            if let Err(error) = self.look() {
                let refusal = Answer::refused("UNAUTHENTICATED", error.to_string());
                return Some(self.end(next(&refusal)));
            }
        }
    }

    fn end(&mut self, mut last: Vec<u8>) -> Vec<u8> {
        self.answers = None;
        last.extend_from_slice(COMPLETE);
        last
    }

    /// Whoever is served for long is shown out when the token comes to its end.
    fn look(&mut self) -> Result<(), TokenError> {
        let Some(token) = &self.token else { return Ok(()) };
        let platform = self.shared.platform();
        auth::still_counts(token, platform)?;
        let left = (token.expires_at - platform.clock.now()).to_std();
        self.look_at = Instant::now() + left.unwrap_or_default().min(LOOK);
        Ok(())
    }
}
