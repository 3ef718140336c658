//! Which processes run on this database, and the name that what they share elsewhere goes by.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{boolean, integer, text, timestamp_with_time_zone, uuid};
use sea_orm_migration::sea_orm::DbBackend;

use crate::column::rule;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Random, so that two shops may share a Redis; in the database, so that all instances of one shop agree.
const SQLITE: &str = "INSERT INTO installation (one, name) VALUES (1, lower(hex(randomblob(8))))";
const POSTGRES: &str =
    "INSERT INTO installation (one, name) VALUES (1, left(replace(gen_random_uuid()::text, '-', ''), 16))";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let instance = Table::create()
            .table("instance")
            .col(uuid("id").primary_key())
            .col(text("version"))
            // Whether it is told where the Redis is that instances share.
            .col(boolean("shares"))
            .col(timestamp_with_time_zone("started_at"))
            // By its own clock: others look only whether it moves.
            .col(timestamp_with_time_zone("seen_at"))
            .to_owned();
        manager.create_table(instance).await?;
        let installation = Table::create()
            .table("installation")
            .col(integer("one").primary_key())
            .col(text("name"))
            .check(rule("one = 1"))
            .check(rule("length(name) = 16"))
            .to_owned();
        manager.create_table(installation).await?;
        let name = match manager.get_database_backend() {
            DbBackend::Postgres => POSTGRES,
            _ => SQLITE,
        };
        manager.get_connection().execute_unprepared(name).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["installation", "instance"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
