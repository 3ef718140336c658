//! How often signing in has been tried, in vain or with an outcome still to come.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    integer, json_binary, text, timestamp_with_time_zone, timestamp_with_time_zone_null,
};

use crate::column::{index, rule};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let attempt = Table::create()
            .table("sign_in_attempt")
            // A hash of whom and from where: what strangers type is not kept as they typed it.
            .col(text("key").primary_key())
            .col(integer("counted"))
            .col(timestamp_with_time_zone("since"))
            .col(timestamp_with_time_zone("last_at"))
            // A list and not a number: of each one is known since when, so that none is waited for without end.
            .col(json_binary("in_flight"))
            .col(timestamp_with_time_zone_null("throttled_until"))
            .check(rule("counted >= 0"))
            .to_owned();
        manager.create_table(attempt).await?;
        manager.create_index(index("sign_in_attempt", &["last_at"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("sign_in_attempt").to_owned())
            .await
    }
}
