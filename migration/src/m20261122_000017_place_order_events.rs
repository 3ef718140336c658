//! Gives order events their places in one round trip, where there is a database to talk to: while places are given nobody else
//! gives any, and what happens meanwhile waits for the next time.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// A function's statements see, each, what was committed before it: so the lock comes first, then the last place. Events of one
/// order stand as they happened, though the clock of one server may be behind that of another, and none of them is left out
/// that was before one that gets its place. Others are told who gave places when these are there to be read.
const PLACE: &str = r#"
CREATE FUNCTION place_order_events(most bigint, teller text, OUT given bigint, OUT last bigint) LANGUAGE plpgsql AS $$
BEGIN
  given := 0;
  IF EXISTS (SELECT 1 FROM order_event WHERE "position" IS NULL) THEN
    PERFORM pg_advisory_xact_lock(hashtextextended('souk:order events', 0));
    last := coalesce((SELECT "position" FROM order_event WHERE "position" IS NOT NULL ORDER BY "position" DESC LIMIT 1), 0);
    UPDATE order_event SET "position" = last + placed.place
      FROM (SELECT id, row_number() OVER (ORDER BY at, order_id, seq) AS place
        FROM (SELECT id, order_id, seq, max(occurred_at) OVER (PARTITION BY order_id ORDER BY seq) AS at FROM order_event
          WHERE "position" IS NULL AND order_id IN
            (SELECT order_id FROM order_event WHERE "position" IS NULL ORDER BY occurred_at LIMIT most)) AS timed) AS placed
      WHERE order_event.id = placed.id;
    GET DIAGNOSTICS given = ROW_COUNT;
    last := last + given;
    IF given > 0 THEN
      PERFORM pg_notify('souk_order_events', teller);
    END IF;
  ELSE
    last := coalesce((SELECT "position" FROM order_event WHERE "position" IS NOT NULL ORDER BY "position" DESC LIMIT 1), 0);
  END IF;
END $$"#;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        on_postgres(manager, PLACE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        on_postgres(manager, "DROP FUNCTION place_order_events").await
    }
}

async fn on_postgres(manager: &SchemaManager<'_>, statement: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}
