//! The catalog as clients see it.

mod category;
mod connection;
pub mod inputs;
mod mutation;
pub mod payloads;
mod product;
mod query;
pub mod staff_inputs;
mod variant;

pub use category::Category;
pub use connection::{CategoryConnection, ProductConnection};
pub use inputs::{CategoryBy, ProductBy, ProductFilter, ProductSort};
pub use mutation::CatalogMutation;
pub(crate) use mutation::variant;
pub use product::{Image, Product, ProductStatus};
pub use query::CatalogQuery;
pub use variant::ProductVariant;
