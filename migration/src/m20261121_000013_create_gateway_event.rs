//! What gateways have told, each thing once: stored as it came, and dealt with afterwards.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    binary_null, integer, json_binary, text, text_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid_null,
};

use crate::column::{index, reference, rule};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let event = Table::create()
            .table("gateway_event")
            .col(text("gateway"))
            // The gateway's own name for it: what comes again is there already.
            .col(text("event"))
            .col(text("kind"))
            .col(json_binary("about"))
            // As it came, until it has been dealt with: it names people.
            .col(binary_null("body"))
            .col(text("status"))
            .col(uuid_null("payment_id"))
            .col(integer("attempts"))
            .col(timestamp_with_time_zone_null("attempt_at"))
            // Why it was ignored, or what went wrong the last time.
            .col(text_null("note"))
            .col(timestamp_with_time_zone("received_at"))
            .primary_key(Index::create().col("gateway").col("event"))
            .foreign_key(&mut reference(
                ("gateway_event", "payment_id"),
                ("payment", "id"),
                ForeignKeyAction::Restrict,
            ))
            .check(rule("length(event) > 0"))
            .check(rule("status IN ('PENDING', 'APPLIED', 'IGNORED')"))
            .check(rule("(status = 'PENDING') = (attempt_at IS NOT NULL)"))
            .check(rule("status <> 'PENDING' OR body IS NOT NULL"))
            .check(rule("attempts >= 0"))
            .to_owned();
        manager.create_table(event).await?;
        for columns in [&["attempt_at"], &["payment_id"], &["received_at"]] {
            manager.create_index(index("gateway_event", columns)).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("gateway_event").to_owned())
            .await
    }
}
