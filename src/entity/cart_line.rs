//! How many of a variant are in a cart.

use sea_orm::entity::prelude::*;

use crate::kernel::id::{CartId, CartLineId, ProductVariantId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "cart_line")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CartLineId,
    pub cart_id: CartId,
    pub variant_id: ProductVariantId,
    pub quantity: i32,
    /// What one cost when the line was last touched, in minor units of the cart's currency.
    pub unit_price: i64,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
