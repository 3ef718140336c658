//! What happened to orders, as clients see it.

use std::sync::Arc;

use async_graphql::{ID, Object};

use super::Order;
use super::status::{OrderEventType, OrderFulfillmentStatus, OrderPaymentStatus, OrderStatus};
use crate::domain::orders::events;
use crate::entity::{order_event, shop_order};
use crate::graphql::scalars::DateTime;

/// An event, around its row and that of its order.
#[derive(Clone, Debug)]
pub struct OrderEvent {
    row: Arc<order_event::Model>,
    order: Arc<shop_order::Model>,
}

impl OrderEvent {
    pub fn new(row: Arc<order_event::Model>, order: Arc<shop_order::Model>) -> Self {
        Self { row, order }
    }
}

/// Something that happened to an order. Events are never changed; of one order they come in the order in which they
/// happened.
#[Object]
impl OrderEvent {
    /// Identifies the event for good, e.g. `order_event_01kb…`.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// Its place: pass it as `after`, to a subscription or to `Order.events`, to go on behind it.
    async fn cursor(&self) -> String {
        events::cursor(&self.row).encode()
    }

    /// What happened.
    #[graphql(name = "type")]
    async fn kind(&self) -> OrderEventType {
        self.row.kind.into()
    }

    /// The order, as it is by now: more may have happened since.
    async fn order(&self) -> Order {
        Order::new(Arc::clone(&self.order))
    }

    /// How far the order as a whole had come after it.
    async fn status(&self) -> OrderStatus {
        self.row.status.into()
    }

    /// How far its money had come after it.
    async fn payment_status(&self) -> OrderPaymentStatus {
        self.row.payment_status.into()
    }

    /// How far its goods had come after it.
    async fn fulfillment_status(&self) -> OrderFulfillmentStatus {
        self.row.fulfillment_status.into()
    }

    /// What happened, in English, for people.
    async fn message(&self) -> &str {
        &self.row.message
    }

    /// When it happened.
    async fn occurred_at(&self) -> DateTime {
        DateTime(self.row.occurred_at)
    }
}
