//! The ledger. Each row moves an amount from one account to another, so there is nothing that could be out of balance:
//! neither database has to look at several rows to refuse it. Rows are only added.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, date, text, timestamp_with_time_zone, uuid, uuid_null};
use sea_orm_migration::sea_orm::DbBackend;

use crate::column::{index, reference, rule, unique};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SQLITE: &[&str] = &[
    "CREATE TRIGGER tr_ledger_transfer_update BEFORE UPDATE ON ledger_transfer
     BEGIN SELECT RAISE(ABORT, 'the ledger is only added to'); END",
    "CREATE TRIGGER tr_ledger_transfer_delete BEFORE DELETE ON ledger_transfer
     BEGIN SELECT RAISE(ABORT, 'the ledger is only added to'); END",
    // INSERT OR REPLACE deletes what is in its way without asking the trigger above.
    "CREATE TRIGGER tr_ledger_transfer_replace BEFORE INSERT ON ledger_transfer
     WHEN EXISTS (SELECT 1 FROM ledger_transfer WHERE id = NEW.id OR rowid = NEW.rowid
       OR subject = NEW.subject AND kind = NEW.kind AND debit = NEW.debit AND credit = NEW.credit)
     BEGIN SELECT RAISE(ABORT, 'the ledger is only added to'); END",
];
const POSTGRES: &[&str] = &[
    "CREATE FUNCTION refuse_change_of_ledger_transfer() RETURNS trigger LANGUAGE plpgsql AS
     $$ BEGIN RAISE EXCEPTION 'the ledger is only added to'; END $$",
    "CREATE TRIGGER tr_ledger_transfer BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transfer
     FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_ledger_transfer()",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table(manager).await?;
        // What is booked, is booked once.
        manager
            .create_index(unique("ledger_transfer", &["subject", "kind", "debit", "credit"]))
            .await?;
        for column in ["order_id", "payment_id", "refund_id"] {
            manager.create_index(index("ledger_transfer", &[column])).await?;
        }
        // Balances are added up from these alone.
        for side in ["debit", "credit"] {
            let columns = ["day", side, "currency", "amount"];
            manager.create_index(index("ledger_transfer", &columns)).await?;
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
            .drop_table(Table::drop().table("ledger_transfer").to_owned())
            .await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let function = "DROP FUNCTION refuse_change_of_ledger_transfer";
            manager.get_connection().execute_unprepared(function).await?;
        }
        Ok(())
    }
}

async fn table(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut transfer = Table::create()
        .table("ledger_transfer")
        .col(uuid("id").primary_key())
        // The same for all that one event moves.
        .col(uuid("booking"))
        .col(text("kind"))
        .col(text("debit"))
        .col(text("credit"))
        .col(text("currency"))
        .col(big_integer("amount"))
        .col(uuid("order_id"))
        .col(uuid_null("payment_id"))
        .col(uuid_null("refund_id"))
        // What it was that happened once: the last of these three that there is.
        .col(uuid("subject"))
        // In UTC.
        .col(date("day"))
        .col(timestamp_with_time_zone("booked_at"))
        .check(rule(
            "kind IN ('SALE', 'SALE_UNDONE', 'CAPTURE', 'FEE', 'REFUND', 'REFUND_RETURNED')",
        ))
        .check(rule(
            "debit IN ('receivable', 'revenue', 'shipping', 'tax', 'refunds', 'rounding') \
             OR substr(debit, 1, 9) = 'clearing:' AND length(debit) > 9 OR substr(debit, 1, 5) = 'fees:' AND length(debit) > 5",
        ))
        .check(rule(
            "credit IN ('receivable', 'revenue', 'shipping', 'tax', 'refunds', 'rounding') \
             OR substr(credit, 1, 9) = 'clearing:' AND length(credit) > 9 OR substr(credit, 1, 5) = 'fees:' AND length(credit) > 5",
        ))
        .check(rule("debit <> credit"))
        .check(rule("length(currency) = 3"))
        .check(rule("amount > 0"))
        .check(rule("(payment_id IS NULL) = (kind IN ('SALE', 'SALE_UNDONE'))"))
        .check(rule(
            "(refund_id IS NOT NULL) = (kind IN ('REFUND', 'REFUND_RETURNED'))",
        ))
        .check(rule("subject = coalesce(refund_id, payment_id, order_id)"))
        .to_owned();
    for (column, other) in [
        ("order_id", "shop_order"),
        ("payment_id", "payment"),
        ("refund_id", "refund"),
    ] {
        transfer.foreign_key(&mut reference(
            ("ledger_transfer", column),
            (other, "id"),
            ForeignKeyAction::Restrict,
        ));
    }
    manager.create_table(transfer).await
}
