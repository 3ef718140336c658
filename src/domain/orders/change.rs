//! Changing an order: under its lock, with an event for each thing that happens, all in one transaction.
//!
//! Whoever locks several things locks them in this order, so that nobody waits in a circle: cart, order, payments,
//! stock (by the variants' ids).

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, EntityTrait as _,
    IntoActiveModel as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::state::{self, Standing};
use crate::domain::context::Context;
use crate::entity::order_event::OrderEventType;
use crate::entity::shop_order::OrderStatus;
use crate::entity::{order_event, order_line, shop_order};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{OrderEventId, OrderId};

/// An order whose row is locked by the transaction, or that it has just made.
#[derive(Debug)]
pub struct OrderInHand {
    pub row: shop_order::Model,
    /// In their order. Change them through [`OrderInHand::save`] alone.
    pub lines: Vec<order_line::Model>,
    stored: (shop_order::Model, Vec<order_line::Model>),
    events: Vec<order_event::Model>,
    actor: String,
    now: DateTime<Utc>,
}

impl OrderInHand {
    /// Locks an order, whoever may see it: ask the room's policy first.
    pub async fn lock(txn: &DatabaseTransaction, ctx: &Context, id: OrderId) -> Result<Option<Self>> {
        let row = shop_order::Entity::find_by_id(id)
            .lock_exclusive()
            .one(txn)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let lines = order_line::Entity::find()
            .filter(order_line::Column::OrderId.eq(id))
            .order_by_asc(order_line::Column::Position)
            .all(txn)
            .await?;
        Ok(Some(Self::new(ctx, row, lines)))
    }

    /// Of an order that this transaction has just stored, without events so far.
    pub fn new(ctx: &Context, row: shop_order::Model, lines: Vec<order_line::Model>) -> Self {
        Self {
            stored: (row.clone(), lines.clone()),
            row,
            lines,
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

    /// Completes an order that is delivered and paid in full.
    pub fn complete_if_done(&mut self) -> Result<()> {
        use crate::entity::shop_order::FulfillmentProgress::Delivered;
        let done = self.row.status == OrderStatus::Confirmed
            && self.row.fulfillment_status == Delivered
            && self.row.paid >= self.row.total;
        if done {
            self.become_status(OrderStatus::Completed)?;
            self.happened(OrderEventType::Completed, "Everything has arrived and is paid.");
        }
        Ok(())
    }

    /// Stores all changes and events. The order as it is now.
    pub async fn save(mut self, txn: &DatabaseTransaction) -> Result<shop_order::Model> {
        let (stored_row, stored_lines) = &self.stored;
        for (line, stored) in self.lines.iter().zip(stored_lines) {
            if line != stored {
                line.clone().into_active_model().reset_all().update(txn).await?;
            }
        }
        if self.row != *stored_row {
            self.row.updated_at = self.now;
            let row = self.row.clone().into_active_model().reset_all();
            row.update(txn).await?;
        }
        if !self.events.is_empty() {
            let rows = self.events.into_iter().map(|event| order_event::ActiveModel {
                id: Set(event.id),
                order_id: Set(event.order_id),
                seq: Set(event.seq),
                position: Set(event.position),
                user_id: Set(event.user_id),
                kind: Set(event.kind),
                status: Set(event.status),
                payment_status: Set(event.payment_status),
                fulfillment_status: Set(event.fulfillment_status),
                message: Set(event.message),
                actor: Set(event.actor),
                occurred_at: Set(event.occurred_at),
            });
            order_event::Entity::insert_many(rows)
                .exec_without_returning(txn)
                .await?;
        }
        Ok(self.row)
    }
}

/// Commits what was done to orders, and wakes those who wait for events. Only a hint is lost when the process dies in
/// between: readers look by themselves now and then.
pub async fn commit(ctx: &Context, txn: DatabaseTransaction) -> Result<()> {
    txn.commit().await?;
    ctx.platform.order_events.wake();
    Ok(())
}
