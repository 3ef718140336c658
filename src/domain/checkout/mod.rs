//! What changes several nouns at once: placing, cancelling, ending and sending orders.
//!
//! Locks are taken in one order everywhere, see `orders::change`.

pub mod cancel;
pub mod deliver;
pub mod expire;
pub mod fulfill;
pub mod place;
pub mod queues;
mod stock;
