//! Requests that were carried out, under the key that their client gave them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{json_binary, text, timestamp_with_time_zone};

use crate::column::{index, rule};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let key = Table::create()
            .table("idempotency_key")
            .col(text("actor"))
            .col(text("key"))
            .col(text("operation"))
            .col(text("fingerprint"))
            .col(json_binary("result"))
            .col(timestamp_with_time_zone("created_at"))
            .primary_key(Index::create().col("actor").col("key"))
            .check(rule("length(key) BETWEEN 1 AND 255"))
            .to_owned();
        manager.create_table(key).await?;
        manager
            .create_index(index("idempotency_key", &["created_at"]))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("idempotency_key").to_owned())
            .await
    }
}
