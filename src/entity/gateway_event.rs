//! Something that a gateway has told, once.

use sea_orm::entity::prelude::*;

use super::payment::PaymentGatewayName;
use crate::kernel::id::PaymentId;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GatewayEventStatus {
    /// To be dealt with.
    Pending,
    Applied,
    /// Not about anything of ours, or nothing that we deal with.
    Ignored,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "gateway_event")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub gateway: PaymentGatewayName,
    /// The gateway's own name for it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub event: String,
    pub kind: String,
    pub about: Json,
    /// As it came, until it has been dealt with.
    pub body: Option<Vec<u8>>,
    pub status: GatewayEventStatus,
    pub payment_id: Option<PaymentId>,
    pub attempts: i32,
    /// When to deal with it (again).
    pub attempt_at: Option<DateTimeUtc>,
    /// Why it was ignored, or what went wrong the last time.
    pub note: Option<String>,
    pub received_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
