//! What clients are told when something goes wrong: a code, a safe text, nothing else.

use async_graphql::{ErrorExtensions as _, Value};

use crate::infra::db::{Trouble, report_outage};
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
            Error::Internal(_) => internal(&error),
        }
    }
}

/// A fault of ours is logged here, where it leaves the house.
fn internal(fault: &Error) -> async_graphql::Error {
    let chain = match fault {
        Error::Internal(chain) => format!("{chain:#}"),
        other => format!("{other:?}"),
    };
    match Trouble::of(fault) {
        Some(Trouble::Stopped) => {
            tracing::warn!(error = chain, "a statement was stopped at the deadline");
            coded("TIMEOUT", "This took too long and was stopped.")
        }
        Some(Trouble::Unreachable) => {
            report_outage(&chain);
            retryable(UNREACHABLE)
        }
        Some(Trouble::Conflict) => {
            tracing::warn!(error = chain, "a transaction gave way to another one");
            retryable(CONFLICT)
        }
        None => {
            tracing::error!(error = chain, "operation failed");
            coded(
                "INTERNAL",
                "Something went wrong on our side. It has been logged; please try again.",
            )
        }
    }
}

const UNREACHABLE: &str = "The database cannot be reached just now. Send this again in a moment: with the same idempotency key it is done once, whatever became of it. Of a change without such a key look first whether it was done.";

const CONFLICT: &str = "This met another change at the same moment, and was not done. Send it again, with the same idempotency key.";

/// A fault that is over soon, and that the client gets over by sending the same again.
fn retryable(message: &str) -> async_graphql::Error {
    coded("INTERNAL", message).extend_with(|_, extensions| extensions.set("retryable", true))
}

/// An error with its `extensions.code`.
pub(crate) fn coded(code: &'static str, message: &str) -> async_graphql::Error {
    async_graphql::Error::new(message).extend_with(|_, extensions| extensions.set("code", code))
}
