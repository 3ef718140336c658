//! Gives events their places among all events, from 1 without gaps, by one hand at a time.

use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseTransaction, Statement};
use uuid::Uuid;

use super::read;
use crate::entity::order_event;
use crate::infra::db::Db;
use crate::kernel::error::Result;

/// How many get their places in one transaction, about: those that happened to the same orders get theirs, too.
const BATCH: i64 = 500;

/// PostgreSQL's function does it in one transaction, and tells the other processes in it who did.
const PLACE: &str = "SELECT given, last FROM place_order_events($1, $2)";

/// The same for SQLite, which has no functions, inside a transaction of ours. Of one order what happened first comes first,
/// whatever the clocks say.
const PLACE_IN_SQLITE: &str = r#"UPDATE "order_event" SET "position" = placed.place
    FROM (SELECT id, coalesce((SELECT "position" FROM "order_event" WHERE "position" IS NOT NULL ORDER BY "position" DESC LIMIT 1), 0)
        + row_number() OVER (ORDER BY at, order_id, seq) AS place
      FROM (SELECT id, order_id, seq, max(occurred_at) OVER (PARTITION BY order_id ORDER BY seq) AS at FROM "order_event"
        WHERE "position" IS NULL AND order_id IN
          (SELECT order_id FROM "order_event" WHERE "position" IS NULL ORDER BY occurred_at LIMIT ?)) AS timed) AS placed
    WHERE "order_event".id = placed.id"#;

/// How far places have come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    /// How many were given just now.
    pub(super) given: i64,
    /// The last one; 0 before the first.
    pub(super) last: i64,
}

/// Gives events their places before they are written, on SQLite, where transactions that write come one after another. If some
/// wait for theirs, written by who did not do so, these wait behind them.
pub(in crate::domain::orders) async fn place_at_once(
    txn: &DatabaseTransaction,
    events: &mut [order_event::Model],
) -> Result<()> {
    if txn.get_database_backend() != DatabaseBackend::Sqlite || events.is_empty() {
        return Ok(());
    }
    let head = read::head(txn).await?;
    if !head.more {
        for (place, event) in (head.position + 1..).zip(events) {
            event.position = Some(place);
        }
    }
    Ok(())
}

/// Gives places to all that have none. Other processes on PostgreSQL are told that it was `teller`.
pub(super) async fn give_places(db: &Db, teller: Uuid) -> Result<Placed> {
    let mut given = 0;
    loop {
        let placed = match db.backend() {
            DatabaseBackend::Postgres => by_function(db, teller).await?,
            _ => by_hand(db).await?,
        };
        given += placed.given;
        if placed.given < BATCH {
            return Ok(Placed { given, ..placed });
        }
    }
}

async fn by_function(db: &Db, teller: Uuid) -> Result<Placed> {
    let values = [BATCH.into(), teller.to_string().into()];
    let statement = Statement::from_sql_and_values(DatabaseBackend::Postgres, PLACE, values);
    let row = db.call(statement).await?;
    Ok(Placed {
        given: row.try_get("", "given")?,
        last: row.try_get("", "last")?,
    })
}

async fn by_hand(db: &Db) -> Result<Placed> {
    let head = read::head(db.fresh()).await?;
    if !head.more {
        return Ok(Placed {
            given: 0,
            last: head.position,
        });
    }
    let txn = db.begin().await?;
    let before = read::head(&txn).await?;
    let place = Statement::from_sql_and_values(DatabaseBackend::Sqlite, PLACE_IN_SQLITE, [BATCH.into()]);
    let placed = txn.execute_raw(place).await?;
    txn.commit().await?;
    let given = i64::try_from(placed.rows_affected()).unwrap_or(i64::MAX);
    Ok(Placed {
        given,
        last: before.position + given,
    })
}
