//! Business refusals as clients see them: data beside the (missing) object, not top-level errors.

use async_graphql::{Enum, Json, SimpleObject};

use super::error::{ApiError, Result};
use crate::kernel::error::{self, Error};

/// One reason why a mutation was refused. Nothing was changed.
#[derive(Clone, Debug, SimpleObject)]
pub struct UserError {
    /// What kind of reason it is, for programs.
    code: ErrorCode,
    /// What is wrong and what to do about it, in English, for people.
    message: String,
    /// Where in the input, e.g. `["input", "variants", "2", "price"]`.
    path: Vec<String>,
    /// Facts about the reason for programs, e.g. `{"available": 3}`; null when there are none.
    params: Option<Json<serde_json::Value>>,
    /// Whether the same request may succeed when it is simply sent again a little later.
    retryable: bool,
}

/// Why a mutation was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::kernel::error::ErrorCode")]
pub enum ErrorCode {
    /// The value has the wrong form.
    Invalid,
    /// A value is missing, empty or null that must be there.
    Required,
    /// The text or list is too long. `params` has `max` for texts.
    TooLong,
    /// The text or list is too short.
    TooShort,
    /// The number is too small or too large.
    OutOfRange,
    /// There is no such object, or none that you may see.
    NotFound,
    /// Somebody else has it already, e.g. a slug.
    Taken,
    /// The object was changed since you read it. `params` has its `currentVersion`.
    StaleObject,
    /// The email and password do not belong together.
    InvalidCredentials,
    /// The password is too easy to guess.
    WeakPassword,
    /// The token is malformed, expired or revoked.
    TokenInvalid,
    /// The token was used before; its session has been closed.
    TokenReused,
    /// There is less stock than asked for. `params` has what is `available`.
    InsufficientStock,
    /// The product is not for sale.
    ProductUnavailable,
    /// The price is no longer what you expected.
    PriceChanged,
    /// The cart has no lines.
    CartEmpty,
    /// The amounts are in different currencies.
    CurrencyMismatch,
    /// The object cannot go from its state to that one.
    TransitionInvalid,
    /// The order has been paid.
    AlreadyPaid,
    /// More than was authorised.
    AmountExceedsCapturable,
    /// More than was captured and not yet refunded.
    AmountExceedsRefundable,
    /// The buyer's bank or account refused.
    PaymentDeclined,
    /// The gateway did not answer.
    GatewayUnavailable,
    /// The shop does not offer this gateway.
    GatewayNotConfigured,
    /// The idempotency key was used for another input: take a new key for each new request.
    IdempotencyKeyReused,
    /// A request with this idempotency key is still being carried out: ask again a little later.
    IdempotencyInProgress,
}

impl From<error::Refusal> for UserError {
    fn from(refusal: error::Refusal) -> Self {
        Self {
            code: refusal.code.into(),
            message: refusal.message,
            path: refusal.path,
            params: refusal.params.map(Json),
            retryable: refusal.retryable,
        }
    }
}

/// What was done, or why it was refused; anything else is a top-level error.
pub(crate) fn refused<T>(outcome: Result<T>) -> Result<(Option<T>, Vec<UserError>)> {
    match outcome {
        Ok(done) => Ok((Some(done), Vec::new())),
        Err(ApiError(Error::Refused(refusals))) => {
            Ok((None, refusals.into_iter().map(UserError::from).collect()))
        }
        Err(error) => Err(error),
    }
}
