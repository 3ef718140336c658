//! Payments of orders, their refunds, and what gateways are asked to do.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, json_binary_null, text, text_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid, uuid_null,
};

use crate::column::{index, reference, rule, unique};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        payments(manager).await?;
        refunds(manager).await?;
        operations(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["payment_operation", "refund", "payment"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn payments(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let payment = Table::create()
        .table("payment")
        .col(uuid("id").primary_key())
        .col(uuid("order_id"))
        .col(text("gateway"))
        .col(text("flow"))
        .col(text("status"))
        .col(text("currency"))
        .col(big_integer("amount"))
        .col(big_integer("authorized"))
        .col(big_integer("captured"))
        .col(big_integer("refunded"))
        // What of the amount is more than the order costs: some gateways take whole units alone.
        .col(big_integer("rounding"))
        // What the gateway keeps, in the currency that it pays out.
        .col(big_integer_null("fee"))
        .col(text_null("fee_currency"))
        // What the gateway calls it, and the money that it took.
        .col(text_null("gateway_reference"))
        .col(text_null("gateway_receipt"))
        .col(json_binary_null("action"))
        .col(text_null("failure_code"))
        .col(text_null("failure_message"))
        .col(text_null("test_outcome"))
        // When the gateway is to be asked how it stands, while that is not known.
        .col(timestamp_with_time_zone_null("look_at"))
        .col(integer("looks"))
        .col(timestamp_with_time_zone_null("looked_at"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .foreign_key(&mut reference(
            ("payment", "order_id"),
            ("shop_order", "id"),
            ForeignKeyAction::Restrict,
        ))
        // Which gateways there are is the program's business: one more of them is no change of the schema.
        .check(rule("length(gateway) > 0"))
        .check(rule("flow IN ('CHARGE', 'AUTHORIZE')"))
        .check(rule(
            "status IN ('REQUIRES_ACTION', 'PROCESSING', 'AUTHORIZED', 'CAPTURED', 'PARTIALLY_REFUNDED', 'REFUNDED', \
             'FAILED', 'VOIDED', 'EXPIRED', 'REQUIRES_REVIEW')",
        ))
        .check(rule("length(currency) = 3"))
        .check(rule("amount > 0"))
        .check(rule("authorized >= 0 AND authorized <= amount"))
        .check(rule("captured >= 0 AND captured <= amount"))
        .check(rule("refunded >= 0 AND refunded <= captured"))
        .check(rule("rounding >= 0 AND rounding < amount"))
        .check(rule("(fee IS NULL) = (fee_currency IS NULL) AND fee >= 0"))
        .to_owned();
    manager.create_table(payment).await?;
    manager
        .create_index(index("payment", &["order_id", "created_at"]))
        .await?;
    manager.create_index(index("payment", &["look_at"])).await?;
    manager
        .create_index(unique("payment", &["gateway", "gateway_reference"]))
        .await?;
    // The same money is not taken for two payments.
    manager
        .create_index(unique("payment", &["gateway", "gateway_receipt"]))
        .await?;
    // Of two payments of one order at most one is under way or has taken money.
    let live = unique("payment", &["order_id"])
        .name("uq_payment_live")
        .and_where(Expr::cust(
            "status IN ('REQUIRES_ACTION', 'PROCESSING', 'AUTHORIZED', 'CAPTURED', 'PARTIALLY_REFUNDED')",
        ))
        .to_owned();
    manager.create_index(live).await
}

async fn refunds(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let refund = Table::create()
        .table("refund")
        .col(uuid("id").primary_key())
        .col(uuid("payment_id"))
        .col(big_integer("amount"))
        .col(text("status"))
        .col(text_null("reason"))
        .col(text_null("gateway_reference"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .foreign_key(&mut reference(
            ("refund", "payment_id"),
            ("payment", "id"),
            ForeignKeyAction::Restrict,
        ))
        .check(rule("amount > 0"))
        .check(rule("status IN ('PENDING', 'SUCCEEDED', 'FAILED')"))
        .to_owned();
    manager.create_table(refund).await?;
    manager
        .create_index(unique("refund", &["payment_id", "gateway_reference"]))
        .await?;
    manager
        .create_index(index("refund", &["payment_id", "created_at"]))
        .await
}

/// Written before the gateway is called, so that a crash in between is not forgotten.
async fn operations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let operation = Table::create()
        .table("payment_operation")
        .col(uuid("payment_id"))
        .col(text("kind"))
        // From 1; a new one only after the last has definitely failed, or for another refund or capture.
        .col(integer("seq"))
        .col(text("status"))
        .col(big_integer_null("amount"))
        .col(uuid_null("refund_id"))
        .col(integer("attempts"))
        .col(timestamp_with_time_zone_null("attempt_at"))
        .col(text_null("error"))
        .col(timestamp_with_time_zone("created_at"))
        .primary_key(Index::create().col("payment_id").col("kind").col("seq"))
        .foreign_key(&mut reference(
            ("payment_operation", "payment_id"),
            ("payment", "id"),
            ForeignKeyAction::Restrict,
        ))
        .foreign_key(&mut reference(
            ("payment_operation", "refund_id"),
            ("refund", "id"),
            ForeignKeyAction::Restrict,
        ))
        .check(rule(
            "kind IN ('CREATE', 'COMPLETE', 'CAPTURE', 'VOID', 'REFUND')",
        ))
        .check(rule("status IN ('PENDING', 'SUCCEEDED', 'FAILED')"))
        .check(rule("(kind = 'REFUND') = (refund_id IS NOT NULL)"))
        .check(rule("(status = 'PENDING') = (attempt_at IS NOT NULL)"))
        .check(rule("seq >= 1 AND attempts >= 0"))
        .to_owned();
    manager.create_table(operation).await?;
    manager
        .create_index(unique("payment_operation", &["refund_id"]))
        .await?;
    manager
        .create_index(index("payment_operation", &["attempt_at"]))
        .await
}
