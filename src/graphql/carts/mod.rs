//! Carts as clients see them.

mod inputs;
mod mutation;
mod payloads;
mod query;
mod types;

pub use mutation::CartsMutation;
pub use query::CartsQuery;
pub use types::{Cart, CartLine};
