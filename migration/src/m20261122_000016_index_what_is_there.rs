//! Indexes without the rows that have nothing there: a guest's order belongs to no user, most payments wait for no look, most
//! transfers are no refund. Each such entry was written, and written again at each change of its row, and never read.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The table, its columns, and the one of them that may be null.
const INDEXES: [(&str, &[&str], &str); 7] = [
    ("shop_order", &["user_id", "placed_at", "id"], "user_id"),
    ("shop_order", &["hold_expires_at"], "hold_expires_at"),
    ("order_event", &["user_id", "position"], "user_id"),
    ("payment", &["look_at"], "look_at"),
    ("payment_operation", &["attempt_at"], "attempt_at"),
    ("ledger_transfer", &["payment_id"], "payment_id"),
    ("ledger_transfer", &["refund_id"], "refund_id"),
];

/// The same of those in which nothing is there twice.
const UNIQUE: [(&str, &[&str], &str); 5] = [
    ("shop_order", &["guest_token_hash"], "guest_token_hash"),
    ("order_event", &["position"], "position"),
    ("payment", &["gateway", "gateway_reference"], "gateway_reference"),
    ("payment", &["gateway", "gateway_receipt"], "gateway_receipt"),
    ("payment_operation", &["refund_id"], "refund_id"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        make_anew(manager, |nullable| format!(" WHERE \"{nullable}\" IS NOT NULL")).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        make_anew(manager, |_| String::new()).await
    }
}

async fn make_anew(manager: &SchemaManager<'_>, rows: fn(&str) -> String) -> Result<(), DbErr> {
    let indexes = INDEXES.iter().map(|index| ("ix", "INDEX", index));
    let unique = UNIQUE.iter().map(|index| ("uq", "UNIQUE INDEX", index));
    for (prefix, kind, (table, columns, nullable)) in indexes.chain(unique) {
        let (name, rows) = (format!("{prefix}_{table}_{}", columns.join("_")), rows(nullable));
        let columns = format!("\"{}\"", columns.join("\", \""));
        let connection = manager.get_connection();
        connection
            .execute_unprepared(&format!("DROP INDEX \"{name}\""))
            .await?;
        connection
            .execute_unprepared(&format!(
                "CREATE {kind} \"{name}\" ON \"{table}\" ({columns}){rows}"
            ))
            .await?;
    }
    Ok(())
}
