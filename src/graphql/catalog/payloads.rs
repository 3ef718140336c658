//! What mutations of the catalog answer.

use async_graphql::SimpleObject;

use super::{Category, Product, ProductVariant};
use crate::graphql::user_error::UserError;

/// The outcome of `productCreate`.
#[derive(Clone, Debug, SimpleObject)]
pub struct ProductCreatePayload {
    /// The new product; null when it was refused.
    pub product: Option<Product>,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// The outcome of `productUpdate`.
#[derive(Clone, Debug, SimpleObject)]
pub struct ProductUpdatePayload {
    /// The product as it is now; null when the change was refused.
    pub product: Option<Product>,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// The outcome of `productVariantUpdate`.
#[derive(Clone, Debug, SimpleObject)]
pub struct ProductVariantUpdatePayload {
    /// The variant as it is now; null when the change was refused.
    pub variant: Option<ProductVariant>,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// The outcome of `categoryCreate`.
#[derive(Clone, Debug, SimpleObject)]
pub struct CategoryCreatePayload {
    /// The new category; null when it was refused.
    pub category: Option<Category>,
    /// Why it was refused; empty when it was not.
    pub user_errors: Vec<UserError>,
}
