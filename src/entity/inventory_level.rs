//! How many of a variant there are.

use sea_orm::entity::prelude::*;

use crate::kernel::id::ProductVariantId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "inventory_level")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub variant_id: ProductVariantId,
    /// When false the shop sells without counting, and the numbers mean nothing.
    pub tracked: bool,
    pub on_hand: i64,
    /// Promised to open orders; never more than `on_hand` where stock is tracked.
    pub reserved: i64,
    /// What the last imported file said: another import with the same number is no news.
    pub imported_on_hand: Option<i64>,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
