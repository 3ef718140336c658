//! Carts: what somebody is about to buy.

pub mod lock;
pub mod policy;
