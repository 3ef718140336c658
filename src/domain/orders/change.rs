//! Changing an order: under its lock, with an event for each thing that happens, all in one transaction.
//!
//! Whoever locks several things locks them in this order, so that nobody waits in a circle: cart, order, payments,
//! stock (by the variants' ids).

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::feed::sequence;
use super::state::{self, Standing};
use crate::domain::context::Context;
use crate::domain::ledger::book::{self, Became};
use crate::entity::order_event::OrderEventType;
use crate::entity::shop_order::{OrderStatus, PaymentProgress};
use crate::entity::{order_event, order_line, placed, shop_order};
use crate::infra::db::many::{self, among};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{OrderEventId, OrderId};

/// An order whose row is locked by the transaction, or that it has just made.
#[derive(Debug)]
pub struct OrderInHand {
    pub row: shop_order::Model,
    /// In their order. Their quantities change, through [`OrderInHand::save`] alone, and nothing else of them.
    pub lines: Vec<order_line::Model>,
    /// As the database has them; None for an order that it has not yet.
    stored: Option<(shop_order::Model, Vec<order_line::Model>)>,
    events: Vec<order_event::Model>,
    actor: String,
    now: DateTime<Utc>,
}

impl OrderInHand {
    /// Locks an order, whoever may see it: ask the room's policy first.
    pub async fn lock(txn: &DatabaseTransaction, ctx: &Context, id: OrderId) -> Result<Option<Self>> {
        Ok(Self::lock_many(txn, &[(ctx, id)]).await?.remove(&id))
    }

    /// The same of several, in the order of their ids, each for whoever changes it.
    pub async fn lock_many(
        txn: &DatabaseTransaction,
        wanted: &[(&Context, OrderId)],
    ) -> Result<HashMap<OrderId, Self>> {
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let (backend, ids) = (txn.get_database_backend(), wanted.iter().map(|(_, id)| *id));
        let rows = shop_order::Entity::find()
            .filter(among(backend, shop_order::Column::Id, ids.clone())?)
            .order_by_asc(shop_order::Column::Id)
            .lock_exclusive();
        let rows = placed::all(rows, txn).await?;
        let every_line = order_line::Entity::find()
            .filter(among(backend, order_line::Column::OrderId, ids)?)
            .order_by_asc(order_line::Column::Position);
        let mut lines: HashMap<OrderId, Vec<order_line::Model>> = HashMap::new();
        for line in placed::all(every_line, txn).await? {
            lines.entry(line.order_id).or_default().push(line);
        }
        let mut rows: HashMap<OrderId, shop_order::Model> =
            rows.into_iter().map(|row| (row.id, row)).collect();
        let found = wanted.iter().filter_map(|(ctx, id)| {
            let row = rows.remove(id)?;
            let lines = lines.remove(id).unwrap_or_default();
            let stored = Some((row.clone(), lines.clone()));
            let draft = Self::draft(ctx, row, lines);
            Some((*id, Self { stored, ..draft }))
        });
        Ok(found.collect())
    }

    /// An order that is to be made.
    pub fn draft(ctx: &Context, row: shop_order::Model, lines: Vec<order_line::Model>) -> Self {
        Self {
            row,
            lines,
            stored: None,
            events: Vec::new(),
            actor: ctx.actor.key(),
            now: ctx.now(),
        }
    }

    pub fn standing(&self) -> Standing {
        Standing::of(&self.row)
    }

    /// Moves the lifecycle on; to where it is already is no move.
    ///
    /// # Errors
    /// Internal: callers ask [`Standing::require`] first, which refuses in words.
    pub fn become_status(&mut self, to: OrderStatus) -> Result<()> {
        if self.row.status == to {
            return Ok(());
        }
        if !state::may_become(self.row.status, to) {
            let from = self.row.status;
            return Err(Error::internal(anyhow::anyhow!(
                "an order cannot become {to:?} from {from:?}"
            )));
        }
        self.row.status = to;
        self.row.hold_expires_at = None;
        Ok(())
    }

    /// What payments promise, took and gave back in all.
    pub fn money(&mut self, authorized: i64, paid: i64, refunded: i64) {
        self.row.paid = paid;
        self.row.refunded = refunded;
        self.row.payment_status = state::payment_progress(self.row.total, authorized, paid, refunded);
    }

    /// Writes down that something happened. Its statuses are those of this moment: change the order first.
    pub fn happened(&mut self, kind: OrderEventType, message: impl Into<String>) {
        self.row.last_seq += 1;
        self.events.push(order_event::Model {
            id: OrderEventId::new(),
            order_id: self.row.id,
            seq: self.row.last_seq,
            position: None,
            user_id: self.row.user_id,
            kind,
            status: self.row.status,
            payment_status: self.row.payment_status,
            fulfillment_status: self.row.fulfillment_status,
            message: message.into(),
            actor: self.actor.clone(),
            occurred_at: self.now,
        });
    }

    /// Completes an order that is delivered and for which no more money is to come: what of an authorization was not captured is
    /// released, and what went back went back.
    pub fn complete_if_done(&mut self) -> Result<()> {
        use crate::entity::shop_order::FulfillmentProgress::Delivered;
        let settled = match self.row.payment_status {
            PaymentProgress::PartiallyPaid
            | PaymentProgress::Paid
            | PaymentProgress::PartiallyRefunded
            | PaymentProgress::Refunded => true,
            PaymentProgress::Unpaid | PaymentProgress::Authorized => false,
        };
        if self.row.status == OrderStatus::Confirmed && self.row.fulfillment_status == Delivered && settled {
            self.become_status(OrderStatus::Completed)?;
            self.happened(OrderEventType::Completed, "Everything has arrived.");
        }
        Ok(())
    }

