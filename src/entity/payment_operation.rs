//! Something that a gateway is asked to do, written before it is asked.

use sea_orm::entity::prelude::*;

use crate::kernel::id::{PaymentId, RefundId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OperationKind {
    Create,
    /// What the buyer has agreed to.
    Complete,
    Capture,
    Void,
    Refund,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OperationStatus {
    /// To be done, or done with an outcome that is not known.
    Pending,
    Succeeded,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment_operation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub payment_id: PaymentId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: OperationKind,
    /// From 1; the gateway's idempotency key is made of these three.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i32,
    pub status: OperationStatus,
    /// In minor units; None for all that there is.
    pub amount: Option<i64>,
    pub refund_id: Option<RefundId>,
    pub attempts: i32,
    /// When to try (again); None once it is over.
    pub attempt_at: Option<DateTimeUtc>,
    /// What went wrong the last time, for the log.
    pub error: Option<String>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
