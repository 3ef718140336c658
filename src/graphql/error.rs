//! What clients are told when something goes wrong: a code, a safe text, nothing else.

use async_graphql::{ErrorExtensions as _, Value};

use crate::infra::db::was_stopped;
use crate::kernel::error::Error;

/// The error of every resolver. It is not `Display` on purpose: see `kernel::error`.
#[derive(Clone, Debug)]
pub struct ApiError(pub Error);

pub type Result<T, E = ApiError> = std::result::Result<T, E>;

impl<E: Into<Error>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl From<ApiError> for async_graphql::Error {
    fn from(ApiError(error): ApiError) -> Self {
        match error {
            Error::BadInput(bad) => {
                let text = format!("{} {}", bad.argument.join("."), bad.message);
                coded("BAD_USER_INPUT", text.trim_start()).extend_with(|_, extensions| {
                    extensions.set(
                        "argument",
                        bad.argument.iter().map(Value::from).collect::<Vec<_>>(),
                    );
                })
            }
            Error::Unauthenticated => coded("UNAUTHENTICATED", "Sign in first: this needs an access token."),
            Error::Forbidden => coded("FORBIDDEN", "Your account may not do this."),
            Error::Throttled { retry_after } => {
                let seconds = retry_after.as_millis().div_ceil(1000).max(1);
                let text = format!("Too many attempts: try again in {seconds} seconds.");
                coded("THROTTLED", &text).extend_with(|_, extensions| {
                    extensions.set("retryAfter", u64::try_from(seconds).unwrap_or(u64::MAX));
                })
            }
            // Mutations turn refusals into `userErrors`; one that comes up here was meant for them.
            Error::Refused(refusals) => {
                let text = refusals
                    .first()
                    .map_or("The input was refused.", |refusal| &refusal.message);
                coded("BAD_USER_INPUT", text)
            }
            ref stopped @ Error::Internal(ref error) if was_stopped(stopped) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "a statement was stopped at the deadline"
                );
                coded("TIMEOUT", "This took too long and was stopped.")
            }
            Error::Internal(error) => {
                tracing::error!(error = format!("{error:#}"), "operation failed");
                coded(
                    "INTERNAL",
                    "Something went wrong on our side. It has been logged; please try again.",
                )
            }
        }
    }
}

/// An error with its `extensions.code`.
pub(crate) fn coded(code: &'static str, message: &str) -> async_graphql::Error {
    async_graphql::Error::new(message).extend_with(|_, extensions| extensions.set("code", code))
}
