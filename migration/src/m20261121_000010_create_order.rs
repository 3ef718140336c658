//! Orders, what was ordered, and what of it was sent.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, integer, json_binary, text, text_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid, uuid_null,
};

use crate::column::{index, reference, rule, sort_text, unique};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        orders(manager).await?;
        lines(manager).await?;
        fulfillments(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["fulfillment_line", "fulfillment", "order_line", "shop_order"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

/// `order` alone is a word of SQL's.
async fn orders(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let order = Table::create()
        .table("shop_order")
        .col(uuid("id").primary_key())
        .col(sort_text(manager, "number"))
        .col(text("status"))
        .col(text("payment_status"))
        .col(text("fulfillment_status"))
        // None: a guest's.
        .col(uuid_null("user_id"))
        .col(text_null("guest_token_hash"))
        .col(text_null("guest_seed"))
        .col(text("email"))
        .col(json_binary("shipping_address"))
        .col(text("currency"))
        .col(big_integer("subtotal"))
        .col(big_integer("shipping_total"))
        .col(big_integer("tax_total"))
        .col(big_integer("discount_total"))
        .col(big_integer("total"))
        .col(big_integer("paid"))
        .col(big_integer("refunded"))
        .col(timestamp_with_time_zone_null("hold_expires_at"))
        .col(text_null("cancel_reason"))
        .col(integer("last_seq"))
        .col(timestamp_with_time_zone("placed_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .foreign_key(&mut reference(
            ("shop_order", "user_id"),
            ("user_account", "id"),
            ForeignKeyAction::Restrict,
        ))
        .check(rule(
            "status IN ('PENDING_PAYMENT', 'CONFIRMED', 'COMPLETED', 'CANCELLED', 'EXPIRED')",
        ))
        .check(rule(
            "payment_status IN ('UNPAID', 'AUTHORIZED', 'PARTIALLY_PAID', 'PAID', 'PARTIALLY_REFUNDED', 'REFUNDED')",
        ))
        .check(rule(
            "fulfillment_status IN ('UNFULFILLED', 'PARTIALLY_FULFILLED', 'FULFILLED', 'DELIVERED')",
        ))
        // A guest's order can be seen by its token alone, a customer's never by one.
        .check(rule("(user_id IS NULL) = (guest_token_hash IS NOT NULL)"))
        .check(rule("(guest_token_hash IS NULL) = (guest_seed IS NULL)"))
        .check(rule("(status = 'PENDING_PAYMENT') = (hold_expires_at IS NOT NULL)"))
        .check(rule("(status = 'CANCELLED') = (cancel_reason IS NOT NULL)"))
        .check(rule("length(currency) = 3"))
        .check(rule(
            "subtotal >= 0 AND shipping_total >= 0 AND tax_total >= 0 AND discount_total >= 0 AND total >= 0",
        ))
        .check(rule(
            "total = subtotal + shipping_total + tax_total - discount_total",
        ))
        .check(rule("refunded >= 0 AND refunded <= paid"))
        .check(rule("last_seq >= 0"))
        .to_owned();
    manager.create_table(order).await?;
    manager.create_index(unique("shop_order", &["number"])).await?;
    manager
        .create_index(unique("shop_order", &["guest_token_hash"]))
        .await?;
    manager
        .create_index(index("shop_order", &["placed_at", "id"]))
        .await?;
    for column in ["status", "payment_status", "user_id"] {
        let columns = [column, "placed_at", "id"];
        manager.create_index(index("shop_order", &columns)).await?;
    }
    manager
        .create_index(index("shop_order", &["hold_expires_at"]))
        .await
}

async fn lines(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let line = Table::create()
        .table("order_line")
        .col(uuid("id").primary_key())
        .col(uuid("order_id"))
        .col(integer("position"))
        .col(uuid_null("variant_id"))
        .col(text("product_name"))
        .col(text("variant_title"))
        .col(text_null("sku"))
        .col(integer("quantity"))
        .col(integer("fulfilled_quantity"))
        .col(integer("delivered_quantity"))
        // How much of the stock's `reserved` is this line's.
        .col(integer("held"))
        .col(big_integer("unit_price"))
        .col(big_integer("line_total"))
        .foreign_key(&mut reference(
            ("order_line", "order_id"),
            ("shop_order", "id"),
            ForeignKeyAction::Restrict,
        ))
        .foreign_key(&mut reference(
            ("order_line", "variant_id"),
            ("product_variant", "id"),
            ForeignKeyAction::SetNull,
        ))
        .check(rule("quantity BETWEEN 1 AND 10000"))
        .check(rule("held >= 0 AND held <= quantity - fulfilled_quantity"))
        .check(rule(
            "delivered_quantity >= 0 AND delivered_quantity <= fulfilled_quantity AND fulfilled_quantity <= quantity",
        ))
        .check(rule("unit_price >= 0 AND line_total = unit_price * quantity"))
        .to_owned();
    manager.create_table(line).await?;
    manager
        .create_index(unique("order_line", &["order_id", "position"]))
        .await?;
    manager.create_index(index("order_line", &["variant_id"])).await
}

async fn fulfillments(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let fulfillment = Table::create()
        .table("fulfillment")
        .col(uuid("id").primary_key())
        .col(uuid("order_id"))
        .col(text("status"))
        .col(text_null("tracking_number"))
        .col(text_null("tracking_url"))
        .col(text_null("carrier"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("delivered_at"))
        .foreign_key(&mut reference(
            ("fulfillment", "order_id"),
            ("shop_order", "id"),
            ForeignKeyAction::Restrict,
        ))
        .check(rule("status IN ('SHIPPED', 'DELIVERED', 'CANCELLED')"))
        .check(rule("(status = 'DELIVERED') = (delivered_at IS NOT NULL)"))
        .to_owned();
    manager.create_table(fulfillment).await?;
    manager
        .create_index(index("fulfillment", &["order_id", "created_at"]))
        .await?;

    let line = Table::create()
        .table("fulfillment_line")
        .col(uuid("fulfillment_id"))
        .col(uuid("order_line_id"))
        .col(integer("quantity"))
        .primary_key(Index::create().col("fulfillment_id").col("order_line_id"))
        .foreign_key(&mut reference(
            ("fulfillment_line", "fulfillment_id"),
            ("fulfillment", "id"),
            ForeignKeyAction::Restrict,
        ))
        .foreign_key(&mut reference(
            ("fulfillment_line", "order_line_id"),
            ("order_line", "id"),
            ForeignKeyAction::Restrict,
        ))
        .check(rule("quantity >= 1"))
        .to_owned();
    manager.create_table(line).await?;
    manager
        .create_index(index("fulfillment_line", &["order_line_id"]))
        .await
}
