//! The catalog as clients see it.

mod category;
mod connection;
mod inputs;
mod product;
mod query;
mod variant;

pub use category::Category;
pub use connection::{CategoryConnection, ProductConnection};
pub use inputs::{CategoryBy, ProductBy, ProductFilter, ProductSort};
pub use product::{Image, Product, ProductStatus};
pub use query::CatalogQuery;
pub use variant::ProductVariant;
