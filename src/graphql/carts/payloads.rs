//! What mutations of carts answer.

use async_graphql::SimpleObject;

use super::Cart;
use crate::graphql::user_error::UserError;

/// The outcome of `cartCreate`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct CartCreatePayload {
    /// The cart; null when it was refused.
    pub cart: Option<Cart>,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// The outcome of `cartLinesAdd`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct CartLinesAddPayload {
    /// The cart as it is now; null when the change was refused.
    pub cart: Option<Cart>,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// The outcome of `cartLinesUpdate`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct CartLinesUpdatePayload {
    /// The cart as it is now; null when the change was refused.
    pub cart: Option<Cart>,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}
