//! Something that the shop offers, in one or more variants.

use sea_orm::entity::prelude::*;

use crate::kernel::id::{CategoryId, ProductId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProductStatus {
    Draft,
    Active,
    Archived,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "product")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProductId,
    pub slug: String,
    pub name: String,
    /// What lists are sorted by: `kernel::text::sort_key` of the name.
    pub name_key: String,
    /// Sanitised HTML.
    pub description: String,
    pub vendor: Option<String>,
    pub product_type: Option<String>,
    pub status: ProductStatus,
    pub category_id: Option<CategoryId>,
    /// The ISO 4217 code that all prices of its variants are in.
    pub currency: String,
    /// The lowest and highest price of its variants, in minor units.
    pub price_min: i64,
    pub price_max: i64,
    /// Grows by one with each change of the product, its variants or images.
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
