//! Where orders and parcels stand, as clients see it.

use async_graphql::Enum;

/// How far an order as a whole has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::entity::shop_order::OrderStatus")]
pub enum OrderStatus {
    /// Placed, and not paid: its stock is held for a while.
    PendingPayment,
    /// Paid, or promised to be: it is being sent.
    Confirmed,
    /// Everything has arrived and is paid. An end.
    Completed,
    /// Taken back before anything was sent; its money goes back. An end.
    Cancelled,
    /// Not paid in time; its stock is free again. An end, unless a payment that was under way succeeds after all.
    Expired,
}

/// How far an order's money has come: follows from its payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(
    name = "OrderPaymentStatus",
    remote = "crate::entity::shop_order::PaymentProgress"
)]
pub enum OrderPaymentStatus {
    /// Nothing was promised or taken.
    Unpaid,
    /// Promised, and not yet taken.
    Authorized,
    /// Less than the total was taken.
    PartiallyPaid,
    /// The total was taken.
    Paid,
    /// Some of what was taken went back.
    PartiallyRefunded,
    /// All that was taken went back.
    Refunded,
}

/// How far an order's goods have come: follows from its parcels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(
    name = "OrderFulfillmentStatus",
    remote = "crate::entity::shop_order::FulfillmentProgress"
)]
pub enum OrderFulfillmentStatus {
    /// Nothing was sent.
    Unfulfilled,
    /// Some of it was sent.
    PartiallyFulfilled,
    /// All of it was sent.
    Fulfilled,
    /// All of it has arrived.
    Delivered,
}

/// Something that can be done to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::domain::orders::state::OrderAction")]
pub enum OrderAction {
    /// Pay it: `paymentCreate`.
    Pay,
    /// Take it back: `orderCancel`.
    Cancel,
    /// Send some or all of it: `fulfillmentCreate`. Staff only.
    Fulfill,
    /// Say that a parcel has arrived: `fulfillmentDeliver`. Staff only.
    MarkDelivered,
    /// Take the money that was promised: `paymentCapture`. Staff only.
    Capture,
    /// Give money back: `refundCreate`. Staff only.
    Refund,
}

/// Where a parcel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::entity::fulfillment::FulfillmentStatus")]
pub enum FulfillmentStatus {
    /// On its way.
    Shipped,
    /// Arrived.
    Delivered,
    /// Called back.
    Cancelled,
}

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::entity::order_event::OrderEventType")]
pub enum OrderEventType {
    /// It was placed.
    Placed,
    /// A payment was begun.
    PaymentPending,
    /// A payment was promised.
    PaymentAuthorized,
    /// A payment was taken.
    PaymentCaptured,
    /// A payment failed: it can be tried anew.
    PaymentFailed,
    /// A payment that was promised or under way was called off.
    PaymentVoided,
    /// It is paid, or will be: it goes to be sent.
    Confirmed,
    /// A parcel was sent.
    Fulfilled,
    /// A parcel has arrived.
    Delivered,
    /// Everything has arrived and is paid.
    Completed,
    /// It was taken back.
    Cancelled,
    /// It was not paid in time.
    Expired,
    /// Money is to go back.
    RefundPending,
    /// Money went back.
    Refunded,
    /// Money could not go back: staff look after it.
    RefundFailed,
    /// Something happened that staff must look at, such as money for an order that had ended.
    ReviewRequired,
}
