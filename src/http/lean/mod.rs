//! The lean way: a request that is, byte for byte, like one that was answered with what is kept, is answered before anything is
//! parsed or looked up, with the same bytes and the same headers.
//!
//! What is remembered here is a whole response, as it came out of all layers; so whatever they add is in it. It is given only
//! as long as the answer in it is alive (`infra/kept`), and only to requests of which nothing matters but what is compared: a
//! header that is not known to be without influence leads the slow way, and so does everything else out of the ordinary.
//! Neither limits nor rates are asked, because nothing is taken of what they guard.

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::service::Service;
use metrics::Histogram;
use moka::sync::Cache as Moka;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use uuid::{Builder, Uuid};

use super::layers::{REQUEST_ID, is_host, is_sane};
use super::{Lifecycle, Peer, body, reply};
use crate::domain::answers::KeptAnswer;
use crate::infra::cache::Weigh;
use crate::infra::metric::HTTP_REQUESTS;
use crate::infra::telemetry::trace;
use crate::kernel::clock::{Clock as _, SystemClock};
use crate::kernel::config::CacheConfig;

const PATH: &str = "/graphql";

/// Larger bodies go the slow way, where they wait for their turn.
const LONGEST_BODY: u64 = 16 * 1024;

/// So do longer values of the headers that are compared: no browser's is as long.
const LONGEST_VALUE: usize = 256;

/// What a response takes beside its body, roughly, in bytes.
const HEADERS: usize = 2_048;

/// Responses that are remembered.
pub struct Lean {
    memos: Option<Moka<u64, Arc<Memo>>>,
    hasher: RandomState,
    stopping: CancellationToken,
    answered: AtomicU64,
    /// Names given to requests.
    named: AtomicU64,
    timed: Histogram,
}

impl fmt::Debug for Lean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lean").finish_non_exhaustive()
    }
}

/// All of a request that a response depends on. Copies: what hyper hands out is a piece of all that it has read, and keeps that.
#[derive(Clone, PartialEq, Eq)]
struct Asked {
    /// None for POST.
    query: Option<Box<str>>,
    accept: Option<HeaderValue>,
    encoding: Option<HeaderValue>,
    body: Bytes,
}

struct Memo {
    asked: Asked,
    headers: HeaderMap,
    body: Bytes,
    kept: Arc<KeptAnswer>,
}

impl Weigh for Memo {
    fn weight(&self) -> u32 {
        let Asked {
            query,
            accept,
            encoding,
            body,
        } = &self.asked;
        let query = query.as_ref().map_or(0, |query| query.len());
        let values = [accept, encoding].into_iter().flatten();
        let values: usize = values.map(HeaderValue::len).sum();
        let bytes = HEADERS + body.len() + query + values + self.body.len();
        // The answer as well: as long as it is remembered here it is held, whoever has dropped it.
        u32::try_from(bytes)
            .unwrap_or(u32::MAX)
            .saturating_add(self.kept.weight())
    }
}

impl Lean {
    pub fn new(config: &CacheConfig, lifecycle: &Lifecycle) -> Self {
        let memos = (config.answers > 0).then(|| {
            Moka::builder()
                .max_capacity(config.answers / 4)
                .weigher(|_: &u64, memo: &Arc<Memo>| memo.weight())
                .time_to_live(config.answer_life())
                .build()
        });
        Self {
            memos,
            hasher: RandomState::new(),
            stopping: lifecycle.stopping.clone(),
            answered: AtomicU64::new(0),
            named: AtomicU64::new(0),
            timed: HTTP_REQUESTS.histogram([PATH, "2xx"]),
        }
    }

    /// How many requests were answered here.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Whether it is worth looking at the request. A body whose length was not announced is not.
    fn may_know(&self, body: &Incoming) -> bool {
        let length = body.size_hint().exact();
        self.memos.is_some() && !trace::is_on() && length.is_some_and(|length| length <= LONGEST_BODY)
    }

    fn key(&self, head: &Plain<'_>, body: &[u8]) -> u64 {
        self.hasher
            .hash_one((head.query, head.accept, head.encoding, body))
    }

    /// The response to such a request, if it is still true.
    fn find(&self, head: &Plain<'_>, body: &[u8], now: Instant) -> Option<Arc<Memo>> {
        let (memos, key) = (self.memos.as_ref()?, self.key(head, body));
        let memo = memos.get(&key)?;
        if !memo.kept.is_alive(now) {
            // Nobody else lets go of it before its time.
            memos.invalidate(&key);
            return None;
        }
        let same = memo.asked.query.as_deref() == head.query
            && memo.asked.accept.as_ref() == head.accept
            && memo.asked.encoding.as_ref() == head.encoding
            && memo.asked.body == body;
        same.then_some(memo)
    }

