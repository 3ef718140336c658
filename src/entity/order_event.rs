//! Something that happened to an order. Only ever added: the database refuses to change or delete it, but for the
//! place among all events, which it is given once.

use sea_orm::entity::prelude::*;

use super::shop_order::{FulfillmentProgress, OrderStatus, PaymentProgress};
use crate::kernel::id::{OrderEventId, OrderId, UserId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderEventType {
    Placed,
    PaymentPending,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentFailed,
    PaymentVoided,
    Confirmed,
    Fulfilled,
    Delivered,
    Completed,
    Cancelled,
    Expired,
    RefundPending,
    Refunded,
    RefundFailed,
    ReviewRequired,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "order_event")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OrderEventId,
    pub order_id: OrderId,
    /// Its place among the events of its order, from 1 without gaps.
    pub seq: i32,
    /// Its place among all events, from 1 without gaps; None until it has been given one, moments after its commit.
    pub position: Option<i64>,
    /// Whose order it is; None for a guest's.
    pub user_id: Option<UserId>,
    #[sea_orm(column_name = "type")]
    pub kind: OrderEventType,
    /// What the order was after it, as are the next two.
    pub status: OrderStatus,
    pub payment_status: PaymentProgress,
    pub fulfillment_status: FulfillmentProgress,
    /// In English, for the customer.
    pub message: String,
    /// Who did it: `Actor::key`.
    pub actor: String,
    pub occurred_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
