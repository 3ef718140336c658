//! How many of each variant there are, and why.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, text, timestamp_with_time_zone, uuid,
};

use crate::column::{index, reference, rule};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let level = Table::create()
            .table("inventory_level")
            .col(uuid("variant_id").primary_key())
            .col(boolean("tracked"))
            .col(big_integer("on_hand"))
            .col(big_integer("reserved"))
            .col(big_integer_null("imported_on_hand"))
            .col(timestamp_with_time_zone("updated_at"))
            .foreign_key(&mut reference(
                ("inventory_level", "variant_id"),
                ("product_variant", "id"),
                ForeignKeyAction::Cascade,
            ))
            // 2^31 - 1 is the largest Int that GraphQL can tell a client.
            .check(rule("on_hand BETWEEN 0 AND 2147483647"))
            .check(rule("reserved BETWEEN 0 AND 2147483647"))
            .check(rule("NOT tracked OR reserved <= on_hand"))
            .to_owned();
        manager.create_table(level).await?;

        let movement = Table::create()
            .table("inventory_movement")
            .col(uuid("id").primary_key())
            .col(uuid("variant_id"))
            .col(big_integer("on_hand_delta"))
            .col(big_integer("reserved_delta"))
            .col(text("reason"))
            .col(text("actor"))
            .col(timestamp_with_time_zone("occurred_at"))
            .foreign_key(&mut reference(
                ("inventory_movement", "variant_id"),
                ("product_variant", "id"),
                ForeignKeyAction::Cascade,
            ))
            .check(rule("on_hand_delta <> 0 OR reserved_delta <> 0"))
            .check(rule("length(reason) BETWEEN 1 AND 255"))
            .to_owned();
        manager.create_table(movement).await?;
        manager
            .create_index(index("inventory_movement", &["variant_id", "occurred_at"]))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("inventory_movement").to_owned())
            .await?;
        manager
            .drop_table(Table::drop().table("inventory_level").to_owned())
            .await
    }
}
