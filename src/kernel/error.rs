//! What can go wrong, in two kinds: what a client may read, and what it never does.
//!
//! [`Error`] is deliberately not `Display`: async-graphql turns anything that is into a client
//! error, so that a `?` on a database error would send SQL text to strangers.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The outcome of an operation that did not succeed.
#[derive(Clone, Debug)]
pub enum Error {
    /// The shop says no, for reasons that the caller can act on: data, not a fault.
    Refused(Vec<Refusal>),
    /// An argument that no well-behaved client sends: a malformed id, a negative page size.
    BadInput(BadInput),
    /// Nobody is signed in, and somebody must be.
    Unauthenticated,
    /// Somebody is signed in who may not do this.
    Forbidden,
    /// Too often, or too many at once; it may be tried again after this time.
    Throttled { retry_after: Duration },
    /// A fault of ours. Logged once, at the boundary; the client only learns that it happened.
    Internal(Arc<anyhow::Error>),
}

/// A bad argument: what is wrong with it, and which one it is, e.g. `["filter", "ids", "2"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadInput {
    pub message: String,
    pub argument: Vec<String>,
}

/// One reason why the shop refused, with the place in the input that it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub code: ErrorCode,
    pub message: String,
    /// Where in the input, e.g. `["input", "variants", "2", "price"]`.
    pub path: Vec<String>,
    /// Facts for machines, e.g. `{"available": 3}`.
    pub params: Option<Value>,
    /// Whether the same request may succeed when it is simply sent again.
    pub retryable: bool,
}

/// Why the shop refused. A new code needs a client that would act differently on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    Invalid,
    Required,
    TooLong,
    TooShort,
    OutOfRange,
    NotFound,
    Taken,
    StaleObject,
    InvalidCredentials,
    WeakPassword,
    TokenInvalid,
    TokenReused,
    InsufficientStock,
    ProductUnavailable,
    PriceChanged,
    CartEmpty,
    CurrencyMismatch,
    TransitionInvalid,
    AlreadyPaid,
    AmountExceedsCapturable,
    AmountExceedsRefundable,
    PaymentDeclined,
    GatewayUnavailable,
    GatewayNotConfigured,
    IdempotencyKeyReused,
    IdempotencyInProgress,
}

impl Refusal {
    /// A refusal about `path`, given without the leading `input`, segments joined by dots:
    /// `"variants.2.price"`. An empty path is about the input as a whole.
    pub fn new(code: ErrorCode, path: &str, message: impl Into<String>) -> Self {
        let path = std::iter::once("input")
            .chain(path.split('.').filter(|segment| !segment.is_empty()))
            .map(str::to_owned)
            .collect();
        Self {
            code,
            message: message.into(),
            path,
            params: None,
            retryable: false,
        }
    }

    #[must_use]
    pub fn with_params(mut self, params: Value) -> Self {
        self.params = Some(params);
        self
    }

    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }
}

impl Error {
    /// A single refusal; see [`Refusal::new`] for the path.
    pub fn refused(code: ErrorCode, path: &str, message: impl Into<String>) -> Self {
        Self::Refused(vec![Refusal::new(code, path, message)])
    }

    /// A bad argument; `argument` is its path, segments joined by dots.
    pub fn bad_input(argument: &str, message: impl Into<String>) -> Self {
        Self::BadInput(BadInput {
            message: message.into(),
            argument: argument
                .split('.')
                .filter(|s| !s.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }

    /// A fault that only the log may tell of.
    pub fn internal(error: impl Into<anyhow::Error>) -> Self {
        Self::Internal(Arc::new(error.into()))
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(vec![refusal])
    }
}

impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::internal(error)
    }
}

/// For callers outside GraphQL (commands, workers) that show the whole chain to their operator.
impl From<Error> for anyhow::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusals) => {
                let all: Vec<_> = refusals
                    .iter()
                    .map(|r| format!("{}: {}", r.path.join("."), r.message))
                    .collect();
                anyhow::anyhow!(all.join("; "))
            }
            Error::BadInput(bad) => anyhow::anyhow!("{}: {}", bad.argument.join("."), bad.message),
            Error::Unauthenticated => anyhow::anyhow!("nobody is signed in"),
            Error::Forbidden => anyhow::anyhow!("not allowed"),
            Error::Throttled { retry_after } => {
                anyhow::anyhow!("too often: try again in {} seconds", retry_after.as_secs().max(1))
            }
            Error::Internal(error) => anyhow::anyhow!("{error:#}"),
        }
    }
}