    /// Stores all changes and events, and books what they are worth. The order as it is now.
    pub async fn save(self, txn: &DatabaseTransaction) -> Result<shop_order::Model> {
        let saved = save_many(txn, vec![self]).await?;
        let saved = saved.into_iter().next();
        saved.ok_or_else(|| Error::internal(anyhow::anyhow!("an order was saved and is gone")))
    }
}

/// Stores all changes and events of several orders, and books what they are worth, in as many statements as for one. The orders
/// as they are now.
pub async fn save_many(
    txn: &DatabaseTransaction,
    mut orders: Vec<OrderInHand>,
) -> Result<Vec<shop_order::Model>> {
    insert(txn, &mut orders).await?;
    update(txn, &mut orders).await?;
    let mut events: Vec<order_event::Model> = orders
        .iter_mut()
        .flat_map(|order| std::mem::take(&mut order.events))
        .collect();
    sequence::place_at_once(txn, &mut events).await?;
    many::insert::<order_event::Entity>(txn, &events, "").await?;
    let became: Vec<Became<'_>> = orders
        .iter()
        .map(|order| Became {
            order: &order.row,
            before: order.stored.as_ref().map(|(row, _)| row.status),
            now: order.now,
        })
        .collect();
    book::orders(txn, &became).await?;
    Ok(orders.into_iter().map(|order| order.row).collect())
}

/// Those that are new, with their lines.
async fn insert(txn: &DatabaseTransaction, orders: &mut [OrderInHand]) -> Result<()> {
    let mut left: Vec<&mut OrderInHand> = orders.iter_mut().filter(|order| order.stored.is_none()).collect();
    let lines: Vec<order_line::Model> = left
        .iter()
        .flat_map(|order| order.lines.iter().cloned())
        .collect();
    for _ in 0..NUMBERS_TRIED {
        if left.is_empty() {
            many::insert::<order_line::Entity>(txn, &lines, "").await?;
            return Ok(());
        }
        for order in &mut left {
            order.row.number = number()?;
        }
        let rows: Vec<shop_order::Model> = left.iter().map(|order| order.row.clone()).collect();
        // Whose number is taken is not inserted, and tried again with another one.
        let conflict = "ON CONFLICT (number) DO NOTHING RETURNING id";
        let inserted = many::insert::<shop_order::Entity>(txn, &rows, conflict).await?;
        let inserted = inserted.iter().map(|row| row.try_get::<OrderId>("", "id"));
        let inserted: HashSet<OrderId> = inserted.collect::<Result<_, _>>()?;
        left.retain(|order| !inserted.contains(&order.row.id));
    }
    Err(Error::internal(anyhow::anyhow!("no free order number was found")))
}

/// Those that were there, as far as they have changed. The rest of a line is as it was ordered, for good.
async fn update(txn: &DatabaseTransaction, orders: &mut [OrderInHand]) -> Result<()> {
    use order_line::Column::{DeliveredQuantity, FulfilledQuantity, Held, Id};
    let lines: Vec<order_line::Model> = orders
        .iter()
        .filter_map(|order| Some((&order.lines, &order.stored.as_ref()?.1)))
        .flat_map(|(lines, stored)| lines.iter().zip(stored))
        .filter(|(line, stored)| line != stored)
        .map(|(line, _)| line.clone())
        .collect();
    let quantities = [FulfilledQuantity, DeliveredQuantity, Held];
    many::update::<order_line::Entity>(txn, Id, &quantities, &lines).await?;
    let mut changed: Vec<(shop_order::Model, &shop_order::Model)> = Vec::new();
    for order in orders.iter_mut() {
        if let Some((stored, _)) = order.stored.as_ref().filter(|(stored, _)| *stored != order.row) {
            order.row.updated_at = order.now;
            changed.push((order.row.clone(), stored));
        }
    }
    let columns = many::differing(changed.iter().map(|(row, stored)| (row, *stored)));
    let rows: Vec<shop_order::Model> = changed.iter().map(|(row, _)| row.clone()).collect();
    many::update::<shop_order::Entity>(txn, shop_order::Column::Id, &columns, &rows).await?;
    Ok(())
}

/// Of nine digits; all in use would be nine hundred million orders.
const FIRST_NUMBER: u32 = 100_000_000;
const NUMBERS: u32 = 900_000_000;
const NUMBERS_TRIED: u32 = 20;

/// A number that says nothing about how many orders there are. Counting on would, and would need one counter that all
/// orders wait for.
fn number() -> Result<String> {
    let random =
        getrandom::u32().map_err(|error| Error::internal(anyhow::anyhow!("no randomness: {error}")))?;
    Ok((FIRST_NUMBER + random % NUMBERS).to_string())
}

/// Commits what was done to orders, and wakes those who wait for events. Only a hint is lost when the process dies in
/// between: readers look by themselves now and then.
pub async fn commit(ctx: &Context, txn: DatabaseTransaction) -> Result<()> {
    commit_all([ctx], txn).await
}

/// The same for what several have done together.
pub async fn commit_all<'a>(
    members: impl IntoIterator<Item = &'a Context>,
    txn: DatabaseTransaction,
) -> Result<()> {
    let committed = txn.commit().await;
    let mut woken = false;
    for ctx in members {
        // Also when nobody knows what has become of it: an answer too many is made afresh.
        ctx.touched.tell(&ctx.platform.answers);
        if committed.is_ok() && !woken {
            ctx.platform.order_events.wake();
            woken = true;
        }
    }
    Ok(committed?)
}
