//! Payments as clients see them.

mod inputs;
mod mutation;
mod payloads;
mod types;

pub use mutation::PaymentsMutation;
pub use types::{Payment, PaymentGateway, PaymentGatewayName, Refund};
