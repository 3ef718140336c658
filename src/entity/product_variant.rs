//! What is really sold: a product in one size and colour, with its price.

use sea_orm::entity::prelude::*;

use crate::kernel::id::{ProductId, ProductImageId, ProductVariantId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "product_variant")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProductVariantId,
    pub product_id: ProductId,
    /// From 1; the order in which variants are shown.
    pub position: i32,
    /// Real catalogs repeat and omit it: never a key.
    pub sku: Option<String>,
    pub title: String,
    /// The value of the product's first option; empty when it has none.
    pub option1: String,
    pub option2: String,
    pub option3: String,
    /// In minor units of the product's currency, as is `compare_at_price`.
    pub price: i64,
    pub compare_at_price: Option<i64>,
    pub image_id: Option<ProductImageId>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