    fn answer(&self, memo: &Memo, id: Option<&HeaderValue>, began: Instant) -> Reply {
        let mut headers = memo.headers.clone();
        let id = id.cloned();
        let id = id.or_else(|| self.new_id());
        tracing::debug!(?id, "answered with what is kept");
        if let Some(id) = id {
            headers.insert(REQUEST_ID, id);
        }
        if self.stopping.is_cancelled() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let mut response = Response::new(Either::Left(Full::new(memo.body.clone())));
        *response.headers_mut() = headers;
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.timed.record(began.elapsed());
        response
    }

    /// A name for a request, of the same form as elsewhere. It need not be secret, and so takes no randomness of the system.
    fn new_id(&self) -> Option<HeaderValue> {
        let number = self.named.fetch_add(1, Ordering::Relaxed);
        let millis = u64::try_from(SystemClock.now().timestamp_millis()).unwrap_or_default();
        // Another key in each process.
        let mixed = u128::from(self.hasher.hash_one(number)) << 64;
        let bytes = (mixed | u128::from(number) << 48).to_be_bytes();
        let id = Builder::from_unix_timestamp_millis(millis, bytes.first_chunk()?).into_uuid();
        HeaderValue::from_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer())).ok()
    }

    /// Remembers what a request was answered with, if that was something kept. The response, whole.
    async fn remember(&self, asked: Asked, response: Response<Body>) -> Response<Body> {
        let Some(kept) = response.extensions().get::<Arc<KeptAnswer>>().cloned() else {
            return response;
        };
        let (mut head, body) = response.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                tracing::error!(error = %error, "what is kept cannot be sent");
                return reply::failed();
            }
        };
        let ends = head.headers.contains_key(header::CONNECTION);
        if let Some(memos) = &self.memos
            && head.status == StatusCode::OK
            && !ends
        {
            let mut headers = head.headers.clone();
            headers.remove(REQUEST_ID);
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            let plain = Plain {
                query: asked.query.as_deref(),
                accept: asked.accept.as_ref(),
                encoding: asked.encoding.as_ref(),
                id: None,
            };
            let key = self.key(&plain, &asked.body);
            memos.insert(
                key,
                Arc::new(Memo {
                    asked,
                    headers,
                    body: body.clone(),
                    kept,
                }),
            );
        }
        head.headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        Response::from_parts(head, Body::from(body))
    }
}

/// A request's head of which nothing else matters.
struct Plain<'a> {
    query: Option<&'a str>,
    accept: Option<&'a HeaderValue>,
    encoding: Option<&'a HeaderValue>,
    id: Option<&'a HeaderValue>,
}

impl<'a> Plain<'a> {
    /// None for a request that has to be looked at.
    fn of(head: &'a Parts) -> Option<Self> {
        let Parts {
            method,
            uri,
            version,
            headers,
            ..
        } = head;
        if *version != Version::HTTP_11 || uri.path() != PATH || uri.authority().is_some() {
            return None;
        }
        let query = match (method, uri.query()) {
            (&Method::POST, None) => None,
            (&Method::GET, Some(query)) => Some(query),
            _ => return None,
        };
        let mut plain = Self {
            query,
            accept: None,
            encoding: None,
            id: None,
        };
        let (mut hosts, mut content_type) = (0, None);
        for (name, value) in headers {
            match name.as_str() {
                "host" if is_host(value) => hosts += 1,
                // A second line of one of these is for somebody with more patience.
                "content-type" if content_type.replace(value).is_none() => {}
                "accept" if plain.accept.replace(value).is_none() && value.len() <= LONGEST_VALUE => {}
                "accept-encoding"
                    if plain.encoding.replace(value).is_none() && value.len() <= LONGEST_VALUE => {}
                "x-request-id" if plain.id.replace(value).is_none() && is_sane(value.to_str().ok()?) => {}
                "connection" if is_plain_connection(value) => {}
                name if HARMLESS.contains(&name) || name.starts_with("sec-") => {}
                _ => return None,
            }
        }
        let is_json = match content_type {
            Some(value) => body::is_json(value.to_str().ok()?),
            None => *method == Method::GET,
        };
        (hosts == 1 && is_json).then_some(plain)
    }

    /// What to remember of it; None where that cannot be copied.
    fn to_asked(&self, body: &[u8]) -> Option<Asked> {
        let copy = |value: Option<&HeaderValue>| {
            let copied = value.map(|value| HeaderValue::from_bytes(value.as_bytes()));
            copied.transpose().ok()
        };
        Some(Asked {
            query: self.query.map(Into::into),
            accept: copy(self.accept)?,
            encoding: copy(self.encoding)?,
            body: Bytes::copy_from_slice(body),
        })
    }
}

