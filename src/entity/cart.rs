//! What somebody is about to buy.

use sea_orm::entity::prelude::*;

use crate::kernel::id::{CartId, UserId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "cart")]
pub struct Model {
    /// Random: whoever knows a guest's may use it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CartId,
    /// None for a guest's.
    pub user_id: Option<UserId>,
    pub currency: String,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
