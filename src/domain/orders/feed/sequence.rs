//! Gives events their places among all events, from 1 without gaps.

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DatabaseBackend, DatabaseTransaction, EntityTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use crate::entity::order_event::{self, Column};
use crate::infra::db::many::Rows;
use crate::infra::db::{Db, lock};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{OrderEventId, OrderId};

/// How many get their places in one transaction, about.
const BATCH: u64 = 500;

/// Gives events their places before they are written, on SQLite, where transactions that write come one after another. If some
/// wait for theirs, written by who did not do so, these wait behind them.
pub(in crate::domain::orders) async fn place_at_once(
    txn: &DatabaseTransaction,
    events: &mut [order_event::Model],
) -> Result<()> {
    if txn.get_database_backend() != DatabaseBackend::Sqlite || events.is_empty() {
        return Ok(());
    }
    let head = super::read::head(txn).await?;
    if !head.more {
        for (place, event) in (head.position + 1..).zip(events) {
            event.position = Some(place);
        }
    }
    Ok(())
}

/// Gives places to all that have none; how many.
pub(super) async fn give_places(db: &Db) -> Result<u64> {
    let mut given = 0;
    loop {
        let txn = db.begin().await?;
        lock::exclusive(&txn, "order events").await?;
        let batch = without_place(&txn).await?;
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        if let Some((.., last)) = batch.first() {
            let last = last.unwrap_or_default();
            store(&txn, last, &in_order(batch)).await?;
            txn.commit().await?;
        }
        given += count;
        if count < BATCH {
            return Ok(given);
        }
    }
}

/// An event, its order and its place there; and the last place among all that was given, which is the same for all of a batch
/// and comes with it, for one statement less under the lock.
type New = (OrderEventId, OrderId, i32, Option<i64>);

/// The oldest without a place. Whoever is there, all that happened to the same order before is there too.
async fn without_place(txn: &DatabaseTransaction) -> Result<Vec<New>> {
    let new = || {
        order_event::Entity::find()
            .select_only()
            .columns([Column::Id, Column::OrderId, Column::Seq])
            .expr_as(super::read::last_position(), "last")
            .filter(Column::Position.is_null())
            .order_by_asc(Column::OccurredAt)
            .order_by_asc(Column::OrderId)
            .order_by_asc(Column::Seq)
    };
    let batch: Vec<New> = new().limit(BATCH).into_tuple().all(txn).await?;
    if u64::try_from(batch.len()).unwrap_or(u64::MAX) < BATCH {
        return Ok(batch);
    }
    // Cut off by their times, which clocks that differ have made: an earlier event of an order may be beyond the cut.
    let orders: std::collections::HashSet<OrderId> = batch.iter().map(|(_, order, ..)| *order).collect();
    let whole = new().filter(Column::OrderId.is_in(orders));
    Ok(whole.into_tuple().all(txn).await?)
}

/// By their times, but those of one order as they happened: of two servers' clocks the one may be behind.
fn in_order(by_time: Vec<New>) -> Vec<OrderEventId> {
    let mut by_order: HashMap<OrderId, Vec<(i32, OrderEventId)>> = HashMap::new();
    for (id, order, seq, _) in &by_time {
        by_order.entry(*order).or_default().push((*seq, *id));
    }
    for events in by_order.values_mut() {
        // The last comes first: it is taken from the end.
        events.sort_unstable_by(|one, other| other.cmp(one));
    }
    let next = |(_, order, ..): New| by_order.get_mut(&order)?.pop().map(|(_, id)| id);
    by_time.into_iter().filter_map(next).collect()
}

async fn store(txn: &DatabaseTransaction, last: i64, events: &[OrderEventId]) -> Result<()> {
    let mut rows = Rows::new([("id", "uuid"), ("position", "bigint")]);
    for (place, id) in (last + 1..).zip(events) {
        rows.push([(*id).into(), place.into()]);
    }
    let statement = |source: &str, _: &str| {
        format!(
            r#"UPDATE "order_event" SET "position" = v."position" FROM {source} WHERE "order_event"."id" = v."id"
            RETURNING "order_event"."id""#
        )
    };
    let changed = rows.query(txn, None, statement).await?.len();
    if changed == events.len() {
        Ok(())
    } else {
        Err(Error::internal(anyhow::anyhow!(
            "{changed} order events have got places, of {}",
            events.len()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_behind_does_not_turn_an_order_around() {
        let (one, other) = (OrderId::new(), OrderId::new());
        let new = |order, seq| (OrderEventId::new(), order, seq, None);
        let by_time = vec![new(one, 2), new(other, 1), new(one, 1), new(one, 3)];
        let expected = vec![by_time[2].0, by_time[1].0, by_time[0].0, by_time[3].0];
        assert_eq!(in_order(by_time), expected);
    }
}
