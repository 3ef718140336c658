//! Loaders of payments and refunds.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::Loader as Load;

use super::{Loader, loader};
use crate::domain::payments::find;
use crate::entity::{payment, refund};
use crate::graphql::error::{ApiError, Result};
use crate::kernel::id::{OrderId, PaymentId, RefundId};

loader!(
    /// The payments of an order that the caller has, the first one first.
    PaymentsByOrder(OrderId) => Vec<Arc<payment::Model>>, find::payments_by_orders
);
loader!(
    /// The refunds of a payment that the caller has, the first one first.
    RefundsByPayment(PaymentId) => Vec<Arc<refund::Model>>, find::refunds_by_payments
);
loader!(
    /// A payment with its order, if the caller may see that.
    PaymentById(PaymentId) => find::PaymentOfOrder, find::payments_by_ids
);
loader!(
    /// A refund with its payment, if the caller may see their order.
    RefundById(RefundId) => (Arc<refund::Model>, Arc<payment::Model>), find::refunds_by_ids
);
