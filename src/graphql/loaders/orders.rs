//! Loaders of orders and what belongs to them.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::Loader as Load;

use super::{Loader, loader};
use crate::domain::orders::{events, find};
use crate::entity::{fulfillment, order_event, order_line, shop_order};
use crate::graphql::error::{ApiError, Result};
use crate::kernel::id::{FulfillmentId, OrderEventId, OrderId, OrderLineId};

loader!(
    /// An order, if the caller may see it without a token.
    OrderById(OrderId) => Arc<shop_order::Model>, find::orders_by_ids
);
loader!(
    /// The lines of an order, in their order. For those who have the order.
    LinesByOrder(OrderId) => Vec<Arc<order_line::Model>>, find::lines_by_orders
);
loader!(
    /// A line, whoever may see it: show it only with its order.
    OrderLineById(OrderLineId) => Arc<order_line::Model>, find::lines_by_ids
);
loader!(
    /// The parcels of an order, the first one first. For those who have the order.
    FulfillmentsByOrder(OrderId) => Vec<Arc<fulfillment::Model>>, find::fulfillments_by_orders
);
loader!(
    /// A parcel, whoever may see it: show it only with its order.
    FulfillmentById(FulfillmentId) => Arc<fulfillment::Model>, find::fulfillments_by_ids
);
loader!(
    /// What is in a parcel, and how many of it. For those who have the order.
    LinesByFulfillment(FulfillmentId) => Vec<(Arc<order_line::Model>, i32)>, find::lines_by_fulfillments
);
loader!(
    /// An event, whoever may see it: show it only with its order.
    OrderEventById(OrderEventId) => Arc<order_event::Model>, events::events_by_ids
);
