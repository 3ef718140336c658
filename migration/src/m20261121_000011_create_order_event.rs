//! What happened to orders. Rows are only added, and given their place in the order of all once.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer_null, integer, text, timestamp_with_time_zone, uuid, uuid_null};
use sea_orm_migration::sea_orm::DbBackend;

use crate::column::{index, reference, rule, unique};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SQLITE: &[&str] = &[
    "CREATE TRIGGER tr_order_event_update BEFORE UPDATE ON order_event
     WHEN OLD.position IS NOT NULL OR NEW.id <> OLD.id OR NEW.order_id <> OLD.order_id OR NEW.seq <> OLD.seq
       OR NEW.type <> OLD.type OR NEW.status <> OLD.status OR NEW.payment_status <> OLD.payment_status
       OR NEW.fulfillment_status <> OLD.fulfillment_status OR NEW.message <> OLD.message
     BEGIN SELECT RAISE(ABORT, 'order events are only added'); END",
    "CREATE TRIGGER tr_order_event_delete BEFORE DELETE ON order_event
     BEGIN SELECT RAISE(ABORT, 'order events are only added'); END",
];
const POSTGRES: &[&str] = &[
    "CREATE FUNCTION refuse_change_of_order_event() RETURNS trigger LANGUAGE plpgsql AS
     $$ BEGIN RAISE EXCEPTION 'order events are only added'; END $$",
    "CREATE TRIGGER tr_order_event_delete BEFORE DELETE OR TRUNCATE ON order_event
     FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_order_event()",
    "CREATE TRIGGER tr_order_event_update BEFORE UPDATE ON order_event
     FOR EACH ROW WHEN (OLD.position IS NOT NULL OR NEW.id <> OLD.id OR NEW.order_id <> OLD.order_id OR NEW.seq <> OLD.seq
       OR NEW.type <> OLD.type OR NEW.status <> OLD.status OR NEW.payment_status <> OLD.payment_status
       OR NEW.fulfillment_status <> OLD.fulfillment_status OR NEW.message <> OLD.message)
     EXECUTE FUNCTION refuse_change_of_order_event()",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let event = Table::create()
            .table("order_event")
            .col(uuid("id").primary_key())
            .col(uuid("order_id"))
            // Its place among the events of its order, from 1, given under the order's lock.
            .col(integer("seq"))
            // Its place among all, from 1 without gaps; given after the commit, by one hand at a time.
            .col(big_integer_null("position"))
            // Whose order it is, so that somebody's events are found without the orders.
            .col(uuid_null("user_id"))
            .col(text("type"))
            .col(text("status"))
            .col(text("payment_status"))
            .col(text("fulfillment_status"))
            .col(text("message"))
            .col(text("actor"))
            .col(timestamp_with_time_zone("occurred_at"))
            .foreign_key(&mut reference(
                ("order_event", "order_id"),
                ("shop_order", "id"),
                ForeignKeyAction::Restrict,
            ))
            .foreign_key(&mut reference(
                ("order_event", "user_id"),
                ("user_account", "id"),
                ForeignKeyAction::Restrict,
            ))
            .check(rule("seq >= 1"))
            .check(rule("position >= 1"))
            .check(rule(
                "type IN ('PLACED', 'PAYMENT_PENDING', 'PAYMENT_AUTHORIZED', 'PAYMENT_CAPTURED', 'PAYMENT_FAILED', \
                 'PAYMENT_VOIDED', 'CONFIRMED', 'FULFILLED', 'DELIVERED', 'COMPLETED', 'CANCELLED', 'EXPIRED', \
                 'REFUND_PENDING', 'REFUNDED', 'REFUND_FAILED', 'REVIEW_REQUIRED')",
            ))
            .to_owned();
        manager.create_table(event).await?;
        manager
            .create_index(unique("order_event", &["order_id", "seq"]))
            .await?;
        manager.create_index(unique("order_event", &["position"])).await?;
        manager
            .create_index(index("order_event", &["user_id", "position"]))
            .await?;
        // What has no place yet: almost always nothing.
        let new = index("order_event", &["occurred_at"])
            .name("ix_order_event_new")
            .and_where(Expr::col("position").is_null())
            .to_owned();
        manager.create_index(new).await?;
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
            .drop_table(Table::drop().table("order_event").to_owned())
            .await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let function = "DROP FUNCTION refuse_change_of_order_event";
            manager.get_connection().execute_unprepared(function).await?;
        }
        Ok(())
    }
}
