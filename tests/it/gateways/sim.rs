//! A server that plays a gateway: what it knows is a test's own, it writes down what it was asked, and it fails as it is
//! told to.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With its query, if any.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    /// A header's text; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// # Panics
    /// The body is no JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body as a form: names and values in their order.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

/// What it answers.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_string(),
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub(crate) enum Mishap {
    /// It is done, and the answer is lost.
    LosesAnswer,
    /// It is lost before it is done.
    LosesRequest,
    /// It is answered with this, and not done.
    Answers(Answer),
    /// It is done, and answered only after a while.
    Dawdles(Duration),
}

/// Something that a gateway knows and does.
pub(crate) trait Plays: Send + 'static {
    fn answer(&mut self, asked: &Asked) -> Answer;
}

/// A gateway of a test's own. Dropped, it is gone.
pub(crate) struct Sim<P> {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared<P>>,
    task: JoinHandle<()>,
}

struct Shared<P> {
    plays: Mutex<P>,
    asked: Mutex<Vec<Asked>>,
    /// Each for the next request whose path contains the text.
    mishaps: Mutex<VecDeque<(String, Mishap)>>,
    away: AtomicBool,
}

impl<P: Plays> Sim<P> {
    pub(crate) async fn start(plays: P) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            plays: Mutex::new(plays),
            asked: Mutex::default(),
            mishaps: Mutex::default(),
            away: AtomicBool::new(false),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            task,
        }
    }

    /// Where it is, for the setting `…_API_BASE`.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Looks at what it knows, or changes it behind everybody's back.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut P) -> T) -> T {
        look(&mut self.shared.plays.lock().unwrap())
    }

    /// What it was asked, the first first.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// What it was asked by this method at addresses that contain this.
    pub(crate) fn asked_at(&self, method: &str, path: &str) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| asked.method == method && asked.path.contains(path));
        asked
    }

    /// The next request whose path contains this goes wrong; once for each call.
    pub(crate) fn mishap(&self, path: &str, mishap: Mishap) -> &Self {
        let mut mishaps = self.shared.mishaps.lock().unwrap();
        mishaps.push_back((path.to_owned(), mishap));
        self
    }

    /// While it is away it takes connections and cuts them.
    pub(crate) fn be_away(&self, away: bool) {
        self.shared.away.store(away, Ordering::SeqCst);
    }
}

impl<P> Drop for Sim<P> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept<P: Plays>(listener: TcpListener, shared: Arc<Shared<P>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| serve(&shared, request));
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// An error cuts the connection.
async fn serve<P: Plays>(
    shared: &Shared<P>,
    request: Request<Incoming>,
) -> Result<Response<http_body_util::combinators::BoxBody<Bytes, Infallible>>, io::Error> {
    let cut = || Err(io::Error::other("cut"));
    if shared.away.load(Ordering::SeqCst) {
        return cut();
    }
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let path = head
        .uri
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    let asked = Asked {
        method: head.method.to_string(),
        path,
        headers: head.headers,
        body,
    };
    shared.asked.lock().unwrap().push(asked.clone());
    let mishap = take_mishap(shared, &asked.path);
    let done = || shared.plays.lock().unwrap().answer(&asked);
    let answer = match mishap {
        None => done(),
        Some(Mishap::LosesRequest) => return cut(),
        Some(Mishap::LosesAnswer) => {
            done();
            return cut();
        }
        Some(Mishap::Answers(answer)) => answer,
        Some(Mishap::Dawdles(pause)) => {
            let answer = done();
            tokio::time::sleep(pause).await;
            answer
        }
    };
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let body = Full::new(Bytes::from(answer.body)).boxed();
    response.body(body).map_err(io::Error::other)
}

fn take_mishap<P>(shared: &Shared<P>, path: &str) -> Option<Mishap> {
    let mut mishaps = shared.mishaps.lock().unwrap();
    let place = mishaps.iter().position(|(at, _)| path.contains(at.as_str()))?;
    mishaps.remove(place).map(|(_, mishap)| mishap)
}
