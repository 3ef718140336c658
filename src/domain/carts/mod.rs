//! Carts: what somebody is about to buy. A cart holds no stock and promises no price: both are looked at afresh each time
//! that it is read, and what has changed since is told.

pub mod change;
pub mod find;
pub mod forget;
pub mod goods;
pub mod lock;
pub mod policy;
pub mod take_over;
pub mod today;

/// The most lines of a cart.
pub const MAX_LINES: usize = 250;
/// The most of one variant in a cart.
pub const MAX_QUANTITY: i32 = 10_000;
