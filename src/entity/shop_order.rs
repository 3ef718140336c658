//! Something that was ordered, as it was then, and how far it has come.

use sea_orm::entity::prelude::*;

use crate::kernel::address::PostalAddress;
use crate::kernel::id::{OrderId, UserId};

/// How far the order as a whole has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderStatus {
    PendingPayment,
    Confirmed,
    Completed,
    Cancelled,
    Expired,
}

/// How far its money has come: derived from its payments, never set by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentProgress {
    Unpaid,
    Authorized,
    PartiallyPaid,
    Paid,
    PartiallyRefunded,
    Refunded,
}

/// How far its goods have come: derived from its lines, never set by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FulfillmentProgress {
    Unfulfilled,
    PartiallyFulfilled,
    Fulfilled,
    Delivered,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "shop_order")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OrderId,
    /// What people say on the phone. Random: it tells nobody how many there are.
    pub number: String,
    pub status: OrderStatus,
    pub payment_status: PaymentProgress,
    pub fulfillment_status: FulfillmentProgress,
    /// None for a guest's.
    pub user_id: Option<UserId>,
    /// Of the token that a guest reads and pays it with.
    pub guest_token_hash: Option<String>,
    /// What that token is derived from, together with the id of the cart that the order was.
    pub guest_seed: Option<String>,
    pub email: String,
    #[sea_orm(column_type = "JsonBinary")]
    /// As it was said when the order was placed.
    pub shipping_address: PostalAddress,
    pub currency: String,
    /// In minor units of the currency, as are all amounts.
    pub subtotal: i64,
    pub shipping_total: i64,
    pub tax_total: i64,
    pub discount_total: i64,
    pub total: i64,
    /// What payments have taken in all, and what of it went back.
    pub paid: i64,
    pub refunded: i64,
    /// Until when it holds stock without being paid; None once it has left PENDING_PAYMENT.
    pub hold_expires_at: Option<DateTimeUtc>,
    pub cancel_reason: Option<String>,
    /// The `seq` of its newest event. Grows under the row's lock.
    pub last_seq: i32,
    pub placed_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::placed::placed!(
    id,
    number,
    status,
    payment_status,
    fulfillment_status,
    user_id,
    guest_token_hash,
    guest_seed,
    email,
    shipping_address,
    currency,
    subtotal,
    shipping_total,
    tax_total,
    discount_total,
    total,
    paid,
    refunded,
    hold_expires_at,
    cancel_reason,
    last_seq,
    placed_at,
    updated_at,
);
