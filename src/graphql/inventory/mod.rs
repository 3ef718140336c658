//! Stock.

pub mod mutation;
mod types;

pub use mutation::InventoryMutation;
pub use types::InventoryLevel;
pub(crate) use types::int;
