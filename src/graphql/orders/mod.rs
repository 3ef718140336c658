//! Orders, from placing to delivery.

mod connection;
mod event;
mod fulfillment;
mod inputs;
mod line;
mod mutation;
mod order;
mod payloads;
mod query;
mod status;

pub(crate) use connection::OrderConnection;
pub use event::OrderEvent;
pub use fulfillment::Fulfillment;
pub(crate) use inputs::OrderFilter;
pub use line::OrderLine;
pub use mutation::OrdersMutation;
pub use order::Order;
pub use query::OrdersQuery;
