//! Speaking HTTP with gateways: one client with time limits, connections that are used again, and a bounded number of
//! tries. Nothing that is sent or answered is logged: it has secrets, and people's names.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use tracing::{Instrument as _, Span};

use crate::infra::metric::GATEWAY_CALLS;
use crate::infra::telemetry::trace;

const CONNECT: Duration = Duration::from_secs(5);
/// One try; with all tries and pauses it stays below what a payment's operation may take.
const TRY: Duration = Duration::from_secs(8);
const TRIES: u32 = 3;
/// Before the second try; doubled before each further one, and halved at random.
const PAUSE: Duration = Duration::from_millis(400);
/// A gateway that wants to be left alone for longer is asked again by the worker.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// Gateways answer in a few kilobytes.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// Speaks with one gateway.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    gateway: &'static str,
    pause: Duration,
}

/// Something to ask.
pub struct Call {
    /// For logs and metrics, e.g. `create`: one of a few.
    pub operation: &'static str,
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Whether to ask again what may have been heard.
    pub repeatable: bool,
}

/// Without what is sent.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operation, method, ..
        } = self;
        write!(f, "Call({operation}, {method})")
    }
}

impl Call {
    pub fn get(operation: &'static str, url: Url) -> Self {
        Self {
            operation,
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            repeatable: true,
        }
    }

    /// One that a gateway recognises when it comes again, by a key that the caller adds.
    pub fn post(
        operation: &'static str,
        url: Url,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Self {
        let content_type = HeaderValue::from_static(content_type);
        Self {
            method: Method::POST,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]),
            body: body.into(),
            ..Self::get(operation, url)
        }
    }

    /// One that must not be heard twice.
    pub fn once(mut self) -> Self {
        self.repeatable = false;
        self
    }

    /// # Errors
    /// The value cannot be in a header.
    pub fn header(mut self, name: &'static str, value: &str) -> Result<Self, Miss> {
        let value = HeaderValue::from_str(value).map_err(|_| bad_header(name))?;
        self.headers.insert(HeaderName::from_static(name), value);
        Ok(self)
    }

    /// The same of what must not be shown.
    ///
    /// # Errors
    /// The value cannot be in a header.
    pub fn secret(mut self, name: &'static str, value: &SecretString) -> Result<Self, Miss> {
        let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| bad_header(name))?;
        value.set_sensitive(true);
        self.headers.insert(HeaderName::from_static(name), value);
        Ok(self)
    }
}

fn bad_header(name: &str) -> Miss {
    Miss::NotSent(format!("{name} has characters that no header may have"))
}

/// What a gateway answered, whatever it was.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Without what was answered.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({})", self.status)
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether to ask again: as the gateway says itself (Stripe does), else when it is busy or broken.
    fn is_passing(&self) -> bool {
        match self.header("stripe-should-retry") {
            Some("true") => true,
            Some("false") => false,
            Some(_) | None => matches!(self.status, 409 | 429 | 500 | 502 | 503 | 504),
        }
    }

    fn wish(&self) -> Option<Duration> {
        let seconds = self.header(RETRY_AFTER.as_str())?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

/// Why there is no answer. For the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Miss {
    /// The gateway has certainly not heard it.
    #[error("not sent: {0}")]
    NotSent(String),
    /// It may have.
    #[error("no answer: {0}")]
    NoAnswer(String),
}

impl From<Miss> for super::Fault {
    fn from(miss: Miss) -> Self {
        Self::Unknown(miss.to_string())
    }
}

impl Client {
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(gateway: &'static str) -> anyhow::Result<Self> {
        // Refused only when it has been installed before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(TRY)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("souk/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            http,
            gateway,
            pause: PAUSE,
        })
    }

    /// Asks, and again where that may help. The last answer.
    ///
    /// # Errors
    /// There was none.
    pub async fn send(&self, call: &Call) -> Result<Answer, Miss> {
        let (gateway, operation) = (self.gateway, call.operation);
        let span = tracing::info_span!("gateway", gateway, operation);
        let traced = tracing::trace_span!(
            target: trace::TARGET,
            "gateway",
            otel.name = format_args!("{gateway} {operation}"),
            otel.kind = "client",
            http.request.method = call.method.as_str(),
            server.address = call.url.host_str(),
            http.response.status_code = tracing::field::Empty,
        );
        // The traced one within, where what is asked looks for whom it is for.
        self.tries(call).instrument(traced).instrument(span).await
    }

    async fn tries(&self, call: &Call) -> Result<Answer, Miss> {
        let mut pause = self.pause;
        for _ in 1..TRIES {
            let told = self.measured(call).await;
            let wish = match &told {
                Ok(answer) if !(call.repeatable && answer.is_passing()) => return told,
                Ok(answer) => answer.wish(),
                Err(Miss::NotSent(_)) => None,
                Err(Miss::NoAnswer(_)) if !call.repeatable => return told,
                Err(Miss::NoAnswer(_)) => None,
            };
            if wish.is_some_and(|wish| wish > LONGEST_PAUSE) {
                return told;
            }
            tokio::time::sleep(wish.unwrap_or_default().max(jittered(pause))).await;
            pause *= 2;
        }
        self.measured(call).await
    }

    async fn measured(&self, call: &Call) -> Result<Answer, Miss> {
        let start = Instant::now();
        let told = self.once(call).await;
        let outcome = match &told {
            Ok(answer) if answer.is_success() => "success",
            Ok(answer) if answer.status < 500 => "refused",
            Ok(_) => "broken",
            Err(Miss::NotSent(_)) => "not_sent",
            Err(Miss::NoAnswer(_)) => "no_answer",
        };
        GATEWAY_CALLS
            .histogram([self.gateway, call.operation, outcome])
            .record(start.elapsed());
        match &told {
            Ok(answer) => drop(Span::current().record("http.response.status_code", i64::from(answer.status))),
            Err(_) => trace::failed(&Span::current()),
        }
        match &told {
            Ok(answer) => {
                let request = ["request-id", "paypal-debug-id"]
                    .iter()
                    .find_map(|name| answer.header(name));
                tracing::info!(status = answer.status, request, "a gateway answered");
            }
            Err(miss) => tracing::warn!(%miss, "a gateway did not answer"),
        }
        told
    }

    async fn once(&self, call: &Call) -> Result<Answer, Miss> {
        let mut headers = call.headers.clone();
        trace::tell(&mut headers);
        let request = self
            .http
            .request(call.method.clone(), call.url.clone())
            .headers(headers)
            .body(call.body.clone());
        let no_answer = |error: reqwest::Error| {
            // The address may hold secrets.
            let error = error.without_url();
            let text = format!("{:#}", anyhow::Error::from(error));
            Miss::NoAnswer(text)
        };
        let response = request.send().await.map_err(|error| {
            if error.is_connect() || error.is_builder() {
                let error = anyhow::Error::from(error.without_url());
                return Miss::NotSent(format!("{error:#}"));
            }
            no_answer(error)
        })?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = read(response).await.map_err(|error| match error {
            Some(error) => no_answer(error),
            None => Miss::NoAnswer(format!("an answer of more than {LONGEST_ANSWER} bytes")),
        })?;
        Ok(Answer {
            status,
            headers,
            body,
        })
    }
}

/// None when it is too long.
async fn read(mut response: reqwest::Response) -> Result<Bytes, Option<reqwest::Error>> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(Some)? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Between half of it and all.
fn jittered(pause: Duration) -> Duration {
    let per_mille = getrandom::u32().unwrap_or_default() % 1_000;
    pause / 2 + pause / 2 * per_mille / 1_000
}
