//! What mutations of orders answer.

use async_graphql::SimpleObject;

use super::{Fulfillment, Order};
use crate::graphql::user_error::UserError;

/// The outcome of `orderPlace`.
#[derive(Clone, SimpleObject)]
pub(super) struct OrderPlacePayload {
    /// The order; null when it was refused, and then nothing is held.
    pub order: Option<Order>,
    /// What a guest reads and pays just this order with; null for customers. Keep it like a password.
    pub guest_token: Option<String>,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// The outcome of `orderCancel`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct OrderCancelPayload {
    /// The order as it is now; null when it was refused.
    pub order: Option<Order>,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// The outcome of `fulfillmentCreate`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct FulfillmentCreatePayload {
    /// The parcel; null when it was refused.
    pub fulfillment: Option<Fulfillment>,
    /// The order as it is now; null when it was refused.
    pub order: Option<Order>,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// The outcome of `fulfillmentDeliver`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct FulfillmentDeliverPayload {
    /// The parcel as it is now; null when it was refused.
    pub fulfillment: Option<Fulfillment>,
    /// The order as it is now; null when it was refused.
    pub order: Option<Order>,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}