/// hyper does what these say.
fn is_plain_connection(value: &HeaderValue) -> bool {
    let value = value.as_bytes();
    value.eq_ignore_ascii_case(b"keep-alive") || value.eq_ignore_ascii_case(b"close")
}

/// What says nothing to us about an answer that is the same for everybody.
const HARMLESS: [&str; 16] = [
    "user-agent",
    "content-length",
    "accept-language",
    "referer",
    "cache-control",
    "pragma",
    "priority",
    "dnt",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-real-ip",
    "forwarded",
    "via",
    "graphql-require-preflight",
];

type Reply = Response<Either<Full<Bytes>, Body>>;

/// The whole front of the shop: the lean way, and behind it all addresses.
#[derive(Clone, Debug)]
pub struct Front {
    router: Router,
    lean: Arc<Lean>,
}

impl Front {
    pub(super) fn new(router: Router, lean: Arc<Lean>) -> Self {
        Self { router, lean }
    }

    /// For the connection of one client.
    pub(super) fn of(self, peer: Peer) -> Door {
        Door { front: self, peer }
    }
}

/// The front as one connection sees it.
#[derive(Debug)]
pub(super) struct Door {
    front: Front,
    peer: Peer,
}

impl Service<Request<Incoming>> for Door {
    type Response = Reply;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let (mut head, body) = request.into_parts();
        head.extensions.insert(self.peer);
        Answering(Stage::Read {
            front: self.front.clone(),
            request: Some((head, body)),
            began: Instant::now(),
        })
    }
}

/// A request on its way.
pub(super) struct Answering(Stage);

#[expect(
    clippy::large_enum_variant,
    reason = "a box would be most of what a hit allocates"
)]
enum Stage {
    /// Its body may be here in one piece.
    Read {
        front: Front,
        request: Option<(Parts, Incoming)>,
        began: Instant,
    },
    Slow(BoxFuture<'static, Response<Body>>),
}

impl Future for Answering {
    type Output = Result<Reply, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut self.0 {
                Stage::Slow(slow) => {
                    return slow
                        .as_mut()
                        .poll(cx)
                        .map(|response| Ok(response.map(Either::Right)));
                }
                Stage::Read {
                    front,
                    request,
                    began,
                } => {
                    // Polled after its end, which nobody does, it never ends.
                    let Some((head, mut body)) = request.take() else {
                        return Poll::Pending;
                    };
                    let lean = &front.lean;
                    let plain = lean.may_know(&body).then(|| Plain::of(&head)).flatten();
                    let first = plain.as_ref().map_or(First::Nothing, |_| first(&mut body, cx));
                    let asked = match (plain, &first) {
                        (Some(plain), First::Whole(bytes)) => {
                            if let Some(memo) = lean.find(&plain, bytes, *began) {
                                return Poll::Ready(Ok(lean.answer(&memo, plain.id, *began)));
                            }
                            plain.to_asked(bytes)
                        }
                        _ => None,
                    };
                    let request = Request::from_parts(head, first.put_back(body));
                    self.0 = Stage::Slow(Box::pin(slowly(front.clone(), request, asked)));
                }
            }
        }
    }
}

async fn slowly(front: Front, request: Request<Body>, asked: Option<Asked>) -> Response<Body> {
    let response = match front.router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    match asked {
        Some(asked) => front.lean.remember(asked, response).await,
        None => response,
    }
}

/// What of a body is here at once.
enum First {
    /// Nobody looked, or nothing was there.
    Nothing,
    Part(Result<Bytes, hyper::Error>),
    Whole(Bytes),
}

/// Takes what hyper has read along with the head. What is still to come is waited for on the slow way, which has the deadlines.
fn first(body: &mut Incoming, cx: &mut Context<'_>) -> First {
    if body.is_end_stream() {
        return First::Whole(Bytes::new());
    }
    match Pin::new(&mut *body).poll_frame(cx) {
        Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
            Ok(data) if body.is_end_stream() => First::Whole(data),
            Ok(data) => First::Part(Ok(data)),
            Err(_) => First::Nothing,
        },
        Poll::Ready(Some(Err(error))) => First::Part(Err(error)),
        Poll::Ready(None) | Poll::Pending => First::Nothing,
    }
}

impl First {
    /// The body as if nobody had looked.
    fn put_back(self, rest: Incoming) -> Body {
        match self {
            Self::Nothing => Body::new(rest),
            Self::Whole(bytes) => Body::from(bytes),
            Self::Part(first) => Body::new(PutBack {
                first: Some(first),
                rest,
            }),
        }
    }
}

/// A body of which something was taken.
struct PutBack {
    first: Option<Result<Bytes, hyper::Error>>,
    rest: Incoming,
}

impl hyper::body::Body for PutBack {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(first.map(Frame::data))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }
}
