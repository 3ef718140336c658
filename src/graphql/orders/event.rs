//! What happened to an order, as clients see it.

use std::sync::Arc;

use async_graphql::{Enum, ID, Object};

use crate::domain::orders::events;
use crate::domain::orders::feed::Happening;
use crate::entity::{order_event, shop_order};
use crate::graphql::scalars::DateTime;

/// How far an order has come as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::entity::shop_order::OrderStatus")]
pub enum OrderStatus {
    /// Placed, and its goods are kept for the buyer until it is paid or the time is up.
    PendingPayment,
    /// Paid, or promised to be: its goods are to be sent.
    Confirmed,
    /// Everything has arrived and is paid.
    Completed,
    /// Called off; what was paid goes back.
    Cancelled,
    /// Not paid in time: its goods are free again.
    Expired,
}

/// How far the money of an order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::entity::shop_order::PaymentProgress")]
pub enum OrderPaymentStatus {
    /// Nothing has been paid or promised.
    Unpaid,
    /// All of it is promised by the buyer's bank, and not taken yet.
    Authorized,
    /// A part of it has been taken.
    PartiallyPaid,
    /// All of it has been taken.
    Paid,
    /// A part of what was taken went back.
    PartiallyRefunded,
    /// All that was taken went back.
    Refunded,
}

/// How far the goods of an order have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::entity::shop_order::FulfillmentProgress")]
pub enum OrderFulfillmentStatus {
    /// Nothing has been sent.
    Unfulfilled,
    /// A part of it has been sent.
    PartiallyFulfilled,
    /// All of it has been sent.
    Fulfilled,
    /// All of it has arrived.
    Delivered,
}

/// What can happen to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::entity::order_event::OrderEventType")]
pub enum OrderEventType {
    /// It was placed, and its goods are kept.
    Placed,
    /// A payment was begun, and what comes of it is not known yet.
    PaymentPending,
    /// The buyer's bank promised the money.
    PaymentAuthorized,
    /// Money was taken.
    PaymentCaptured,
    /// A payment came to nothing. Another one may be begun.
    PaymentFailed,
    /// A promise was given back, and nothing was taken by it.
    PaymentVoided,
    /// It is paid, or promised to be: its goods are to be sent.
    Confirmed,
    /// Goods were sent.
    Fulfilled,
    /// Goods have arrived.
    Delivered,
    /// Everything has arrived and is paid.
    Completed,
    /// It was called off.
    Cancelled,
    /// It was not paid in time.
    Expired,
    /// A refund was begun, and what comes of it is not known yet.
    RefundPending,
    /// Money went back.
    Refunded,
    /// A refund came to nothing.
    RefundFailed,
    /// Something about its money has to be looked at by staff.
    ReviewRequired,
}

/// An event, around its row, with the row of its order: it costs nothing to ask for.
#[derive(Clone, Debug)]
pub struct OrderEvent {
    pub row: Arc<order_event::Model>,
    pub order: Arc<shop_order::Model>,
}

impl OrderEvent {
    pub fn new(row: Arc<order_event::Model>, order: Arc<shop_order::Model>) -> Self {
        Self { row, order }
    }
}

impl From<&Happening> for OrderEvent {
    fn from(happening: &Happening) -> Self {
        Self::new(Arc::clone(&happening.event), Arc::clone(&happening.order))
    }
}

/// Something that happened to an order: written down with it, and never changed since. `status`, `paymentStatus` and
/// `fulfillmentStatus` are those after the event.
#[Object]
impl OrderEvent {
    /// Identifies the event for good, e.g. `order_event_01kb…`.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// Its place: pass it as `after` to a subscription to hear what came later.
    async fn cursor(&self) -> String {
        events::cursor(&self.row).encode()
    }

    /// What happened.
    #[graphql(name = "type")]
    async fn kind(&self) -> OrderEventType {
        self.row.kind.into()
    }

    /// How far the order had come by it.
    async fn status(&self) -> OrderStatus {
        self.row.status.into()
    }

    /// How far its money had come by it.
    async fn payment_status(&self) -> OrderPaymentStatus {
        self.row.payment_status.into()
    }

    /// How far its goods had come by it.
    async fn fulfillment_status(&self) -> OrderFulfillmentStatus {
        self.row.fulfillment_status.into()
    }

    /// What happened in a sentence, in English, for the customer.
    async fn message(&self) -> &str {
        &self.row.message
    }

    /// When it happened.
    async fn occurred_at(&self) -> DateTime {
        DateTime(self.row.occurred_at)
    }
}
