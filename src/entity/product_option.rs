//! What the variants of a product differ in, such as size; its values stand in the variants.

use sea_orm::entity::prelude::*;

use crate::kernel::id::ProductId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "product_option")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub product_id: ProductId,
    /// 1 to 3: the variant's column that holds the value.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    pub name: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
