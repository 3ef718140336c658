//! A product under a category and under each of that category's ancestors, with what lists are
//! sorted by: so that a list of a category with all its descendants is one walk along an index.

use sea_orm::entity::prelude::*;

use super::product::ProductStatus;
use crate::kernel::id::{CategoryId, ProductId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "product_listing")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub category_id: CategoryId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub product_id: ProductId,
    /// These four are copies of the product's columns.
    pub status: ProductStatus,
    pub price_min: i64,
    pub name_key: String,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
