//! Which categories lie above a category: a row for each pair, itself at distance 0 included.

use sea_orm::entity::prelude::*;

use crate::kernel::id::CategoryId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "category_ancestor")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub category_id: CategoryId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub ancestor_id: CategoryId,
    pub distance: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::category::Entity",
        from = "Column::AncestorId",
        to = "super::category::Column::Id"
    )]
    Ancestor,
}

impl Related<super::category::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Ancestor.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
