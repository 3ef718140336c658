//! Stock.

mod types;

pub use types::InventoryLevel;
pub(crate) use types::int;
