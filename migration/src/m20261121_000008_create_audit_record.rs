//! Who did what, when and from where. Rows are only ever added.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{json_binary_null, text, text_null, timestamp_with_time_zone, uuid};
use sea_orm_migration::sea_orm::DbBackend;

use crate::column::{index, rule};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Refuses to change or delete a row, whoever asks.
const SQLITE: &[&str] = &[
    "CREATE TRIGGER tr_audit_record_update BEFORE UPDATE ON audit_record
     BEGIN SELECT RAISE(ABORT, 'audit records are only added'); END",
    "CREATE TRIGGER tr_audit_record_delete BEFORE DELETE ON audit_record
     BEGIN SELECT RAISE(ABORT, 'audit records are only added'); END",
    // INSERT OR REPLACE deletes what is in its way without asking the trigger above.
    "CREATE TRIGGER tr_audit_record_replace BEFORE INSERT ON audit_record
     WHEN EXISTS (SELECT 1 FROM audit_record WHERE id = NEW.id OR rowid = NEW.rowid)
     BEGIN SELECT RAISE(ABORT, 'audit records are only added'); END",
];
const POSTGRES: &[&str] = &[
    "CREATE FUNCTION refuse_change_of_audit_record() RETURNS trigger LANGUAGE plpgsql AS
     $$ BEGIN RAISE EXCEPTION 'audit records are only added'; END $$",
    "CREATE TRIGGER tr_audit_record BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_record
     FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit_record()",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let record = Table::create()
            .table("audit_record")
            .col(uuid("id").primary_key())
            .col(timestamp_with_time_zone("occurred_at"))
            // No keys to other tables: a record outlives what it is about.
            .col(text("actor"))
            .col(text_null("role"))
            .col(text_null("session"))
            .col(text_null("ip_address"))
            .col(text_null("user_agent"))
            .col(text("action"))
            .col(text_null("subject"))
            .col(json_binary_null("before"))
            .col(json_binary_null("after"))
            .check(rule("length(action) BETWEEN 1 AND 64"))
            .to_owned();
        manager.create_table(record).await?;
        // Of everything, and of one actor, one kind of deed or one subject: always by time.
        manager
            .create_index(index("audit_record", &["occurred_at", "id"]))
            .await?;
        for column in ["actor", "action", "subject"] {
            let columns = [column, "occurred_at", "id"];
            manager.create_index(index("audit_record", &columns)).await?;
        }
        let guards = match manager.get_database_backend() {
            DbBackend::Postgres => POSTGRES,
            _ => SQLITE,
        };
        for guard in guards {
            manager.get_connection().execute_unprepared(guard).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("audit_record").to_owned())
            .await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let function = "DROP FUNCTION refuse_change_of_audit_record";
            manager.get_connection().execute_unprepared(function).await?;
        }
        Ok(())
    }
}
