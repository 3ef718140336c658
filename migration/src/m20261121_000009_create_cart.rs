//! What somebody is about to buy.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, integer, text, timestamp_with_time_zone, uuid, uuid_null};

use crate::column::{index, reference, rule, unique};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let cart = Table::create()
            .table("cart")
            .col(uuid("id").primary_key())
            // None: a guest's.
            .col(uuid_null("user_id"))
            .col(text("currency"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("updated_at"))
            .foreign_key(&mut reference(
                ("cart", "user_id"),
                ("user_account", "id"),
                ForeignKeyAction::Cascade,
            ))
            .check(rule("length(currency) = 3"))
            .to_owned();
        manager.create_table(cart).await?;
        // One for each customer; guests' have none, and NULLs are not equal.
        manager.create_index(unique("cart", &["user_id"])).await?;
        manager.create_index(index("cart", &["updated_at"])).await?;

        let line = Table::create()
            .table("cart_line")
            .col(uuid("id").primary_key())
            .col(uuid("cart_id"))
            .col(uuid("variant_id"))
            .col(integer("quantity"))
            // What the variant cost when the line was last touched.
            .col(big_integer("unit_price"))
            .col(timestamp_with_time_zone("created_at"))
            .foreign_key(&mut reference(
                ("cart_line", "cart_id"),
                ("cart", "id"),
                ForeignKeyAction::Cascade,
            ))
            .foreign_key(&mut reference(
                ("cart_line", "variant_id"),
                ("product_variant", "id"),
                ForeignKeyAction::Cascade,
            ))
            .check(rule("quantity BETWEEN 1 AND 10000"))
            .check(rule("unit_price >= 0"))
            .to_owned();
        manager.create_table(line).await?;
        manager
            .create_index(unique("cart_line", &["cart_id", "variant_id"]))
            .await?;
        manager.create_index(index("cart_line", &["variant_id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["cart_line", "cart"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
