//! A picture of a product, by address.

use sea_orm::entity::prelude::*;

use crate::kernel::id::{ProductId, ProductImageId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "product_image")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProductImageId,
    pub product_id: ProductId,
    pub url: String,
    pub alt_text: Option<String>,
    /// From 1, without gaps.
    pub position: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
