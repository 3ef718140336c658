//! One change of a level, never altered: all movements of a variant add up to its level.

use sea_orm::entity::prelude::*;

use crate::kernel::id::{InventoryMovementId, ProductVariantId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "inventory_movement")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InventoryMovementId,
    pub variant_id: ProductVariantId,
    pub on_hand_delta: i64,
    pub reserved_delta: i64,
    pub reason: String,
    /// Who did it: `Actor::key`.
    pub actor: String,
    pub occurred_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
