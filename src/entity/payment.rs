//! One try to take an order's money through a gateway.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kernel::id::{OrderId, PaymentId};

#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    EnumIter,
    DeriveActiveEnum,
    Serialize,
    Deserialize,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentGatewayName {
    Stripe,
    Paypal,
    Mpesa,
    Manual,
    Test,
}

/// Whether the money is taken at once, or only promised until it is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentFlow {
    Charge,
    Authorize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentStatus {
    RequiresAction,
    Processing,
    Authorized,
    Captured,
    PartiallyRefunded,
    Refunded,
    Failed,
    Voided,
    Expired,
    RequiresReview,
}

/// What the TEST gateway is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TestOutcome {
    Succeed,
    RequireAction,
    Decline,
    TimeoutThenSucceed,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PaymentId,
    pub order_id: OrderId,
    pub gateway: PaymentGatewayName,
    pub flow: PaymentFlow,
    pub status: PaymentStatus,
    pub currency: String,
    /// What is to be taken, in minor units, as are the next three: what is promised, was taken, and went back.
    pub amount: i64,
    pub authorized: i64,
    pub captured: i64,
    pub refunded: i64,
    /// What of the amount is more than the order costs, in minor units: some gateways take whole units alone.
    pub rounding: i64,
    /// What the gateway keeps, in minor units of the currency that it pays out.
    pub fee: Option<i64>,
    pub fee_currency: Option<String>,
    /// What the gateway calls it, and the money that it took.
    pub gateway_reference: Option<String>,
    pub gateway_receipt: Option<String>,
    /// What the buyer brought along, and what he must do next.
    pub action: Option<Json>,
    pub failure_code: Option<String>,
    pub failure_message: Option<String>,
    pub test_outcome: Option<TestOutcome>,
    /// When to ask the gateway how it stands; None when that is known.
    pub look_at: Option<DateTimeUtc>,
    /// How often it has been asked.
    pub looks: i32,
    pub looked_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::placed::placed!(
    id,
    order_id,
    gateway,
    flow,
    status,
    currency,
    amount,
    authorized,
    captured,
    refunded,
    rounding,
    fee,
    fee_currency,
    gateway_reference,
    gateway_receipt,
    action,
    failure_code,
    failure_message,
    test_outcome,
    look_at,
    looks,
    looked_at,
    created_at,
    updated_at,
);
