//! What was ordered of one variant, as it was called and cost then.

use sea_orm::entity::prelude::*;

use crate::kernel::id::{OrderId, OrderLineId, ProductVariantId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "order_line")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OrderLineId,
    pub order_id: OrderId,
    /// From 1, in the order of the cart.
    pub position: i32,
    /// None once the variant is deleted.
    pub variant_id: Option<ProductVariantId>,
    pub product_name: String,
    pub variant_title: String,
    pub sku: Option<String>,
    pub quantity: i32,
    pub fulfilled_quantity: i32,
    pub delivered_quantity: i32,
    /// How much of the stock's `reserved` is this line's: none where stock was not counted when it was placed.
    pub held: i32,
    pub unit_price: i64,
    pub line_total: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::placed::placed!(
    id,
    order_id,
    position,
    variant_id,
    product_name,
    variant_title,
    sku,
    quantity,
    fulfilled_quantity,
    delivered_quantity,
    held,
    unit_price,
    line_total,
);
