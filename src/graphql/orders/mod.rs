//! Orders: what happens to them.

mod event;
mod subscription;

pub use event::{OrderEvent, OrderEventType, OrderFulfillmentStatus, OrderPaymentStatus, OrderStatus};
pub use subscription::OrdersSubscription;
