//! Which products are wanted. All conditions hold at once.

use crate::entity::product::ProductStatus;
use crate::kernel::id::{CategoryId, ProductId};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CategoryRef {
    Id(CategoryId),
    Slug(String),
}

/// Bounds in minor units of the shop's currency, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PriceRange {
    pub min: Option<i64>,
    pub max: Option<i64>,
}

/// None leaves a condition out; an empty list matches nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProductFilter {
    pub ids: Option<Vec<ProductId>>,
    /// Words that the product must all have, as `kernel::text::words` makes them.
    pub words: Option<Vec<String>>,
    /// The category or any below it.
    pub category: Option<CategoryRef>,
    pub vendors: Option<Vec<String>>,
    pub product_types: Option<Vec<String>>,
    /// At least one of them.
    pub tags: Option<Vec<String>>,
    /// At least one variant costs that much.
    pub price: Option<PriceRange>,
    /// At least one variant can be had.
    pub in_stock: Option<bool>,
    pub statuses: Option<Vec<ProductStatus>>,
}
